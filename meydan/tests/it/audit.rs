//! The audit against somebody who may do everything in the databases: each test is such a deed, done to a copy of what a
//! campaign's day left, and `meydan audit verify` says what was done.

mod alive;
mod channel;
mod forger;
mod ground;
mod insider;
mod proofs;
