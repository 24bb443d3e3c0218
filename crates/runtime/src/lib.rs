//! What runs beside the services: a PostgreSQL and a NATS of one's own, and the signals that end everything.

mod local;
mod signals;

pub use self::{
    local::{LocalServers, Options, Running, StartError},
    signals::terminated,
};
