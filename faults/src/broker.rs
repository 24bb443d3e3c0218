//! The connection to NATS, which outlives NATS.

use anyhow::{Context, Result};
use async_nats::{ConnectOptions, jetstream};
use url::Url;

/// Connects to `address`, now or as soon as somebody answers there.
pub(crate) async fn connect(address: &str) -> Result<jetstream::Context> {
    // The client does not read them from the address itself.
    let secrets = Url::parse(address).context("the address of NATS is not one")?;
    let password = secrets.password().context("the address of NATS has a password")?;
    let options = ConnectOptions::new()
        .user_and_password(secrets.username().to_owned(), password.to_owned())
        .retry_on_initial_connect();
    Ok(jetstream::new(options.connect(address).await.context("NATS cannot be reached")?))
}
