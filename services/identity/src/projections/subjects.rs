//! Erased accounts: nothing of them is left, and their address may begin another one.

use meydan_event_log::Recorded;
use sqlx::{AssertSqlSafe, PgConnection};

/// Lets go of an account, when the platform erases it. What an account is called in one campaign alone is
/// not kept here.
pub(super) async fn forget(db: &mut PgConnection, event: &Recorded) -> sqlx::Result<()> {
    if event.tenant != meydan_event_log::PLATFORM {
        return Ok(());
    }
    let account = event.aggregate_id;
    // As whoever acts on the account does: it is one's own before any of its rows.
    let hold = AssertSqlSafe(crate::app::acts::hold(&[account]));
    sqlx::raw_sql(hold).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM accounts WHERE account_id = $1", account).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM members WHERE account_id = $1", account).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM credentials WHERE account_id = $1", account)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM sessions WHERE account_id = $1", account).execute(&mut *db).await?;
    sqlx::query!(
        "DELETE FROM api_key_secrets s USING api_keys k WHERE k.key_id = s.key_id AND k.created_by = $1",
        account,
    )
    .execute(&mut *db)
    .await?;
    // The keys themselves stay until they are revoked on record; their names went with the account's key.
    sqlx::query!("DELETE FROM proofs WHERE account_id = $1", account).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM recoveries WHERE account_id = $1", account).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM recovery_requests WHERE account_id = $1", account)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM letters WHERE account_id = $1", account).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM login_failures WHERE account_id = $1", account)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM login_history WHERE account_id = $1", account)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM factors WHERE account_id = $1", account).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM recovery_codes WHERE account_id = $1", account)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM login_challenges WHERE account_id = $1", account)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM impersonations WHERE subject_id = $1", account)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM devices WHERE account_id = $1", account).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM invitations WHERE account_id = $1", account)
        .execute(&mut *db)
        .await?;
    sqlx::query!(
        "DELETE FROM es.unique_keys WHERE scope = 'account.email' AND aggregate_id = $1",
        account,
    )
    .execute(db)
    .await?;
    Ok(())
}
