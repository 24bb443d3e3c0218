//! House rules as programs, and the upkeep of checked queries.
//!
//! `cargo xtask check` holds the tree to the rules of CONTRIBUTING.md; `cargo xtask sqlx` writes the offline
//! data of all queries anew from the migrations, and `cargo xtask sqlx --check` says whether that is needed.
//! `cargo xtask passwords` makes the list of passwords that nobody may choose.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod check;
mod named;
mod passwords;
mod sqlx;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["check"] => check::run(),
        ["sqlx", "--check", folders @ ..] => sqlx::run(sqlx::Mode::Check, folders),
        ["sqlx", folders @ ..] => sqlx::run(sqlx::Mode::Write, folders),
        ["passwords", list] => passwords::run(list),
        _ => Err(anyhow::anyhow!(
            "cargo xtask check | cargo xtask sqlx [--check] [folder…] | cargo xtask passwords LIST"
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
