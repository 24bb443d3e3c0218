//! The only public HTTP surface: the web panel, live updates, and Telegram's webhook.
//!
//! - [`access`]: the policy in front of every route. A route cannot be added without one.
//! - [`routes`]: a file for each address; [`views`] turns what services answer into pages.
//! - [`session`], [`client`], [`csrf`], [`limits`], [`headers`]: who visits, and what protects them.
//! - [`oversight`]: what bounds the platform's staff.
//! - [`changes`]: what identity takes back. [`api`]: who asks with a key.
//! - [`webhook`]: Telegram's updates. [`live`]: server-sent events.

pub mod access;
pub mod api;
pub mod app;
pub mod changes;
pub mod client;
pub mod cookies;
pub mod csrf;
pub mod failure;
pub mod headers;
pub mod limits;
pub mod live;
pub mod oversight;
pub mod routes;
mod serve;
mod service;
pub mod session;
pub mod views;
pub mod webhook;

pub use self::{
    serve::Patience,
    service::{NAME, Setup, run},
};
