// @event-driven-io/emmett-postgresql 0.42 under the yardstick of bench/measure, whose course this follows:
// `CommandHandler` loads the stream, folds it, decides and appends; the read model is a batch projection of a
// consumer.
//
// Node runs one thread, so the clients are spread over as many processes as there are processors.

import { fork } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { dumbo, rawSql, sql } from "@event-driven-io/dumbo";
import { CommandHandler } from "@event-driven-io/emmett";
import {
  getPostgreSQLEventStore,
  postgreSQLRawBatchSQLProjection,
  readMessagesBatch,
} from "@event-driven-io/emmett-postgresql";
import pg from "pg";

const VERSION = "0.42.0";
const BEFORE = 10;
const MAKERS = 64;
const PAGE = 1_000;

/** Seconds of a clock that all processes share. */
const now = () => Number(process.hrtime.bigint()) / 1e9;

/** A text of so many bytes that is no other's. */
const draw = (size) => randomBytes(Math.ceil(size / 2)).toString("hex").slice(0, size);

const take = CommandHandler({
  initialState: () => ({ notes: 0 }),
  evolve: (_, event) => ({ notes: event.data.number }),
});

/** Carries out a command with one event for each text. */
const execute = (store, aggregate, texts) =>
  take(store, `notebook-${aggregate}`, ({ notes }) => {
    if (notes >= 1_000_000) throw new Error("the notebook is full");
    return texts.map((text, index) => ({ type: "Noted", data: { number: notes + 1 + index, text } }));
  });

const open = (database, connections, autoMigration = "None") => {
  const pool = new pg.Pool({ connectionString: database, max: connections });
  return { pool, store: getPostgreSQLEventStore(database, { connectionOptions: { pool }, schema: { autoMigration } }) };
};

/** The command of a client with this number, or nothing when there is no work left. */
const command = (work, number) => {
  const texts = Array.from({ length: work.events }, () => draw(work.size));
  if (work.kind === "fresh") return [randomUUID(), texts];
  if (work.kind === "once" && number >= work.aggregates.length) return undefined;
  return [work.aggregates[number % work.aggregates.length], texts];
};

/** One client among `step`: sends a command as soon as the one before is answered. */
const client = async (store, work, span, mine, step) => {
  const [began, times, failures] = [now(), [], []];
  for (let number = mine; now() - began < span; number += step) {
    const next = command(work, number);
    if (!next) break;
    const asked = now();
    try {
      await execute(store, ...next);
      times.push(now() - asked);
    } catch (error) {
      failures.push(String(error));
    }
  }
  return { began, ended: now(), times, failures };
};

/** The clients of one processor: warms up, says so, and runs the load when told. */
const child = async ({ database, clients, work, warm, span, part, processors }) => {
  const mine = Array.from({ length: clients }, (_, index) => index).filter((index) => index % processors === part);
  const { pool, store } = open(database, Math.min(mine.length, Math.max(1, Math.floor(64 / processors))));
  const all = (what, seconds) => Promise.all(mine.map((index) => client(store, what, seconds, index, clients)));
  const warmed = await all({ kind: "fresh", events: 1, size: work.size }, warm);
  process.send({ warmed: warmed.reduce((sum, one) => sum + one.times.length, 0) });
  await new Promise((go) => process.once("message", go));
  const outcomes = await all(work, span);
  process.send({ outcomes });
  await store.close();
  await pool.end();
  process.disconnect();
};

/** The next message of a process; an error when it ends first. */
const heard = (from) =>
  new Promise((tell, fail) => {
    from.once("message", tell);
    from.once("exit", (code) => fail(new Error(`a process of the peer ended with ${code}`)));
  });

/** Runs a load in fresh processes, which remember nothing. */
const closed = async (options, clients, work, warm, span) => {
  const processors = Math.min(clients, availableParallelism());
  const children = Array.from({ length: processors }, () => fork(fileURLToPath(import.meta.url), ["--child"]));
  const ready = children.map(heard);
  children.forEach((one, part) =>
    one.send({ database: options.database, clients, work, warm, span, part, processors }),
  );
  const warmed = (await Promise.all(ready)).reduce((sum, one) => sum + one.warmed, 0);
  const done = children.map(heard);
  children.forEach((one) => one.send("go"));
  const outcomes = (await Promise.all(done)).flatMap((one) => one.outcomes);
  const times = outcomes.flatMap((one) => one.times).sort((one, other) => one - other);
  const failures = outcomes.flatMap((one) => one.failures);
  if (failures.length > times.length / 10) throw new Error(`most commands fail: ${failures[0]}`);
  const seconds = Math.max(...outcomes.map((one) => one.ended)) - Math.min(...outcomes.map((one) => one.began));
  return { warmed, times, seconds, failed: failures.length, events: times.length * work.events };
};

/** The time within which this part of the commands was answered, in milliseconds: nearest rank. */
const at = (times, part) => (times[Math.max(0, Math.ceil(times.length * part) - 1)] ?? 0) * 1e3;

const tell = (options, name, figures) =>
  console.log(
    JSON.stringify({ peer: "emmett-postgresql", version: VERSION, clients: options.clients, case: name, ...figures }),
  );

const tellFigures = (options, name, { times, seconds, failed }) =>
  tell(options, name, {
    commands: times.length,
    failed,
    seconds,
    commands_per_s: times.length / seconds,
    p50_ms: at(times, 0.5),
    p99_ms: at(times, 0.99),
  });

/** One number of the database. */
const number = async (pool, query) => Number((await pool.query(query)).rows[0].number);

const countStored = (pool) => number(pool, "SELECT count(*) AS number FROM emt_messages");

/** Makes the tables, and gives each aggregate its first events. */
const make = async (options, pool, store, aggregates) => {
  await store.schema.migrate();
  const work = { kind: "once", aggregates, events: BEFORE, size: options.payload };
  const made = await closed(options, MAKERS, work, 0, 1e9);
  if (made.times.length !== aggregates.length)
    throw new Error(`only ${made.times.length} of ${aggregates.length} aggregates were made`);
  const stored = await countStored(pool);
  if (stored !== made.events) throw new Error(`${aggregates.length} aggregates were made of ${stored} events`);
};

/** Times commands: on new aggregates, on old ones, on those again. */
const write = async (options, pool, aggregates) => {
  const { clients, payload: size, seconds: span } = options;
  const before = await countStored(pool);
  let written = 0;
  const time = async (name, work) => {
    const figures = await closed(options, clients, { events: 1, size, ...work }, span / 4, span);
    tellFigures(options, name, figures);
    written += figures.warmed + figures.events;
    return figures.times.length;
  };
  await time("fresh", { kind: "fresh" });
  const met = await time("existing", { kind: "once", aggregates });
  // A multiple, so that no two clients meet at one aggregate.
  const multiple = Math.max(Math.floor(met / clients), 1) * clients;
  await time("again", { kind: "round", aggregates: aggregates.slice(0, multiple) });

  const stored = (await countStored(pool)) - before;
  if (stored !== written) throw new Error(`${written} events were acknowledged, and ${stored} are stored`);
  tell(options, "stored", { events: stored });
};

/** The read model: how many events each notebook has. */
const totals = postgreSQLRawBatchSQLProjection({
  name: "totals",
  canHandle: ["Noted"],
  evolve: (events) => {
    const counts = new Map();
    for (const { metadata } of events) counts.set(metadata.streamName, (counts.get(metadata.streamName) ?? 0) + 1);
    const rows = [...counts].map(([id, count]) => sql("(%L, %s)", id, count)).join(", ");
    const upsert = `INSERT INTO totals AS t (id, events) VALUES ${rows}
      ON CONFLICT (id) DO UPDATE SET events = t.events + excluded.events`;
    return [rawSql(upsert)];
  },
});

/** Times replay and projection. */
const read = async (options, pool) => {
  const made = await countStored(pool);
  const { execute: executor, close } = dumbo({ connectionString: options.database });
  let [began, seen] = [now(), 0];
  // Pages are in the order of transactions, their cursor is a position: what a page repeats or leaves out is
  // told by the positions themselves.
  const positions = new Set();
  while (now() - began < 1) {
    for (let [after, left] = [0n, true]; left; ) {
      const page = await readMessagesBatch(executor, { after, batchSize: PAGE });
      for (const { metadata } of page.messages) positions.add(metadata.globalPosition);
      seen += page.messages.length;
      [after, left] = [page.currentGlobalPosition, page.areMessagesLeft];
    }
  }
  tell(options, "replay", { events: seen, missed: made - positions.size, events_per_s: seen / (now() - began) });
  await close();

  await pool.query("CREATE TABLE totals (id text PRIMARY KEY, events bigint NOT NULL)");
  const { pool: own, store } = open(options.database, 4);
  began = now();
  const consumer = store.consumer({
    pulling: { batchSize: 500, pullingFrequencyInMs: 1 },
    stopWhen: { noMessagesLeft: true },
  });
  consumer.projector({ projection: totals });
  await consumer.start();
  const took = now() - began;
  await consumer.close();
  await store.close();
  await own.end();
  const sum = await number(pool, "SELECT sum(events) AS number FROM totals");
  tell(options, "projection", { events: sum, missed: made - sum, events_per_s: sum / took });
};

const main = async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      database: { type: "string" },
      aggregates: { type: "string" },
      clients: { type: "string" },
      seconds: { type: "string", default: "3" },
      payload: { type: "string", default: "256" },
    },
  });
  const options = {
    ...values,
    clients: Number(values.clients),
    seconds: Number(values.seconds),
    payload: Number(values.payload),
  };
  const aggregates = readFileSync(values.aggregates, "utf8").split("\n").filter(Boolean);
  const { pool, store } = open(options.database, 4);
  const tasks = {
    make: () => make(options, pool, store, aggregates),
    write: () => write(options, pool, aggregates),
    read: () => read(options, pool),
  };
  await tasks[positionals[0]]();
  await store.close();
  await pool.end();
};

if (process.argv.includes("--child")) process.once("message", child);
else await main();
