//! What tests stand on, tested itself: the servers, and the simulator of Telegram beside what others wrote.

mod calls;
mod delivery;
mod emulators;
mod servers;
