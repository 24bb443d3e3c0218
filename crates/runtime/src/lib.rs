//! What runs beside the services: a PostgreSQL and a NATS of one's own, the signals that end everything, and
//! what the operating system allows the program, whom it lets go first, and whether anybody still reads.

mod files;
mod local;
mod pipe;
mod priority;
mod signals;

pub use self::{
    files::raise_open_files,
    local::{LocalServers, Options, Running, StartError},
    pipe::is_unread,
    priority::stand_back,
    signals::Signals,
};
