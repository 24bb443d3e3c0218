//! The promises of the log, kept against a real PostgreSQL and a real NATS.

mod counter;
mod log;
mod model;
mod postgres_es;
mod readers;
mod rebuild;
mod restored;
mod stream;
mod sums;
