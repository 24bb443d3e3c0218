//! `meydan passwords`: how much work the hash of a password is on this machine.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use clap::Subcommand;
use identity::password::{Parameters, TARGET};

/// What may be done about passwords.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measures this machine, and prints the parameters of Argon2id with which a hash takes about 100 ms. Never less
    /// than 19 MiB and 2 passes. Says what each took that was tried. Run it while nothing else does.
    Tune {
        /// Writes them into the file of settings. They hold when the platform starts again.
        #[arg(long)]
        write: bool,
    },
}

/// Does what is asked; `config` is the file of settings that was named.
pub(crate) fn run(command: &Command, config: Option<&Path>) -> Result<()> {
    let Command::Tune { write } = command;
    let parameters = Parameters::fitting(|tried, took| {
        let (memory, passes) = (tried.memory() / 1024, tried.passes());
        eprintln!("meydan: {memory} MiB and {passes} passes take {} ms", took.as_millis());
    });
    let took = parameters.measure();
    let lines =
        [("password-memory", parameters.memory()), ("password-passes", parameters.passes())];
    for (key, value) in lines {
        println!("{key} = \"{value}\"");
    }
    eprintln!("meydan: one hash takes {} ms here", took.as_millis());
    if took > TARGET && parameters == Parameters::default() {
        eprintln!("meydan: this is the least; less work would be too easy to guess");
    }
    if *write {
        let path = config.unwrap_or(Path::new("meydan.toml"));
        let text = if path.exists() { fs::read_to_string(path) } else { Ok(String::new()) };
        let text = text.with_context(|| path.display().to_string())?;
        let text = lines.iter().fold(text, |text, (key, value)| set(&text, key, *value));
        fs::write(path, text).with_context(|| path.display().to_string())?;
        eprintln!("meydan: written to {}", path.display());
    }
    Ok(())
}

/// The settings with another value of a key; where it stands only as an example, that line becomes it.
fn set(text: &str, key: &str, value: u32) -> String {
    let line = format!("{key} = \"{value}\"");
    let is_key = |text: &str| {
        let rest = text.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let lines: Vec<&str> = text.lines().collect();
    let found = lines.iter().position(|line| is_key(line));
    let example = || lines.iter().position(|line| is_key(line.trim_start_matches(['#', ' '])));
    let mut lines: Vec<&str> = lines.clone();
    match found.or_else(example) {
        Some(at) => lines[at] = &line,
        None => lines.push(&line),
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::set;

    #[test]
    fn a_value_takes_the_place_of_the_old_one_or_of_the_example_and_nothing_else_changes() {
        let set = |text: &str| set(text, "password-passes", 3);

        assert_eq!(set(""), "password-passes = \"3\"\n");
        assert_eq!(set("listen = \"1\"\n"), "listen = \"1\"\npassword-passes = \"3\"\n");
        let both = "# password-passes = \"2\"\npassword-passes = 2\nlisten = \"1\"\n";
        let after = "# password-passes = \"2\"\npassword-passes = \"3\"\nlisten = \"1\"\n";
        assert_eq!(set(both), after);
        assert_eq!(set("#password-passes = \"2\"\n# a\n"), "password-passes = \"3\"\n# a\n");
        assert_eq!(
            set("password-passes-more = 1\n"),
            "password-passes-more = 1\npassword-passes = \"3\"\n"
        );
    }
}
