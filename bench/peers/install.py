"""The peers: where each comes from, how it is put below .meydan/peers, and how it is started.

Nothing of theirs is in this repository but names, versions and checksums.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from server import ROOT

HERE = Path(__file__).resolve().parent
TO = ROOT / ".meydan/peers"


def run(*arguments, cwd=ROOT):
    print(f"bench-peers: {' '.join(str(one) for one in arguments)}", file=sys.stderr)
    subprocess.run(arguments, cwd=cwd, check=True, stdout=sys.stderr)


class Ours:
    """The event log of the platform."""

    command = ([ROOT / "target/release/bench", "log"], {})

    @staticmethod
    def install():
        run("cargo", "build", "--release", "--locked", "--package", "bench")


class Crate:
    """A peer from crates.io. All are built together: alone, each would have its dependencies built anew."""

    def __init__(self, package):
        self.command = ([TO / "cargo/release" / package], {})

    @staticmethod
    @functools.cache
    def install():
        run("cargo", "build", "--release", "--locked", "--workspace", "--manifest-path", HERE / "Cargo.toml",
            "--target-dir", TO / "cargo")


class Folder:
    """A peer that is installed into a folder, once for each content of its list of packages."""

    def __init__(self, name, packages, command, environment):
        self.source, self.folder, self.packages = HERE / name, TO / name, packages
        self.command = (command, environment)

    def install(self):
        stamp = self.folder / "stamp"
        wanted = hashlib.sha256((self.source / self.packages).read_bytes()).hexdigest()
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self.fill()
            stamp.write_text(wanted)


class Eventsourcing(Folder):
    """A peer from PyPI."""

    def __init__(self):
        command = [sys.executable, HERE / "eventsourcing/peer.py"]
        packages = {"PYTHONPATH": str(TO / "eventsourcing"), "PYTHONDONTWRITEBYTECODE": "1"}
        super().__init__("eventsourcing", "requirements.txt", command, packages)

    def fill(self):
        run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
            "--only-binary", ":all:", "--target", self.folder, "--requirement", self.source / self.packages)


class Emmett(Folder):
    """A peer from npm. Node looks for packages beside the program, so the program goes there too."""

    def __init__(self):
        super().__init__("emmett", "package-lock.json", ["node", TO / "emmett/peer.mjs"], {})

    def install(self):
        super().install()
        shutil.copy(self.source / "peer.mjs", self.folder)

    def fill(self):
        for name in ("package.json", self.packages):
            shutil.copy(self.source / name, self.folder)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", cwd=self.folder)


os.environ.setdefault("CARGO_TERM_QUIET", "true")
PEERS = {
    "meydan": Ours(),
    "postgres-es": Crate("peer-postgres-es"),
    "mire": Crate("peer-mire"),
    "disintegrate-postgres": Crate("peer-disintegrate"),
    "eventsourcing": Eventsourcing(),
    "emmett-postgresql": Emmett(),
}
