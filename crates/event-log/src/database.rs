//! The database of a context: made when it is not there, and brought to the shape this program expects.

use sqlx::{
    Connection, PgConnection,
    migrate::{MigrateError, Migrator},
};
use url::Url;

use crate::sqlstate::code;

/// A database that could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The server's URL is not one.
    #[error("the database URL cannot be read")]
    Url(#[from] url::ParseError),
    /// PostgreSQL cannot be reached, or does not allow it.
    #[error("the database `{0}` cannot be made or opened")]
    Database(String, #[source] sqlx::Error),
    /// A migration failed.
    #[error("the database `{0}` cannot be migrated")]
    Migrate(String, #[source] MigrateError),
}

/// Makes database `name` on `server` if it is missing, runs `migrators` in it, and returns its URL.
///
/// # Errors
///
/// See [`PrepareError`].
pub async fn prepare_database(
    server: &str,
    name: &str,
    migrators: &[&Migrator],
) -> Result<String, PrepareError> {
    let database = |error| PrepareError::Database(name.to_owned(), error);
    let mut url = Url::parse(server)?;
    let mut connection = PgConnection::connect(server).await.map_err(database)?;
    let create = format!("CREATE DATABASE \"{name}\"");
    match sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut connection).await {
        Ok(_) => {}
        Err(error) if exists(&error) => {}
        Err(error) => return Err(database(error)),
    }
    connection.close().await.map_err(database)?;
    url.set_path(name);
    let mut connection = PgConnection::connect(url.as_str()).await.map_err(database)?;
    for migrator in migrators {
        migrator
            .run(&mut connection)
            .await
            .map_err(|error| PrepareError::Migrate(name.to_owned(), error))?;
    }
    connection.close().await.map_err(database)?;
    Ok(url.into())
}

/// Whether a creation failed because the database is there, or is being made by somebody else this moment.
fn exists(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code == "42P04" || code == "23505")
}
