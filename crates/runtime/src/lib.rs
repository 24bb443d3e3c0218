//! What runs beside the services: a PostgreSQL and a NATS of one's own, the signals that end everything, and
//! what the operating system allows the program and whom it lets go first.

mod files;
mod local;
mod priority;
mod signals;

pub use self::{
    files::raise_open_files,
    local::{LocalServers, Options, Running, StartError},
    priority::stand_back,
    signals::Signals,
};
