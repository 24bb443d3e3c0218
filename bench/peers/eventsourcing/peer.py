"""eventsourcing 9.5 under the yardstick of bench/measure, whose course this follows: an application whose
repository loads the aggregate, a method that decides, and `save`.

The database functions of the library are on (`POSTGRES_ENABLE_DB_FUNCTIONS`): that is its fastest way to
append. Python runs one thread at a time, so the clients are spread over as many processes as there are
processors.
"""

import argparse
import json
import multiprocessing
import os
import queue
import sys
import threading
import time
from collections import namedtuple
from importlib.metadata import version
from multiprocessing.connection import wait
from pathlib import Path
from urllib.parse import unquote, urlparse
from uuid import UUID, uuid4

import psycopg
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL

BEFORE = 10
MAKERS = 64
PATIENCE = 60
SECTION = 1_000

# What clients do: kind is fresh, once or round; `events` go into each command.
Work = namedtuple("Work", "kind aggregates events size")
# What came of it.
Figures = namedtuple("Figures", "times seconds failed events")


class Full(Exception):
    """The notebook is full."""


class Notebook(Aggregate):
    """Takes notes, at most a million."""

    class Opened(Aggregate.Created):
        text: str

    def __init__(self, text):
        self.notes = 1

    @classmethod
    def open(cls, identifier, text):
        return cls._create(cls.Opened, originator_id=identifier, text=text)

    def take(self, text):
        if self.notes >= 1_000_000:
            raise Full
        self.noted(text)

    @event("Noted")
    def noted(self, text):
        self.notes += 1


class Notebooks(Application):
    """The application: one command, with one event for each text."""

    def execute(self, identifier, texts):
        try:
            notebook = self.repository.get(identifier)
        except AggregateNotFoundError:
            notebook, texts = Notebook.open(identifier, texts[0]), texts[1:]
        for text in texts:
            notebook.take(text)
        self.save(notebook)


class TotalsView(PostgresTrackingRecorder):
    """The read model: how many events each notebook has."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.sql_create_statements.append(
            SQL("CREATE TABLE IF NOT EXISTS totals (id uuid PRIMARY KEY, events bigint NOT NULL)")
        )

    def count(self, identifier, tracking):
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "INSERT INTO totals AS t (id, events) VALUES (%s, 1) "
                "ON CONFLICT (id) DO UPDATE SET events = t.events + 1",
                (identifier,),
            )


class Totals(Projection[TotalsView]):
    """Fills the read model."""

    @singledispatchmethod
    def process_event(self, domain_event, tracking):
        self.view.count(domain_event.originator_id, tracking)


def environment(options, connections, creating="n"):
    """How the application reaches its database. Only one of them makes tables: two at once would collide."""
    url = urlparse(options.database)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": url.path.lstrip("/"),
        "POSTGRES_HOST": url.hostname,
        "POSTGRES_PORT": str(url.port),
        "POSTGRES_USER": unquote(url.username),
        "POSTGRES_PASSWORD": unquote(url.password),
        "POSTGRES_POOL_SIZE": str(connections),
        "POSTGRES_MAX_OVERFLOW": "0",
        "POSTGRES_CONNECT_TIMEOUT": "60",
        "POSTGRES_ENABLE_DB_FUNCTIONS": "y",
        "CREATE_TABLE": creating,
    }


def draw(size):
    """A text of so many bytes that is no other's."""
    return os.urandom((size + 1) // 2).hex()[:size]


def commands(work, mine, step):
    """The commands of one client among `step`."""
    at = mine
    while True:
        if work.kind == "fresh":
            aggregate = uuid4()
        elif work.kind == "once" and at >= len(work.aggregates):
            return
        else:
            aggregate = work.aggregates[at % len(work.aggregates)]
        at += step
        yield aggregate, [draw(work.size) for _ in range(work.events)]


def client(app, work, span, mine, step, barrier, outcomes):
    """Sends a command as soon as the one before is answered."""
    times, failures = [], []
    barrier.wait()
    began = time.monotonic()
    for aggregate, texts in commands(work, mine, step):
        asked = time.monotonic()
        if asked - began >= span:
            break
        try:
            app.execute(aggregate, texts)
            times.append(time.monotonic() - asked)
        except Exception as error:  # noqa: BLE001 - whatever the peer throws is a failed command
            failures.append(repr(error))
    outcomes.put((began, time.monotonic(), times, failures))


def process(options, clients, work, warm, span, part, barrier, result):
    """The clients of one processor: warms up, then runs the load."""
    mine = range(part, clients, processors(clients))
    connections = min(len(mine), max(1, 64 // processors(clients)))
    with Notebooks(environment(options, connections)) as app:
        outcomes = queue.SimpleQueue()

        def run(what, seconds):
            threads = [
                threading.Thread(target=client, args=(app, what, seconds, index, clients, barrier, outcomes))
                for index in mine
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return [outcomes.get() for _ in threads]

        warmed = run(Work("fresh", (), 1, options.payload), warm)
        result.send((sum(len(one[2]) for one in warmed), run(work, span)))


def processors(clients):
    return min(clients, os.cpu_count() or 1)


def answer(child, mine):
    """What a process has to say; the end of everything when it ends without a word."""
    wait([child.sentinel, mine])
    if not mine.poll():
        sys.exit(f"a process of the peer ended with {child.exitcode}")
    return mine.recv()


def closed(options, clients, work, warm, span):
    """Runs a load in processes of its own, which remember nothing; also how many events warming up wrote."""
    # Not forked: the pools of this process have threads, whose locks a fork would copy as they stand.
    context = multiprocessing.get_context("spawn")
    barrier, children = context.Barrier(clients), []
    for part in range(processors(clients)):
        mine, theirs = context.Pipe(duplex=False)
        arguments = (options, clients, work, warm, span, part, barrier, theirs)
        child = context.Process(target=process, args=arguments, daemon=True)
        child.start()
        children.append((child, mine))
    answers = [answer(child, mine) for child, mine in children]
    for child, _ in children:
        child.join()
    outcomes = [one for _, parts in answers for one in parts]
    times = sorted(took for one in outcomes for took in one[2])
    failures = [failure for one in outcomes for failure in one[3]]
    seconds = max(one[1] for one in outcomes) - min(one[0] for one in outcomes)
    if len(failures) > len(times) / 10:
        sys.exit(f"most commands fail: {failures[0]}")
    warmed = sum(count for count, _ in answers)
    return warmed, Figures(times, seconds, len(failures), len(times) * work.events)


def at(times, part):
    """The time within which this part of the commands was answered, in milliseconds: nearest rank."""
    return times[max(0, -int(-len(times) * part // 1) - 1)] * 1e3 if times else 0.0


def tell(options, case, **figures):
    line = {"peer": "eventsourcing", "version": version("eventsourcing"), "clients": options.clients}
    print(json.dumps({**line, "case": case, **figures}), flush=True)


def tell_figures(options, case, figures):
    tell(
        options,
        case,
        commands=len(figures.times),
        failed=figures.failed,
        seconds=figures.seconds,
        commands_per_s=len(figures.times) / figures.seconds,
        p50_ms=at(figures.times, 0.5),
        p99_ms=at(figures.times, 0.99),
    )


def make(options, aggregates):
    """Makes the tables, and gives each aggregate its first events."""
    with Notebooks(environment(options, 1, "y")):
        pass  # the tables are made
    work = Work("once", aggregates, BEFORE, options.payload)
    _, made = closed(options, MAKERS, work, 0, float("inf"))
    if len(made.times) != len(aggregates):
        sys.exit(f"only {len(made.times)} of {len(aggregates)} aggregates were made")
    if stored(options) != made.events:
        sys.exit(f"{len(aggregates)} aggregates were made of {stored(options)} events")


def stored(options):
    with psycopg.connect(options.database) as connection:
        return connection.execute("SELECT count(*) FROM notebooks_events").fetchone()[0]


def write(options, aggregates):
    """Times commands: on new aggregates, on old ones, on those again."""
    clients, size, span = options.clients, options.payload, options.seconds
    before, written = stored(options), 0
    works = {
        "fresh": Work("fresh", (), 1, size),
        "existing": Work("once", aggregates, 1, size),
        "again": Work("round", aggregates, 1, size),
    }
    for case, work in works.items():
        warmed, figures = closed(options, clients, work, span / 4, span)
        tell_figures(options, case, figures)
        written += warmed + figures.events
        if case == "existing":
            # A multiple, so that no two clients meet at one aggregate.
            met = aggregates[: max(len(figures.times) // clients, 1) * clients]
            works["again"] = Work("round", met, 1, size)
    now = stored(options) - before
    if now != written:
        sys.exit(f"{written} events were acknowledged, and {now} are stored")
    tell(options, "stored", events=written)


def read(options):
    """Times replay and projection."""
    made = stored(options)
    with Notebooks(environment(options, 4)) as app:
        began, seen = time.monotonic(), 0
        while time.monotonic() - began < 1:
            start, now = 1, 0
            while page := app.recorder.select_notifications(start=start, limit=SECTION):
                for notification in page:
                    app.mapper.to_domain_event(notification)
                start, now = page[-1].id + 1, now + len(page)
            seen, missed = seen + now, made - now
        took = time.monotonic() - began
        tell(options, "replay", events=seen, missed=missed, events_per_s=seen / took)
        last = app.recorder.max_notification_id()
    began = time.monotonic()
    with ProjectionRunner(
        application_class=Notebooks,
        projection_class=Totals,
        view_class=TotalsView,
        env=environment(options, 4, "y"),
    ) as runner:
        runner.wait(last, timeout=PATIENCE)
    took = time.monotonic() - began
    with psycopg.connect(options.database) as connection:
        total = int(connection.execute("SELECT sum(events) FROM totals").fetchone()[0])
    tell(options, "projection", events=total, missed=made - total, events_per_s=total / took)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["make", "write", "read"])
    parser.add_argument("--database", required=True)
    parser.add_argument("--aggregates", type=Path, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--payload", type=int, default=256)
    options = parser.parse_args()
    aggregates = [UUID(line) for line in options.aggregates.read_text().split()]
    if options.task == "make":
        make(options, aggregates)
    elif options.task == "write":
        write(options, aggregates)
    else:
        read(options)


if __name__ == "__main__":
    main()
