//! `scripts/need` on systems that lack something: what a person is told.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

/// A folder of programs, which are all that there are.
struct System(PathBuf);

impl System {
    /// With these programs: name, and what the shell does for it.
    fn with(name: &str, programs: &[(&str, &str)]) -> Self {
        let folder =
            std::env::temp_dir().join(format!("meydan-need-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("it can be made");
        for tool in ["env", "sort"] {
            symlink(Path::new("/usr/bin").join(tool), folder.join(tool)).expect("it can be linked");
        }
        let system = Self(folder);
        // Somebody who may install.
        system.add("id", "echo 0");
        for (program, does) in programs {
            system.add(program, does);
        }
        system
    }

    fn add(&self, program: &str, does: &str) {
        let path = self.0.join(program);
        fs::write(&path, format!("#!/bin/sh\n{does}\n")).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }

    /// Whether all is there, and the last line that was said.
    fn need(&self, programs: &[&str]) -> (bool, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/need");
        let output =
            Command::new("/bin/bash").arg(script).args(programs).env("PATH", &self.0).output();
        let output = output.expect("bash is there");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said.lines().last().unwrap_or_default().to_owned())
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_there_and_new_enough_is_not_spoken_of() {
    let system = System::with("all", &[("cc", ""), ("npm", ""), ("node", "echo v20.19.2")]);

    assert_eq!(system.need(&["cc", "node", "npm"]), (true, String::new()));
}

#[test]
fn a_missing_compiler_is_named_with_what_apt_says_of_it() {
    let apt = "echo 'Reading lists'; echo 'E: Unable to locate package gcc' >&2; exit 100";
    let system = System::with("cc", &[("apt-get", apt)]);

    let (there, said) = system.need(&["cc"]);

    assert!(!there);
    assert!(said.contains("type: sudo apt-get install gcc libc6-dev"), "{said}");
    assert!(said.ends_with("(apt: E: Unable to locate package gcc)"), "{said}");
}

#[test]
fn a_node_that_is_too_old_is_named_with_its_version() {
    let system = System::with("node", &[("node", "echo v18.20.4")]);

    let (there, said) = system.need(&["node"]);

    assert!(!there && said.contains("Node 18.20.4 is too old; 20 or newer is needed"), "{said}");
}
