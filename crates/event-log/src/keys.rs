//! Unique keys that come back with the facts that took them.
//!
//! A message holds the fact and no key: a keyed hash of an address or of a Telegram number would stay on the stream,
//! and in the log, after the person was erased. What a fact took, the context that recorded it can tell from the
//! fact itself, as long as the person's key exists. See
//! `docs/decisions/2026-11-22-unique-keys-come-back-from-facts.md`.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{append::UniqueKey, envelope::Recorded};

/// What a fact did to the unique keys of its context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// Its aggregate took this one, which was nobody's or its own.
    Taken(UniqueKey),
    /// Its aggregate let go of this one.
    Released(UniqueKey),
    /// Its aggregate let go of all that it held of this kind.
    AllReleased {
        /// Within which tenant they were unique.
        tenant: Uuid,
        /// What kind of thing.
        scope: &'static str,
    },
}

/// Does to the keys what a fact did. Who holds a key that the fact took had let go of it before: the log had judged
/// that.
pub(crate) async fn change_key(
    tx: &mut PgConnection,
    fact: &Recorded,
    change: KeyChange,
) -> Result<(), sqlx::Error> {
    let (kind, id) = (&fact.aggregate_type, fact.aggregate_id);
    match change {
        KeyChange::Taken(UniqueKey { tenant, scope, key }) => {
            sqlx::query!(
                "DELETE FROM es.unique_keys WHERE tenant_id = $1 AND scope = $2 AND key = $3",
                tenant,
                scope,
                key,
            )
            .execute(&mut *tx)
            .await?;
            sqlx::query!(
                r#"
                INSERT INTO es.unique_keys (tenant_id, scope, key, aggregate_type, aggregate_id)
                VALUES ($1, $2, $3, $4, $5)
                "#,
                tenant,
                scope,
                key,
                kind,
                id,
            )
            .execute(tx)
            .await?;
        }
        KeyChange::Released(UniqueKey { tenant, scope, key }) => {
            sqlx::query!(
                r#"
                DELETE FROM es.unique_keys WHERE tenant_id = $1 AND scope = $2 AND key = $3 AND aggregate_id = $4
                "#,
                tenant,
                scope,
                key,
                id,
            )
            .execute(tx)
            .await?;
        }
        KeyChange::AllReleased { tenant, scope } => {
            sqlx::query!(
                r#"
                DELETE FROM es.unique_keys
                WHERE tenant_id = $1 AND scope = $2 AND aggregate_type = $3 AND aggregate_id = $4
                "#,
                tenant,
                scope,
                kind,
                id,
            )
            .execute(tx)
            .await?;
        }
    }
    Ok(())
}
