//! The promises of the log, kept against a real PostgreSQL and a real NATS.

mod calls;
mod counter;
mod log;
mod model;
mod postgres_es;
mod races;
mod readers;
mod rebuild;
mod stream;
mod sums;
