"""What the figures of `make bench-peers` say: tables, the ratio of each peer to ours, and the bars."""

import os
import platform
import subprocess
import sys
from datetime import date

OURS = "meydan"
LIMIT = "pgbench-1"
NAMES = {"pgbench-1": "pgbench, 1 row", "pgbench-100": "pgbench, 100 rows a statement"}
CASES = {
    "fresh": "new aggregate",
    "existing": "10 events, nothing in memory",
    "again": "the same aggregates again",
}


def machine(server, chosen):
    """The machine, the versions and the command, in a few lines."""
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(file.readline().split()[1]) / 2**20
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    said = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout
    return (
        f"Machine: {os.cpu_count()} cores ({platform.machine()}, {(models or ['unknown'])[0]}), {memory:.0f} GiB, "
        f"Linux {platform.release()}, PostgreSQL {server.sql('SHOW server_version')}, {said.strip()}, release builds, "
        f"Python {platform.python_version()}, {date.today()}. A flush of the disk takes {server.flush():.0f} µs; "
        f"load average {os.getloadavg()[0]:.1f} when it began. Command: `scripts/bench-peers "
        f"{' '.join(sys.argv[1:])}`".rstrip() + ".\n".replace(" `.", "`.")
    )


def told(line):
    """A line for who is waiting."""
    what = f"{line['disk']:6} {line['peer']:22} {line['clients']:4} {line['case']:11}"
    if line["case"] == "failed":
        return f"{what} {line['why']}"
    if "commands_per_s" in line:
        failed = f", {line['failed']} failed" if line.get("failed") else ""
        return f"{what} {line['commands_per_s']:8.0f}/s p50 {line['p50_ms']:7.2f} p99 {line['p99_ms']:7.2f} ms{failed}"
    if "events_per_s" in line:
        return f"{what} {line['events_per_s']:8.0f} events/s{missed(line)}"
    return f"{what} {line['events']:8} events, as acknowledged"


def missed(line):
    return f", {line['missed']} missed" if line.get("missed") else ""


def of_clients(count):
    return f"{count} client{'s' if count > 1 else ''}"


def table(head, rows):
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows]) + "\n"


class Figures:
    """The lines by disk, case, peer and number of clients."""

    def __init__(self, lines):
        self.lines = {(line["disk"], line["case"], line["peer"], line["clients"]): line for line in lines}
        self.peers = list(dict.fromkeys(line["peer"] for line in lines))
        self.clients = sorted({line["clients"] for line in lines if "commands_per_s" in line})
        self.disks = list(dict.fromkeys(line["disk"] for line in lines if "commands_per_s" in line))
        self.versions = {line["peer"]: line["version"] for line in lines if "version" in line}

    def rate(self, disk, case, peer, clients):
        line = self.lines.get((disk, case, peer, clients))
        return line["commands_per_s"] if line else None

    def name(self, peer):
        return f"{NAMES.get(peer, peer)} {self.versions.get(peer, '')}".strip()

    def rivals(self):
        return [peer for peer in self.peers if peer != OURS and peer not in NAMES]

    def heads(self):
        return [of_clients(count) for count in self.clients]

    def cell(self, disk, case, peer, clients):
        line = self.lines.get((disk, case, peer, clients))
        if not line:
            return "–"
        failed = f" ({line['failed']} failed)" if line.get("failed") else ""
        return f"{line['commands_per_s']:,.0f} · {line['p50_ms']:.1f} · {line['p99_ms']:.1f}{failed}"

    def table(self, disk, case):
        peers = [peer for peer in self.peers if any((disk, case, peer, count) in self.lines for count in self.clients)]
        rows = [[self.name(peer), *[self.cell(disk, case, peer, count) for count in self.clients]] for peer in peers]
        return table(["a second · p50 ms · p99 ms", *self.heads()], rows)

    def ratios(self, disk):
        """How many commands of ours there are to one of each peer's."""
        rows = []
        for case, words in CASES.items():
            for peer in [name for name in self.peers if name != OURS]:
                mine = [self.rate(disk, case, OURS, count) for count in self.clients]
                theirs = [self.rate(disk, case, peer, count) for count in self.clients]
                cells = [f"{one / other:.2f}" if one and other else "–" for one, other in zip(mine, theirs)]
                if any(cell != "–" for cell in cells):
                    rows.append([f"{self.name(peer)}, {words}", *cells])
        return table(["ours to", *self.heads()], rows)

    def reading(self):
        rows = []
        for peer in self.peers:
            found = {line["case"]: line for line in self.lines.values() if line["peer"] == peer}
            cells = [found.get(case) for case in ("replay", "projection")]
            if any(cells):
                rows.append([self.name(peer), *[f"{one['events_per_s']:,.0f}{missed(one)}" if one else "–" for one in cells]])
        return table(["events a second", "replay", "projection"], rows) if rows else ""


def bars(figures):
    """Each bar with what was measured, for those whose figures are there."""
    def ours(case, clients):
        return figures.rate("quiet", case, OURS, clients)

    found = []

    def bar(words, value, least, form="{:,.2f}"):
        if value is not None:
            found.append([words, form.format(value), "kept" if value >= least else "missed"])

    for clients, least in ((64, 20_000), (256, 35_000)):
        bar(f"at least {least:,} commands a second, {clients} clients", ours("fresh", clients), least, "{:,.0f}")
    slow = figures.lines.get(("quiet", "fresh", OURS, 64))
    if slow:
        found.append(["p99 at most 10 ms, 64 clients", f"{slow['p99_ms']:.1f} ms", "kept" if slow["p99_ms"] <= 10 else "missed"])
    for clients, least in ((64, 20_000), (256, 35_000)):
        bar(f"two thirds of that on aggregates of 10 events, {clients} clients: {least * 2 / 3:,.0f}",
            ours("existing", clients), least * 2 / 3, "{:,.0f}")
    def nearest(case, clients):
        """How many commands of ours there are to one of the peer's that comes nearest, and who that is."""
        rates = [(figures.rate("quiet", case, peer, clients), figures.name(peer)) for peer in figures.rivals()]
        most, name = max((one for one in rates if one[0]), default=(None, None))
        return (ours(case, clients) / most, name) if most and ours(case, clients) else (None, None)

    bar("not slower than the fastest peer, 1 client", nearest("fresh", 1)[0], 1)
    for clients in (64, 256):
        bar(f"5 times every peer, {clients} clients", nearest("fresh", clients)[0], 5)
    for case in ("existing", "again"):
        for clients in (1, 64, 256):
            times, name = nearest(case, clients)
            if times:
                found.append([f"beside it: {CASES[case]}, {of_clients(clients)}", f"{times:.2f} times {name}", "no bar"])
    for clients, least in ((1, 0.7), (16, 0.7), (64, 1), (256, 1)):
        bare = figures.rate("quiet", "fresh", LIMIT, clients)
        if bare and ours("fresh", clients):
            bar(f"{least} of pgbench's single rows, {of_clients(clients)}", ours("fresh", clients) / bare, least)
    return "| bar | measured | |\n|---|---|---|\n" + "".join(f"| {' | '.join(row)} |\n" for row in found)


def markdown(about, lines):
    """The whole report."""
    figures = Figures(lines)
    parts = [about]
    for disk in figures.disks:
        parts.append(f"### Commands, {'the disk as it is' if disk == 'quiet' else f'flushes of {disk}'}\n")
        for case, words in CASES.items():
            parts += [f"{words.capitalize()}:\n", figures.table(disk, case)]
        parts += ["Ours to each of them:\n", figures.ratios(disk)]
    if figures.reading():
        parts += ["### Reading\n", figures.reading()]
    if ("quiet" in figures.disks) and OURS in figures.peers:
        parts += ["### Against the bars\n", bars(figures)]
    failed = [f"- {line['peer']}, {line['clients']} clients, {line['disk']}: {line['why']}\n" for line in lines if line["case"] == "failed"]
    if failed:
        parts += ["### Not measured\n", "".join(failed)]
    return "\n".join(parts)
