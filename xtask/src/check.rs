//! The rules of CONTRIBUTING.md that a program can judge.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::named::Named;

/// Most lines of a source file.
const LINES: usize = 400;

/// Judges every file that git knows, and says all that is wrong.
pub(crate) fn run() -> Result<()> {
    let files = files()?;
    let (mut wrong, mut named) = (Vec::new(), Named::default());
    for path in &files {
        let Ok(text) = fs::read_to_string(path) else { continue };
        named.read(path, &text);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => source(path, &text, &mut wrong),
            Some("md") => document(path, &text, &mut wrong),
            Some("html") => template(path, &text, &mut wrong),
            // A workspace's own manifest is what the others inherit from.
            _ if path.ends_with("Cargo.toml") && !text.contains("[workspace]\n") => {
                manifest(path, &text, &mut wrong);
            }
            _ => {}
        }
        everywhere(path, &text, &mut wrong);
    }
    orphans(&files, &mut wrong);
    named.judge(&mut wrong);
    ensure!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
    println!("xtask check: {} files keep the rules", files.len());
    Ok(())
}

fn files() -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("git is needed")?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().map(PathBuf::from).filter(|path| path.exists()).collect())
}

fn source(path: &Path, text: &str, wrong: &mut Vec<String>) {
    let here = path.display();
    if !text.starts_with("//!") {
        wrong.push(format!("{here}: has no //! header that says what it is"));
    }
    let lines = text.lines().count();
    if lines > LINES {
        wrong.push(format!("{here}: has {lines} lines, more than {LINES}"));
    }
    if path.file_name().is_some_and(|name| name == "mod.rs") {
        wrong.push(format!("{here}: modules are name.rs beside name/"));
    }
}

fn document(path: &Path, text: &str, wrong: &mut Vec<String>) {
    let here = path.display();
    if path == Path::new("ARCHITECTURE.md") && text.lines().count() >= 300 {
        wrong.push(format!("{here}: must stay under 300 lines"));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let target = link.split('#').next().unwrap_or_default();
        let elsewhere =
            target.is_empty() || target.contains("://") || target.starts_with("mailto:");
        if !elsewhere && !folder.join(target).exists() {
            wrong.push(format!("{here}: links to {target}, which is not there"));
        }
    }
}

/// The content security policy forbids all of these, so they would not work.
fn template(path: &Path, text: &str, wrong: &mut Vec<String>) {
    for forbidden in ["hx-on", " style=", "<style>", "<script>", " onclick=", "js:"] {
        if path.starts_with("web/templates") && text.contains(forbidden) {
            wrong.push(format!("{}: has `{forbidden}`, which the browser refuses", path.display()));
        }
    }
}

fn manifest(path: &Path, text: &str, wrong: &mut Vec<String>) {
    let here = path.display();
    if !text.contains("[lints]\nworkspace = true") {
        wrong.push(format!("{here}: does not inherit the workspace's lints"));
    }
    for line in text.lines() {
        let names_a_version = line.contains("version = \"") || line.contains(" = \"");
        let dependency = line.contains("version") && line.contains('{');
        if names_a_version && dependency {
            wrong.push(format!("{here}: versions belong into the workspace's manifest: {line}"));
        }
    }
}

/// Marks of unfinished work, and paths of one machine.
fn everywhere(path: &Path, text: &str, wrong: &mut Vec<String>) {
    if path.starts_with("xtask/src") || path.ends_with("package-lock.json") {
        return;
    }
    let marks = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["/ro", "ot/"].concat(),
        ["/ho", "me/"].concat(),
    ];
    for mark in marks {
        if let Some(line) = text.lines().position(|line| line.contains(&mark)) {
            wrong.push(format!("{}:{}: has `{mark}`", path.display(), line + 1));
        }
    }
}

/// Source files that no module names are compiled by nothing.
fn orphans(files: &[PathBuf], wrong: &mut Vec<String>) {
    let sources = files.iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    for path in sources {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let folder = path.parent().unwrap_or(Path::new(""));
        let root = ["lib", "main", "build"].contains(&name)
            || folder.ends_with("tests")
            || folder.ends_with("examples")
            || folder.ends_with("benches");
        if root {
            continue;
        }
        let owners = [folder.with_extension("rs"), folder.join("lib.rs"), folder.join("main.rs")];
        let named = owners.iter().filter_map(|owner| fs::read_to_string(owner).ok()).any(|text| {
            text.contains(&format!("mod {name};")) || text.contains(&format!("mod {name} "))
        });
        if !named {
            wrong.push(format!("{}: is in no module tree", path.display()));
        }
    }
}
