//! House rules as programs, and the upkeep of checked queries.
//!
//! `cargo xtask check` holds the tree to the rules of CONTRIBUTING.md; `cargo xtask sqlx` writes the offline
//! data of all queries anew from the migrations.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod check;
mod sqlx;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["check"] => check::run(),
        ["sqlx", packages @ ..] => sqlx::run(packages),
        _ => Err(anyhow::anyhow!("cargo xtask check | cargo xtask sqlx [folder…]")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
