//! The two calls that append: many commands, or one with one event.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answers, AppendError, Committed, NewEvents, NewGroup};

/// Appends the groups, and says for each what came of it.
pub(super) async fn append(
    session: &mut PgConnection,
    part: i16,
    groups: &[NewGroup],
) -> Result<Answers, sqlx::Error> {
    if let [group] = groups
        && let [change] = group.aggregates.as_slice()
        && change.events.len() == 1
        && change.keys.is_empty()
    {
        return Ok(vec![append_one(session, part, group, change).await?]);
    }
    append_many(session, part, groups).await
}

struct Row {
    command: i32,
    status: i16,
    last_sequence: Option<i64>,
    last_position: Option<i64>,
}

impl Row {
    fn answer(&self) -> Result<Committed, AppendError> {
        let committed = |repeated| Committed {
            position: self.last_position.unwrap_or(0),
            sequence: self.last_sequence.unwrap_or(0),
            repeated,
        };
        match self.status {
            0 => Ok(committed(false)),
            2 => Ok(committed(true)),
            3 => Err(AppendError::KeyTaken),
            _ => Err(AppendError::Conflict),
        }
    }
}

async fn append_one(
    session: &mut PgConnection,
    part: i16,
    group: &NewGroup,
    change: &NewEvents,
) -> Result<Result<Committed, AppendError>, sqlx::Error> {
    let event = &change.events[0];
    let row = sqlx::query_as!(
        Row,
        r#"
        SELECT 1 AS "command!", status AS "status!", last_sequence, last_position
        FROM es.append_one($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        "#,
        part,
        group.command_id,
        change.tenant,
        change.aggregate_type,
        change.aggregate_id,
        change.expected,
        event.id,
        event.kind,
        event.version,
        event.payload,
        group.meta_of(event),
    )
    .fetch_one(session)
    .await?;
    Ok(row.answer())
}

/// The arguments of `es.append`, which describes them.
#[derive(Default)]
struct Columns<'a> {
    a_command_no: Vec<i32>,
    a_command: Vec<Uuid>,
    a_tenant: Vec<Uuid>,
    a_type: Vec<&'a str>,
    a_id: Vec<Uuid>,
    a_expected: Vec<i64>,
    k_a: Vec<i32>,
    k_tenant: Vec<Uuid>,
    k_scope: Vec<&'a str>,
    k_key: Vec<&'a [u8]>,
    e_a: Vec<i32>,
    e_tenant: Vec<Uuid>,
    e_aggregate: Vec<&'a str>,
    e_aggregate_id: Vec<Uuid>,
    e_offset: Vec<i32>,
    e_id: Vec<Uuid>,
    e_type: Vec<&'a str>,
    e_version: Vec<i16>,
    e_payload: Vec<&'a str>,
    e_meta: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(groups: &'a [NewGroup]) -> Self {
        let mut columns = Self::default();
        for (number, group) in (1..).zip(groups) {
            for change in &group.aggregates {
                columns.push(number, group, change);
            }
        }
        columns
    }

    fn push(&mut self, number: i32, group: &'a NewGroup, change: &'a NewEvents) {
        self.a_command_no.push(number);
        self.a_command.push(group.command_id);
        self.a_tenant.push(change.tenant);
        self.a_type.push(change.aggregate_type);
        self.a_id.push(change.aggregate_id);
        self.a_expected.push(change.expected);
        let at = i32::try_from(self.a_id.len()).expect("a batch is bounded");
        for key in &change.keys {
            self.k_a.push(at);
            self.k_tenant.push(key.tenant);
            self.k_scope.push(key.scope);
            self.k_key.push(&key.key);
        }
        for (offset, event) in (1..).zip(&change.events) {
            self.e_a.push(at);
            self.e_tenant.push(change.tenant);
            self.e_aggregate.push(change.aggregate_type);
            self.e_aggregate_id.push(change.aggregate_id);
            self.e_offset.push(offset);
            self.e_id.push(event.id);
            self.e_type.push(&event.kind);
            self.e_version.push(event.version);
            self.e_payload.push(&event.payload);
            self.e_meta.push(group.meta_of(event));
        }
    }
}

async fn append_many(
    session: &mut PgConnection,
    part: i16,
    groups: &[NewGroup],
) -> Result<Answers, sqlx::Error> {
    let columns = Columns::of(groups);
    let rows = query(session, part, &columns).await?;
    // A group without an answer cannot be: the function answers each. If it were, trying again is right.
    let mut answers = vec![Err(AppendError::Conflict); groups.len()];
    for row in rows {
        let place = usize::try_from(row.command - 1).expect("the function counts from one");
        if let Some(answer) = answers.get_mut(place) {
            *answer = row.answer();
        }
    }
    Ok(answers)
}

async fn query(
    session: &mut PgConnection,
    part: i16,
    columns: &Columns<'_>,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"
        SELECT command AS "command!", status AS "status!", last_sequence, last_position
        FROM es.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
        "#,
        part,
        &columns.a_command_no,
        &columns.a_command,
        &columns.a_tenant,
        &columns.a_type as &[&str],
        &columns.a_id,
        &columns.a_expected,
        &columns.k_a,
        &columns.k_tenant,
        &columns.k_scope as &[&str],
        &columns.k_key as &[&[u8]],
        &columns.e_a,
        &columns.e_tenant,
        &columns.e_aggregate as &[&str],
        &columns.e_aggregate_id,
        &columns.e_offset,
        &columns.e_id,
        &columns.e_type as &[&str],
        &columns.e_version,
        &columns.e_payload as &[&str],
        &columns.e_meta as &[&str],
    )
    .fetch_all(session)
    .await
}
