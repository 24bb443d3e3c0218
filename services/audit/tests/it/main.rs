//! The audit on a real PostgreSQL: facts become entries once, whoever brings them and however often.

mod arriving;
mod asking;
mod ground;
mod posting;
