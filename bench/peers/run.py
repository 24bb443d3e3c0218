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
import uuid
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
PATIENCE = 240


def options():
    names = [*LIMITS, *install.PEERS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each case takes at most")
    parser.add_argument("--payload", type=int, default=256, help="size of an event's text, in bytes")
    parser.add_argument("--aggregates", type=int, default=20_000, help="of ten events, there from the beginning")
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


def fresh(server, database, template="template0"):
    """A database anew; the checkpoint keeps what was before from reaching into what comes."""
    server.sql(f"DROP DATABASE IF EXISTS {database}",
               f"CREATE DATABASE {database} TEMPLATE {template} STRATEGY file_copy", "CHECKPOINT")
    return server.url(database)


def ask(peer, task, database, aggregates, clients, chosen):
    """Starts a peer's program; its lines, and why it failed when it did."""
    command, environment = install.PEERS[peer].command
    process = subprocess.Popen(
        [*command, task, "--database", database, "--aggregates", aggregates, "--clients", str(clients),
         "--seconds", str(chosen.seconds), "--payload", str(chosen.payload)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **environment},
        # A group of its own, so that its children end with it when it takes too long.
        start_new_session=True,
    )
    try:
        out, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, errors = process.communicate()
        errors += f"\ntook longer than {PATIENCE} s to {task}"
    lines = [json.loads(line) for line in out.splitlines()]
    if process.returncode:
        said = [line for line in errors.splitlines() if "rror" in line or "took longer" in line]
        why = "; ".join(said or errors.splitlines()[-1:]) or "no reason given"
        lines.append({"peer": peer, "clients": clients, "case": "failed", "why": why})
    return lines


def template(peer):
    return "made_" + peer.replace("-", "_")


def made(server, peer, chosen):
    """Gives a peer a database with a history to start from: tables that are nearly empty favour some stores and
    wrong others. What went wrong, if anything did."""
    aggregates = write_ids(server, "history", chosen.aggregates)
    lines = ask(peer, "make", fresh(server, template(peer)), aggregates, 64, chosen)
    server.sql("VACUUM ANALYZE", database=template(peer))
    return lines


def write_ids(server, name, count):
    path = server.folder / name
    if not path.exists():
        path.write_text("".join(f"{uuid.uuid4()}\n" for _ in range(count)))
    return path


def commands(server, peers, clients, chosen):
    """Commands with so many clients. Peers take turns, so that a noisy minute hits all of them."""
    for peer in chosen.only:
        if peer in LIMITS:
            fresh(server, "bench")
            yield from pgbench(server, peer, clients, chosen)
        elif peer in peers:
            database = fresh(server, "bench", template(peer))
            yield from ask(peer, "write", database, server.folder / "history", clients, chosen)


def reading(server, peers, chosen):
    """Replay and projection of 10,000 events."""
    for peer in peers:
        database, aggregates = fresh(server, "bench"), write_ids(server, "read", 1_000)
        failed = ask(peer, "make", database, aggregates, 64, chosen)
        server.sql("VACUUM ANALYZE", database="bench")
        yield from failed or ask(peer, "read", database, aggregates, 4, chosen)


def runs(server, chosen):
    """All lines of all runs, each with its disk."""
    peers = [peer for peer in chosen.only if peer not in LIMITS]
    for peer in list(peers):
        for line in made(server, peer, chosen):
            peers.remove(peer)
            yield {**line, "disk": "quiet"}
    for disk in chosen.disks:
        delay, siblings = DISKS[disk]
        server.sql(f"ALTER SYSTEM SET commit_delay = {delay}", f"ALTER SYSTEM SET commit_siblings = {siblings}",
                   "SELECT pg_reload_conf()")
        for clients in chosen.clients:
            for line in commands(server, peers, clients, chosen):
                yield {**line, "disk": disk}
        if disk == "quiet" and not chosen.no_read:
            for line in reading(server, peers, chosen):
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
