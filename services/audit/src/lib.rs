//! What happened, and the proof that nobody changed it afterwards.
//!
//! - [`entry`]: what is kept of a fact, and its canonical form; [`merkle`] and [`note`]: trees of entries and their
//!   signed checkpoints.
//! - [`follow`], [`record`] and `sign`: facts become entries, entries become trees, trees become checkpoints; [`post`]
//!   brings these to a channel.
//! - [`entries`]: what may be asked; [`grpc`]: `meydan.audit.v1` in front of it.
//! - [`verify`] and [`prove`]: what operators ask, of the databases and the file themselves.

pub mod entries;
pub mod entry;
pub mod follow;
pub mod grpc;
pub mod merkle;
pub mod note;
pub mod post;
pub mod prove;
pub mod record;
mod service;
mod sign;
pub mod verify;

pub use self::{
    service::{FILE, NAME, RunError, Setup, migrate, run},
    sign::Pace,
};
