//! Ports for programs that have to be told theirs before they listen.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

/// Where systems begin to hand out ports by themselves. A port from there, free now, may be the end of
/// somebody's connection a moment later; below, only who asks for a port by its number takes it.
const BELOW: u16 = 32_000;
/// The lowest port that is tried: services of a machine lie below.
const FROM: u16 = 12_000;

/// Tries after which there is none.
const TRIES: usize = 1_000;

static TRIED: AtomicU16 = AtomicU16::new(0);

/// A port of 127.0.0.1 that nobody listens on, given once in this process.
///
/// # Panics
///
/// When no port is free.
#[must_use]
pub fn free() -> u16 {
    // Processes that run beside each other begin at places of their own.
    let own = u16::try_from(std::process::id() % 200).expect("it is below 200") * 100;
    let port = (0..TRIES).find_map(|_| {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        let port = FROM + own.wrapping_add(tried) % (BELOW - FROM);
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    });
    port.expect("a port is free")
}
