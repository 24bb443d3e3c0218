//! What operators see: logs, traces and metrics, without personal data.
//!
//! - [`init`] sets up logs and traces for the process; [`metrics`] serves `/metrics` on a private port.
//! - [`traceparent`] and [`set_parent_from`] carry a trace across processes, as W3C Trace Context does. It
//!   works without a collector too: the ids then only stand in the logs.

pub mod metrics;
mod propagation;
mod setup;

pub use self::{
    propagation::{set_parent_from, trace_id, traceparent},
    setup::{LogFormat, Telemetry, TelemetryError, TelemetryOptions, init},
};
