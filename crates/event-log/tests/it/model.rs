//! `es.append` and `es.append_one` against a log in memory that fits on two pages: the same questions, in any
//! order, get the same answers and leave the same rows.

use std::sync::atomic::{AtomicI16, Ordering};

use meydan_event_log::{ExecuteError, rules};
use meydan_testkit::model::{Change, Checks, Group, Key, Log, Said};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::counter::{Add, Counter, key, log, meta, target};

const KIND: &str = "counter";
const SCOPE: &str = "counter.name";

/// What is expected of an aggregate, as far as it can be said before the moment.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Any,
    /// As many events as there are, and so many more.
    Off(i64),
}

/// A command before names are given.
#[derive(Debug, Clone)]
struct Asked {
    tenant: usize,
    command: u128,
    changes: Vec<AskedChange>,
}

/// An aggregate, and of it: what is expected, how many events, which keys.
type AskedChange = (u128, (Expected, usize, Vec<u8>));

fn asked() -> impl Strategy<Value = Asked> {
    let expected = prop_oneof![
        1 => Just(Expected::Any),
        6 => Just(Expected::Off(0)),
        1 => (-2..3_i64).prop_map(Expected::Off),
    ];
    let keys = prop_oneof![3 => Just(vec![]), 1 => (0..4_u8).prop_map(|key| vec![key])];
    let change = (expected, 0..4_usize, keys);
    let changes =
        btree_map(0..5_u128, change, 1..3).prop_map(|all| all.into_iter().collect::<Vec<_>>());
    (0..2_usize, 0..40_u128, changes).prop_map(|(tenant, command, mut changes)| {
        // A command takes a key once.
        changes.iter_mut().skip(1).for_each(|(_, (.., keys))| keys.clear());
        // And something comes of it; the others are compared alone.
        if changes.iter().all(|(_, (_, events, _))| *events == 0) {
            changes[0].1.1 = 1;
        }
        Asked { tenant, command, changes }
    })
}

type Question = Group<i64>;

/// What one call may name only once.
fn names(asked: &Asked, name: &mut dyn FnMut((&'static str, usize, u128))) {
    name(("command", asked.tenant, asked.command));
    for (id, (_, _, keys)) in &asked.changes {
        name(("aggregate", asked.tenant, *id));
        for key in keys {
            name(("key", asked.tenant, u128::from(*key)));
        }
    }
}

/// A partition and tenants of its own for each case, so that all cases share a database.
struct Case {
    part: i16,
    tenants: [Uuid; 2],
    model: Log<i64>,
}

impl Case {
    fn new() -> Self {
        static PART: AtomicI16 = AtomicI16::new(0);
        Self {
            part: PART.fetch_add(1, Ordering::Relaxed),
            tenants: [Uuid::new_v4(), Uuid::new_v4()],
            model: Log::new(Checks::default()),
        }
    }

    fn question(&self, asked: &Asked) -> Question {
        let tenant = self.tenants[asked.tenant];
        let change = |(id, (expected, events, keys)): &AskedChange| {
            let id = Uuid::from_u128(*id);
            let expected = match expected {
                Expected::Any => -1,
                Expected::Off(by) => (self.model.head((tenant, id)) + by).max(0),
            };
            let keys = keys.iter().map(|key| (tenant, SCOPE, vec![*key])).collect();
            Change { id, expected, keys, events: (0..).take(*events).collect() }
        };
        let changes = asked.changes.iter().map(change).collect();
        Group { tenant, command: Uuid::from_u128(asked.command), changes }
    }

    /// Asks both, and compares the answers.
    async fn ask(&mut self, pool: &PgPool, call: &[Asked]) {
        let questions = call.iter().map(|asked| self.question(asked)).collect::<Vec<_>>();
        let expected = self.model.append(&questions).expect("a call names each thing once");
        let said = match questions.as_slice() {
            [one] if is_short(one) => vec![append_one(pool, self.part, one).await],
            many => append(pool, self.part, many).await,
        };
        assert_eq!(said, expected, "asked {questions:?}");
    }

    /// Compares what is there in the end.
    async fn compare(&self, pool: &PgPool) {
        let facts: Vec<(i64, Uuid, Uuid, i64, i64, String)> = sqlx::query_as(
            "SELECT position, tenant_id, aggregate_id, sequence, payload::text::bigint, meta #>> '{}'
             FROM es.events WHERE part = $1 ORDER BY position",
        )
        .bind(self.part)
        .fetch_all(pool)
        .await
        .expect("it answers");
        let expected = self.model.facts().iter().map(|fact| {
            let ((tenant, id), command) = (fact.aggregate, fact.command.to_string());
            (fact.position, tenant, id, fact.sequence, fact.event, command)
        });
        assert_eq!(facts, expected.collect::<Vec<_>>());
        let keys: Vec<(Uuid, Vec<u8>, Uuid)> = sqlx::query_as(
            "SELECT tenant_id, key, aggregate_id FROM es.unique_keys
             WHERE tenant_id = ANY ($1) ORDER BY tenant_id, key",
        )
        .bind(self.tenants)
        .fetch_all(pool)
        .await
        .expect("it answers");
        let holders = self.model.holders().iter();
        let holder =
            |((tenant, _, key), (_, id)): (&Key, &(Uuid, Uuid))| (*tenant, key.clone(), *id);
        assert_eq!(keys, holders.map(holder).collect::<Vec<_>>());
        let commands: Vec<(Uuid, Uuid, i64, i64)> = sqlx::query_as(
            "SELECT tenant_id, command_id, last_sequence, last_position FROM es.commands
             WHERE tenant_id = ANY ($1)",
        )
        .bind(self.tenants)
        .fetch_all(pool)
        .await
        .expect("it answers");
        for (tenant, command, sequence, position) in &commands {
            let carried_out = self.model.carried_out(*tenant, *command);
            assert_eq!(carried_out, Some((*sequence, *position)));
        }
        assert_eq!(commands.len(), self.model.commands());
    }
}

/// Whether the call for a single event can be used.
fn is_short(question: &Question) -> bool {
    matches!(question.changes.as_slice(), [one] if one.events.len() == 1 && one.keys.is_empty())
}

type Row = (i32, i16, Option<i64>, Option<i64>);

fn said((_, status, sequence, position): &Row) -> Said {
    match (status, sequence, position) {
        (0, &Some(sequence), &Some(position)) => Said::Appended { sequence, position },
        (1, None, None) => Said::Stale,
        (2, &Some(sequence), &Some(position)) => Said::Repeated { sequence, position },
        (3, None, None) => Said::Taken,
        other => panic!("there is no such answer: {other:?}"),
    }
}

/// Asks as for one command with one event.
async fn append_one(pool: &PgPool, part: i16, question: &Question) -> Said {
    let change = &question.changes[0];
    let row: Row = sqlx::query_as(
        "SELECT 1, status, last_sequence, last_position
         FROM es.append_one($1, $2, $3, $4, $5, $6, $7, 'counter.added', 1::smallint, $8, $9)",
    )
    .bind(part)
    .bind(question.command)
    .bind(question.tenant)
    .bind(KIND)
    .bind(change.id)
    .bind(change.expected)
    .bind(Uuid::new_v4())
    .bind(change.events[0].to_string())
    .bind(origin(question))
    .fetch_one(pool)
    .await
    .expect("it answers");
    said(&row)
}

/// Which command it was, in the place of the origin.
fn origin(question: &Question) -> String {
    format!("\"{}\"", question.command)
}

/// Names each argument of `es.append` by a place in JSON, which is slower and plainer than arrays.
async fn append(pool: &PgPool, part: i16, questions: &[Question]) -> Vec<Said> {
    let (mut aggregates, mut keys, mut events) = (vec![], vec![], vec![]);
    for (number, question) in (1_i32..).zip(questions) {
        for change in &question.changes {
            aggregates.push((number, question, change));
            let at = i32::try_from(aggregates.len()).expect("few");
            keys.extend(change.keys.iter().map(|(_, _, key)| (at, question.tenant, key.clone())));
            events.extend(
                (1_i32..)
                    .zip(&change.events)
                    .map(|(offset, event)| (at, question, change.id, offset, event.to_string())),
            );
        }
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT command, status, last_sequence, last_position FROM es.append(
           $1, $2, $3, $4, array_fill($5::text, ARRAY[cardinality($2)]), $6, $7,
           $8, $9, array_fill('counter.name'::text, ARRAY[cardinality($8)]), $10,
           $11, $12, array_fill($5::text, ARRAY[cardinality($11)]), $13, $14, $15,
           array_fill('counter.added'::text, ARRAY[cardinality($11)]),
           array_fill(1::smallint, ARRAY[cardinality($11)]), $16, $17)
         ORDER BY command",
    )
    .bind(part)
    .bind(aggregates.iter().map(|(number, ..)| *number).collect::<Vec<_>>())
    .bind(aggregates.iter().map(|(_, question, _)| question.command).collect::<Vec<_>>())
    .bind(aggregates.iter().map(|(_, question, _)| question.tenant).collect::<Vec<_>>())
    .bind(KIND)
    .bind(aggregates.iter().map(|(.., change)| change.id).collect::<Vec<_>>())
    .bind(aggregates.iter().map(|(.., change)| change.expected).collect::<Vec<_>>())
    .bind(keys.iter().map(|(at, ..)| *at).collect::<Vec<_>>())
    .bind(keys.iter().map(|(_, tenant, _)| *tenant).collect::<Vec<_>>())
    .bind(keys.iter().map(|(.., key)| key.clone()).collect::<Vec<_>>())
    .bind(events.iter().map(|(at, ..)| *at).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, question, ..)| question.tenant).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, _, id, ..)| *id).collect::<Vec<_>>())
    .bind(events.iter().map(|(.., offset, _)| *offset).collect::<Vec<_>>())
    .bind(events.iter().map(|_| Uuid::new_v4()).collect::<Vec<_>>())
    .bind(events.iter().map(|(.., event)| event.clone()).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, question, ..)| origin(question)).collect::<Vec<_>>())
    .fetch_all(pool)
    .await
    .expect("it answers");
    let numbers = rows.iter().map(|(number, ..)| *number).collect::<Vec<_>>();
    assert_eq!(numbers, (1..).take(questions.len()).collect::<Vec<_>>(), "each is answered once");
    rows.iter().map(said).collect()
}

#[test]
fn any_calls_get_the_answers_of_the_model_and_leave_its_rows() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let pool = runtime.block_on(log()).pool().clone();
    // Many commands for few aggregates and keys, so that most calls have something to refuse.
    let batches = vec(vec(asked(), 1..9), 1..16);
    let mut runner =
        TestRunner::new(Config { cases: 96, failure_persistence: None, ..Config::default() });

    let agreed = runner.run(&batches, |batches| {
        runtime.block_on(async {
            let mut case = Case::new();
            for mut waiting in batches {
                while !waiting.is_empty() {
                    let (call, later) = rules::split(waiting, names);
                    case.ask(&pool, &call).await;
                    waiting = later;
                }
            }
            case.compare(&pool).await;
        });
        Ok(())
    });

    agreed.unwrap_or_else(|difference| panic!("{difference}"));
}

#[tokio::test]
async fn a_command_that_takes_a_key_twice_is_answered_and_holds_nobody_up() {
    let log = log().await;

    let twice = [key("sara"), key("sara")];
    let said = log.execute_with::<Counter>(target(1), Add(1), &meta(1), &twice).await;
    let next = log.execute::<Counter>(target(2), Add(1), &meta(2)).await;

    assert!(matches!(said, Err(ExecuteError::Conflict)), "{said:?}");
    assert!(next.is_ok());
}
