//! `letters`: the ledger of what goes out.
//!
//! waiting → sent | dead. A try is taken by moving `next_at` on by [`LEASE`]; who dies while sending leaves a row
//! that is due again after that.

use meydan_event_log::PLATFORM;
use meydan_keyring::{Keyring, Place, Sealed, Sealer};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Letter, Locale, Sent};

/// How long one try has a row to itself. Longer than a try takes, and as long as an SMS is worth sending: one that
/// may have gone out is never tried again.
pub(super) const LEASE: Duration = Duration::minutes(5);
/// How long it is kept on record that a letter went out.
const KEPT: Duration = Duration::days(30);

/// A letter that is written, not yet in the ledger.
#[derive(Debug)]
pub struct Written {
    /// Its name. A letter of the same name is written once.
    pub letter_id: Uuid,
    /// About whose account.
    pub account: Uuid,
    /// See [`Letter::kind`].
    pub kind: &'static str,
    /// To whom and what, sealed.
    pub content: Sealed<Content>,
    /// When.
    pub at: OffsetDateTime,
    /// How long it is worth sending.
    pub worth: Duration,
}

/// To whom and what.
#[derive(Serialize, Deserialize)]
pub struct Content {
    /// An address, or a telephone number with its plus.
    pub(crate) to: String,
    /// In which language.
    pub(crate) locale: Locale,
    /// What it says.
    pub(crate) letter: Letter,
}

impl Written {
    /// Writes `content` about `account`, whose `sealer` it is, to be put in the ledger.
    pub(crate) fn seal(
        sealer: &Sealer,
        (letter_id, account): (Uuid, Uuid),
        content: &Content,
        at: OffsetDateTime,
    ) -> Self {
        let (kind, worth) = (content.letter.kind(), content.letter.worth());
        let content = sealer.seal(&place(letter_id), content);
        Self { letter_id, account, kind, content, at, worth }
    }
}

fn place(letter_id: Uuid) -> Place {
    Place::new(PLATFORM, "letter", letter_id, "content")
}

/// Puts a letter in the ledger, in the transaction of what causes it; `false` when it is there already.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn write(db: &mut PgConnection, letter: &Written) -> sqlx::Result<bool> {
    let written = sqlx::query!(
        r#"
        INSERT INTO letters (letter_id, account_id, kind, content_sealed, written_at, next_at, ends_at)
        VALUES ($1, $2, $3, $4, $5, $5, $6) ON CONFLICT (letter_id) DO NOTHING
        "#,
        letter.letter_id,
        letter.account,
        letter.kind,
        letter.content.to_string(),
        letter.at,
        letter.at + letter.worth,
    )
    .execute(db)
    .await?;
    Ok(written.rows_affected() == 1)
}

/// A row that was taken.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) letter_id: Uuid,
    pub(super) kind: String,
    pub(super) content_sealed: Option<String>,
    pub(super) tries: i32,
    pub(super) ends_at: OffsetDateTime,
}

impl Due {
    /// To whom and what; `None` when the person was erased meanwhile.
    pub(super) async fn open(
        &self,
        keyring: &Keyring,
    ) -> Result<Option<Content>, meydan_keyring::KeyError> {
        let sealed = self.content_sealed.as_deref().and_then(|text| text.parse().ok());
        let Some(sealed) = sealed else { return Ok(None) };
        keyring.reveal(&sealed, PLATFORM, &place(self.letter_id)).await
    }
}

/// Takes up to `most` letters that are due. Several workers never take the same. What is older than a month is
/// forgotten by the way.
pub(super) async fn take(pool: &PgPool, now: OffsetDateTime, most: i64) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"
        WITH old AS (DELETE FROM letters WHERE written_at <= $4 AND state <> 'waiting'), due AS (
          SELECT letter_id FROM letters WHERE state = 'waiting' AND next_at <= $1
          ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        UPDATE letters l SET tries = tries + 1, next_at = $3 FROM due WHERE l.letter_id = due.letter_id
        RETURNING l.letter_id, l.kind, l.content_sealed, l.tries, l.ends_at
        "#,
        now,
        most,
        now + LEASE,
        now - KEPT,
    )
    .fetch_all(pool)
    .await
}

/// Notes what became of a try.
pub(super) async fn settle(
    pool: &PgPool,
    row: &Due,
    sent: Sent,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let (state, failure) = match sent {
        Sent::Accepted => ("sent", None),
        Sent::Dead(why) => ("dead", Some(why)),
        Sent::Later => ("waiting", None),
    };
    sqlx::query!(
        r#"
        UPDATE letters SET state = $2, failure = $3, next_at = $4,
          content_sealed = CASE WHEN $2 = 'waiting' THEN content_sealed END
        WHERE letter_id = $1 AND state = 'waiting'
        "#,
        row.letter_id,
        state,
        failure,
        now + pause(row.tries),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// How long to wait after a try: 10 seconds, then three times as long each time, up to an hour.
fn pause(tries: i32) -> Duration {
    let times = u32::try_from(tries.clamp(1, 7) - 1).unwrap_or_default();
    (Duration::seconds(10) * 3_i32.pow(times)).min(Duration::hours(1))
}
