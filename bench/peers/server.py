"""A PostgreSQL of the benchmark's own, made and set as the platform makes and sets its own.

The settings are read from where the platform keeps them, so that they cannot differ; only the number of
connections is higher, because pgbench takes one for each client.
"""

import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / ".meydan/runtime"
PLATFORM = ROOT / "crates/runtime/src/local/postgres.rs"
CONNECTIONS = 400
PATIENCE = 30


def listed(name):
    """The strings of a constant of the platform."""
    found = re.search(rf"const {name}: &\[&str\] = &\[(.*?)\];", PLATFORM.read_text(), re.S)
    strings = re.findall(r'^\s*"([^"]*)",?$', found.group(1), re.M) if found else []
    if not strings:
        raise SystemExit(f"bench-peers: {PLATFORM} has no {name} any more")
    return strings


def is_open(path):
    """Whether everybody may enter the folder and all above it."""
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents])


class Server:
    """Runs between `with` and its end, and takes its data with it."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="meydan-bench-"))
        self.folder.chmod(0o755)
        self.data, self.password = self.folder / "data", secrets.token_hex(24)
        self.user = self.somebody()
        self.programs = self.reachable() / "postgres/pginstall/bin"
        self.process = None
        try:
            self.make()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def somebody():
        """PostgreSQL refuses to run as root: the user whom it becomes then."""
        if os.geteuid() != 0:
            return None
        names = {one.pw_name: one for one in pwd.getpwall()}
        return names.get("meydan") or names["nobody"]

    def reachable(self):
        """Where the programs are that this user may start."""
        if self.user is None or is_open(PROGRAMS):
            return PROGRAMS
        copy = self.folder / "runtime"
        shutil.copytree(PROGRAMS, copy, symlinks=True)
        return copy

    def become(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid} if self.user else {}

    def make(self):
        self.data.mkdir()
        initial = self.folder / "password"
        initial.touch(mode=0o600)
        initial.write_text(self.password)
        if self.user:
            for path in (self.data, initial):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        made = subprocess.run(
            [self.programs / "initdb", f"--pgdata={self.data}", f"--pwfile={initial}", *listed("CLUSTER")],
            capture_output=True, text=True, cwd="/", check=False, **self.become(),
        )
        if made.returncode:
            raise SystemExit(f"bench-peers: the database cannot be made: {made.stderr}")
        initial.unlink()

    def start(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = [*listed("SETTINGS"), f"max_connections={CONNECTIONS}", f"port={self.port}"]
        arguments = [part for setting in settings for part in ("-c", setting)]
        log = open(self.folder / "postgres.log", "wb")  # noqa: SIM115 - the server holds it
        self.process = subprocess.Popen(
            [self.programs / "postgres", "-D", self.data, *arguments],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True, **self.become(),
        )
        until = time.monotonic() + PATIENCE
        probe = [self.programs / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
        while subprocess.run(probe, check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"bench-peers: PostgreSQL does not start: {(self.folder / 'postgres.log').read_text()}")
            time.sleep(0.1)

    def url(self, database="postgres"):
        return f"postgres://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def sql(self, *statements, database="postgres"):
        """Runs statements, each on its own; what the last one said."""
        for statement in statements:
            answer = subprocess.run(
                [self.programs / "psql", "--quiet", "--no-psqlrc", "--tuples-only", "--no-align",
                 "--set=ON_ERROR_STOP=1", "--dbname", self.url(database), "--command", statement],
                capture_output=True, text=True, check=True,
            )
        return answer.stdout.strip()

    def flush(self):
        """The median time of a flush of this disk, in microseconds, the way PostgreSQL flushes its log."""
        took = []
        with open(self.folder / "flush", "wb", buffering=0) as file:
            file.write(bytes(8192 * 64))
            for _ in range(200):
                file.seek(0)
                file.write(os.urandom(8192))
                began = time.perf_counter()
                os.fdatasync(file.fileno())
                took.append(time.perf_counter() - began)
        (self.folder / "flush").unlink()
        return sorted(took)[len(took) // 2] * 1e6
