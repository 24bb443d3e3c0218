"""`make bench-peers`: the event log beside its peers, in one PostgreSQL, on this machine, in this run.

Installs the peers below .meydan/peers, runs each with 1, 16, 64 and 256 clients in a database of its own, on
the disk as it is and on one whose flushes take 2 ms, and writes target/bench-peers.md (tables, ratios, bars)
and target/bench-peers.jsonl (every figure).
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import install
import report
from pgbench import pgbench
from server import ROOT, Server

LIMITS = ["pgbench-1", "pgbench-100"]
DISKS = {
    "quiet": ("0", "5"),
    # Every flush waits 2 ms, whoever else commits: an everyday network disk.
    "2 ms": ("2000", "0"),
}
# Longer than any run takes that goes well.
PATIENCE = 120


def options():
    names = [*LIMITS, *install.PEERS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each case takes at most")
    parser.add_argument("--payload", type=int, default=256, help="size of an event's text, in bytes")
    parser.add_argument("--clients", type=numbers, default=[1, 16, 64, 256], help="for instance 1,64")
    parser.add_argument("--disks", type=words, default=list(DISKS), help=f"of {', '.join(DISKS)}")
    parser.add_argument("--only", type=words, default=names, help=f"of {', '.join(names)}")
    parser.add_argument("--no-read", action="store_true", help="leaves replay and projection out")
    chosen = parser.parse_args()
    for word in [*set(chosen.only) - set(names), *set(chosen.disks) - set(DISKS)]:
        parser.error(f"{word} is not known")
    return chosen


def words(text):
    return [word.strip() for word in text.split(",")]


def numbers(text):
    return [int(word) for word in words(text)]


def measure(server, peer, clients, chosen, *more):
    """Runs a peer in a database of its own; its lines."""
    server.sql("DROP DATABASE IF EXISTS bench", "CREATE DATABASE bench", "CHECKPOINT")
    if peer in LIMITS:
        return pgbench(server, peer, clients, chosen)
    command, environment = install.PEERS[peer].command
    process = subprocess.Popen(
        [*command, "--database", server.url("bench"), "--clients", str(clients), "--seconds", str(chosen.seconds),
         "--payload", str(chosen.payload), *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **environment},
        # A group of its own, so that its children end with it when it takes too long.
        start_new_session=True,
    )
    try:
        out, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, errors = process.communicate()
        errors += f"took longer than {PATIENCE} s"
    lines = [json.loads(line) for line in out.splitlines()]
    if process.returncode:
        why = (errors.strip().splitlines() or ["no reason given"])[-1]
        lines.append({"peer": peer, "clients": clients, "case": "failed", "why": why})
    return lines


def runs(server, chosen):
    """All lines of all runs, each with its disk. Peers take turns, so that a noisy minute hits all of them."""
    for disk in chosen.disks:
        delay, siblings = DISKS[disk]
        server.sql(f"ALTER SYSTEM SET commit_delay = {delay}", f"ALTER SYSTEM SET commit_siblings = {siblings}",
                   "SELECT pg_reload_conf()")
        for clients in chosen.clients:
            for peer in chosen.only:
                for line in measure(server, peer, clients, chosen):
                    yield {**line, "disk": disk}
        if disk == "quiet" and not chosen.no_read:
            for peer in (name for name in chosen.only if name not in LIMITS):
                for line in measure(server, peer, 4, chosen, "--read"):
                    yield {**line, "disk": disk}


def main():
    chosen = options()
    # Ends in order when told to, so that the server does not stay behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench-peers: told to end"))
    for peer in chosen.only:
        if peer not in LIMITS:
            install.PEERS[peer].install()
    Path(ROOT / "target").mkdir(exist_ok=True)
    lines = []
    with Server() as server, open(ROOT / "target/bench-peers.jsonl", "w", encoding="utf-8") as raw:
        machine = report.machine(server, chosen)
        for line in runs(server, chosen):
            lines.append(line)
            raw.write(json.dumps(line) + "\n")
            raw.flush()
            print(report.told(line), file=sys.stderr)
    text = report.markdown(machine, lines)
    (ROOT / "target/bench-peers.md").write_text(text, encoding="utf-8")
    print(text)
    if any(line["case"] == "failed" for line in lines):
        sys.exit("bench-peers: not everything could be measured; see above")


if __name__ == "__main__":
    main()
