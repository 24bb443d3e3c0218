"""The bare limits: pgbench, inserting rows of an event's size, one or a hundred in a statement."""

import math
import re
import subprocess
import tempfile
from pathlib import Path

from server import CONNECTIONS

ROWS = {"pgbench-1": 1, "pgbench-100": 100}


def pgbench(server, limit, clients, chosen):
    """Warms up, then runs; one line of figures. Transactions count, whatever their rows."""
    if clients > CONNECTIONS - 10:
        raise SystemExit(f"bench-peers: pgbench wants a connection for each of {clients} clients")
    server.sql("CREATE TABLE bare (id bigserial PRIMARY KEY, payload text NOT NULL)", database="bench")
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "insert.sql"
        values = ", ".join(["(:payload)"] * ROWS[limit])
        script.write_text(f"INSERT INTO bare (payload) VALUES {values};\n")
        payload = ("0123456789abcdef" * chosen.payload)[: chosen.payload]
        command = [
            server.programs / "pgbench", "--no-vacuum", "--protocol=prepared", "--jobs=2", f"--client={clients}",
            f"--file={script}", f"--define=payload={payload}",
        ]
        # pgbench counts connecting as time: warming up, a few rows for each client, tells how long that takes.
        connecting, _ = run(server, [*command, "--transactions=10"])
        # Twice, for it varies; what is left over makes the measurement longer, not wrong.
        seconds = math.ceil(chosen.seconds + 2 * connecting)
        _, rate = run(server, [*command, f"--time={seconds}", "--log", f"--log-prefix={folder}/log"])
        # client, transaction, time in microseconds, …
        times = sorted(
            int(line.split()[2]) / 1e3
            for file in Path(folder).glob("log*")
            for line in file.read_text().splitlines()
        )
    figures = {"commands": len(times), "commands_per_s": rate, "p50_ms": at(times, 0.5), "p99_ms": at(times, 0.99)}
    version = server.sql("SHOW server_version")
    return [{"peer": limit, "version": version, "clients": clients, "case": "fresh", **figures}]


def run(server, command):
    """Runs pgbench; how long connecting took, in seconds, and transactions a second once connected."""
    done = subprocess.run([*command, server.url("bench")], capture_output=True, text=True,
                          check=False)
    connecting = re.search(r"initial connection time = ([\d.]+) ms", done.stdout)
    rate = re.search(r"tps = ([\d.]+) \(without initial connection time\)", done.stdout)
    if done.returncode or not connecting or not rate:
        raise SystemExit(f"bench-peers: pgbench fails: {done.stdout}{done.stderr}")
    return float(connecting.group(1)) / 1e3, float(rate.group(1))


def at(times, part):
    """The time within which this part was done: nearest rank."""
    return times[max(0, math.ceil(len(times) * part) - 1)] if times else 0.0
