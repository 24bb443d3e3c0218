//! `accounts`: who has a login.

use identity_domain::AccountEvent;
use meydan_event_log::Recorded;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

/// One account, as stored.
#[derive(Debug, Clone)]
pub struct AccountRow {
    /// The account.
    pub account_id: Uuid,
    /// Address and name, sealed.
    pub profile_sealed: String,
    /// Platform staff.
    pub admin: bool,
    /// The address that was proved, sealed.
    pub email_sealed: Option<String>,
    /// When it was.
    pub email_proved_at: Option<OffsetDateTime>,
    /// When somebody else proved the address that was said.
    pub email_lost_at: Option<OffsetDateTime>,
    /// The telephone that was proved, sealed.
    pub phone_sealed: Option<String>,
    /// In what language and time zone its holder works, sealed.
    pub preferences_sealed: Option<String>,
    /// When it began.
    pub created_at: OffsetDateTime,
    /// When an admin closed it.
    pub suspended_at: Option<OffsetDateTime>,
    /// Since when its holder is asked to become an admin.
    pub admin_asked_at: Option<OffsetDateTime>,
    /// Who that is, as the admin said who asked them, sealed.
    pub admin_said_sealed: Option<String>,
    /// Until when it is closed to where wrong passwords or codes came from.
    pub locked_until: Option<OffsetDateTime>,
    /// Since when its authenticators are closed.
    pub factor_locked_at: Option<OffsetDateTime>,
}

/// Some accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Which {
    /// Every one.
    #[default]
    All,
    /// Those that an admin closed.
    Suspended,
    /// Those that guessers closed to where they came from, or whose authenticators they closed.
    Locked,
    /// Those without a second factor.
    WithoutFactor,
}

impl Which {
    const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Suspended => "suspended",
            Self::Locked => "locked",
            Self::WithoutFactor => "without_factor",
        }
    }
}

/// Lets the table reflect one fact.
pub(super) async fn apply(
    db: &mut PgConnection,
    event: &Recorded,
    fact: &AccountEvent,
) -> sqlx::Result<()> {
    let account = event.aggregate_id;
    let query = match fact {
        AccountEvent::Registered { profile, admin, at } => {
            return begin(db, account, (profile.to_string(), *admin, *at)).await;
        }
        AccountEvent::EmailVerified { email, at } => sqlx::query!(
            r#"
            UPDATE accounts SET email_sealed = $2, email_proved_at = $3, email_lost_at = NULL
            WHERE account_id = $1
            "#,
            account,
            email.to_string(),
            at,
        ),
        AccountEvent::EmailLost { at } => sqlx::query!(
            "UPDATE accounts SET email_lost_at = $2 WHERE account_id = $1",
            account,
            at,
        ),
        AccountEvent::PhoneVerified { phone, at } => sqlx::query!(
            "UPDATE accounts SET phone_sealed = $2, phone_proved_at = $3 WHERE account_id = $1",
            account,
            phone.to_string(),
            at,
        ),
        AccountEvent::PhoneRemoved { .. } => sqlx::query!(
            r#"
            UPDATE accounts SET phone_sealed = NULL, phone_proved_at = NULL WHERE account_id = $1
            "#,
            account,
        ),
        AccountEvent::PreferencesSet { preferences, .. } => sqlx::query!(
            "UPDATE accounts SET preferences_sealed = $2 WHERE account_id = $1",
            account,
            preferences.to_string(),
        ),
        AccountEvent::AdminInvited { said, at } => {
            return of_staff(db, account, (false, Some(*at), Some(said.to_string()))).await;
        }
        AccountEvent::AdminAppointed { .. } => {
            return of_staff(db, account, (true, None, None)).await;
        }
        AccountEvent::AdminInvitationWithdrawn { .. } | AccountEvent::AdminDismissed { .. } => {
            return of_staff(db, account, (false, None, None)).await;
        }
        _ => return closed(db, account, fact).await,
    };
    query.execute(db).await?;
    Ok(())
}

/// An account that is closed, wholly or to guesses, or open again.
async fn closed(db: &mut PgConnection, account: Uuid, fact: &AccountEvent) -> sqlx::Result<()> {
    let query = match fact {
        AccountEvent::Locked { until, .. } => sqlx::query!(
            "UPDATE accounts SET locked_until = greatest(locked_until, $2) WHERE account_id = $1",
            account,
            until,
        ),
        AccountEvent::FactorLocked { at, .. } => sqlx::query!(
            "UPDATE accounts SET factor_locked_at = $2 WHERE account_id = $1",
            account,
            at,
        ),
        AccountEvent::PasswordSet { .. } => sqlx::query!(
            "UPDATE accounts SET factor_locked_at = NULL WHERE account_id = $1",
            account,
        ),
        AccountEvent::Suspended { at } => {
            sqlx::query!("UPDATE accounts SET suspended_at = $2 WHERE account_id = $1", account, at,)
        }
        AccountEvent::Reactivated { .. } => {
            sqlx::query!("UPDATE accounts SET suspended_at = NULL WHERE account_id = $1", account)
        }
        _ => return Ok(()),
    };
    query.execute(db).await?;
    Ok(())
}

/// An account that begins.
async fn begin(
    db: &mut PgConnection,
    account: Uuid,
    (profile, admin, at): (String, bool, OffsetDateTime),
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
            INSERT INTO accounts (account_id, profile_sealed, admin, created_at) VALUES ($1, $2, $3, $4)
            "#,
        account,
        profile,
        admin,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether the holder of an account is an admin, or since when they are asked to become one, and who that is.
async fn of_staff(
    db: &mut PgConnection,
    account: Uuid,
    (admin, asked_at, said): (bool, Option<OffsetDateTime>, Option<String>),
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE accounts SET admin = $2, admin_asked_at = $3, admin_said_sealed = $4 WHERE account_id = $1
        "#,
        account,
        admin,
        asked_at,
        said,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One account.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn by_id(pool: &PgPool, account: Uuid) -> sqlx::Result<Option<AccountRow>> {
    sqlx::query_as!(
        AccountRow,
        r#"
        SELECT account_id, profile_sealed, admin, email_sealed, email_proved_at, email_lost_at, phone_sealed,
               preferences_sealed, created_at, suspended_at, admin_asked_at, admin_said_sealed,
               locked_until, factor_locked_at
        FROM accounts WHERE account_id = $1
        "#,
        account,
    )
    .fetch_optional(pool)
    .await
}

/// The profiles of several accounts, sealed, for those that are not erased.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn profiles(pool: &PgPool, accounts: &[Uuid]) -> sqlx::Result<Vec<(Uuid, String)>> {
    let found = sqlx::query!(
        "SELECT account_id, profile_sealed FROM accounts WHERE account_id = ANY ($1)",
        accounts,
    );
    let rows = found.fetch_all(pool).await?;
    Ok(rows.into_iter().map(|row| (row.account_id, row.profile_sealed)).collect())
}

/// Whether there is an admin.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn has_admin(pool: &PgPool) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM accounts WHERE admin) AS "exists!""#)
        .fetch_one(pool)
        .await
}

/// Whether an account is suspended. Asked of nobody's account as well, so that it takes the same time.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn is_suspended(pool: &PgPool, account: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
          SELECT 1 FROM accounts WHERE account_id = $1 AND suspended_at IS NOT NULL) AS "suspended!"
        "#,
        account,
    )
    .fetch_one(pool)
    .await
}

/// Whether an account is an admin's. Asked of nobody's account as well, so that it takes the same time.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn is_admin(pool: &PgPool, account: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM accounts WHERE account_id = $1 AND admin) AS "admin!""#,
        account,
    )
    .fetch_one(pool)
    .await
}

/// The admins that are not suspended.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn admins(pool: &PgPool) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!("SELECT account_id FROM accounts WHERE admin AND suspended_at IS NULL")
        .fetch_all(pool)
        .await
}

/// The admins, and whoever is asked to become one, the oldest first.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn staff(pool: &PgPool) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"
        SELECT account_id FROM accounts WHERE admin OR admin_asked_at IS NOT NULL
        ORDER BY created_at, account_id
        "#,
    )
    .fetch_all(pool)
    .await
}

/// Some accounts as they are at `now`, the newest first, after the last one of the page before.
///
/// # Errors
///
/// Fails if PostgreSQL does.
pub async fn page(
    pool: &PgPool,
    (which, now): (Which, OffsetDateTime),
    after: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"
        SELECT account_id FROM accounts a
        WHERE ($1::uuid IS NULL
           OR (created_at, account_id) < (SELECT created_at, account_id FROM accounts WHERE account_id = $1))
          AND CASE $3::text
            WHEN 'suspended' THEN suspended_at IS NOT NULL
            WHEN 'locked' THEN coalesce(locked_until > $4, false) OR factor_locked_at IS NOT NULL
            WHEN 'without_factor' THEN NOT EXISTS (
              SELECT 1 FROM factors f WHERE f.account_id = a.account_id AND f.confirmed_at IS NOT NULL)
            ELSE true END
        ORDER BY created_at DESC, account_id DESC LIMIT $2
        "#,
        after,
        limit,
        which.name(),
        now,
    )
    .fetch_all(pool)
    .await
}
