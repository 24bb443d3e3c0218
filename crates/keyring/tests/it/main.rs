//! Keys as services hold them: on a real PostgreSQL, beside others, and when they go.

mod erasing;
mod keys;
mod rotation;
mod transit;
mod words;
