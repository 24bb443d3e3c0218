//! Calls between services: the contracts, who calls, what they may do, and what can go wrong.
//!
//! - [`pb`]: generated from `proto/`.
//! - [`caller`]: the signed assertion that every call carries.
//! - [`key`]: the files of keys that sign.
//! - [`guard`]: the policy table in front of every method, and the span around it.
//! - [`server`] and [`client`]: the two ends.
//! - [`origin`]: from where people call, sealed for the record.
//! - [`outcome`]: the five outcomes, the same from the domain to the browser.
//! - [`form`]: wire values to ours, reporting every bad field at once.

pub mod caller;
pub mod client;
pub mod form;
pub mod guard;
pub mod key;
pub mod origin;
pub mod outcome;
pub mod pb;
pub mod server;
