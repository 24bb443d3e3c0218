//! What runs beside the services: a PostgreSQL and a NATS of one's own, the signals that end everything, and
//! what the operating system allows the program.

mod files;
mod local;
mod signals;

pub use self::{
    files::raise_open_files,
    local::{LocalServers, Options, Running, StartError},
    signals::Signals,
};
