//! The promises of the log, kept against a real PostgreSQL and a real NATS.

mod calls;
mod commit;
mod counter;
mod gaps;
mod log;
mod model;
mod postgres_es;
mod projections;
mod races;
mod readers;
mod rebuild;
mod relay;
mod restored;
mod stream;
mod sums;
mod told;
