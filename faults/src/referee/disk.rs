//! A small disk that can be filled: a file system in memory.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Mounted as long as it lives.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Mounts a disk of so many megabytes at `path`, which only root may.
    pub(super) fn mount(path: &Path, megabytes: u32) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let size = format!("size={megabytes}m,mode=755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(path)
            .stderr(Stdio::null())
            .status()?;
        if mounted.success() {
            Ok(Self { path: path.to_owned() })
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }

    /// Takes all room, to the last block.
    pub(super) fn fill(&self) -> io::Result<()> {
        let mut ballast = File::create(self.ballast())?;
        let piece = vec![0; 64 * 1024];
        loop {
            match ballast.write_all(&piece) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the room back.
    pub(super) fn make_room(&self) -> io::Result<()> {
        fs::remove_file(self.ballast())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server may be on its way out.
        let _ = Command::new("umount").arg("-l").arg(&self.path).stderr(Stdio::null()).status();
    }
}
