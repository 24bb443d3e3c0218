//! Where letters arrive in tests: aiosmtpd, a mail server that others wrote, and a provider of SMS.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
};
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::AbortHandle,
    time::timeout,
};

use crate::foreign::ForeignServer;

/// How long a letter may take. One that was put off is tried again when the test's clock allows, and the worker
/// looks for that once a second.
const LIMIT: Duration = Duration::from_secs(20);

/// A mail as Python's parser reads it.
#[derive(Debug, Clone, Deserialize)]
pub struct Mail {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// The headers, decoded, in order.
    pub headers: Vec<(String, String)>,
    /// What it says in plain text.
    pub text: String,
    /// What it says in HTML.
    pub html: String,
    /// What Python finds wrong with it.
    pub defects: Vec<String>,
    /// Whether it came over TLS.
    pub encrypted: bool,
    /// Who logged in to send it.
    pub user: Option<String>,
}

impl Mail {
    /// The first header of a name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.header("subject").unwrap_or_default()
    }

    /// What follows `path` in the first link with it: the secret part.
    ///
    /// # Panics
    ///
    /// When there is no such link.
    #[must_use]
    pub fn token(&self, path: &str) -> String {
        let (_, rest) = self.text.split_once(path).expect("the mail has the link");
        rest.split_whitespace().next().unwrap_or_default().to_owned()
    }

    /// Its code of six digits.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn code(&self) -> String {
        code(&self.text)
    }
}

/// The code of six digits in a text.
fn code(text: &str) -> String {
    let mut words = text.split(|letter: char| !letter.is_ascii_digit());
    words.find(|word| word.len() == 6).expect("the letter has a code").to_owned()
}

/// How a mail server wants to be spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// As it comes.
    Plain,
    /// Only after STARTTLS.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// aiosmtpd. `e2e/emulators/aiosmtpd/start.py` tells how it treats which mailbox.
pub struct MailServer {
    server: tokio::sync::Mutex<ForeignServer>,
    port: u16,
    /// The certificate that it shows.
    pub certificate: PathBuf,
}

impl MailServer {
    /// Installs it when it is not, and starts it on a free port. Where `user` is given, only they may send.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn start(encryption: Encryption, user: Option<&str>) -> Result<Self> {
        let mode = match encryption {
            Encryption::Plain => "plain",
            Encryption::StartTls => "starttls",
            Encryption::Tls => "smtps",
        };
        let arguments = [Some(mode), user];
        let arguments: Vec<_> = arguments.into_iter().flatten().collect();
        let server = ForeignServer::start("aiosmtpd", &arguments).await?;
        let certificate = server.greeting.rsplit(' ').next().unwrap_or_default().into();
        Ok(Self { port: server.port(), certificate, server: tokio::sync::Mutex::new(server) })
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The next mail.
    ///
    /// # Errors
    ///
    /// When none comes, or Python could not read it.
    pub async fn next(&self) -> Result<Mail> {
        let mut server = self.server.lock().await;
        let line = timeout(LIMIT, server.says.recv()).await.context("no mail comes")?;
        Ok(serde_json::from_str(&line.context("the server ended")?)?)
    }

    /// How many mails have come that nobody asked for yet.
    pub async fn waiting(&self) -> usize {
        self.server.lock().await.says.len()
    }
}

/// A request for an SMS.
#[derive(Debug, Clone)]
pub struct Sms {
    /// Path and query.
    pub uri: String,
    /// `GET` or `POST`.
    pub method: String,
    /// The header `authorization`.
    pub authorization: String,
    /// The body.
    pub body: String,
}

impl Sms {
    /// Its code of six digits.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn code(&self) -> String {
        code(&self.body)
    }
}

type Told = (UnboundedSender<Sms>, Arc<Mutex<StatusCode>>);

/// A provider of SMS.
pub struct SmsServer {
    port: u16,
    answer: Arc<Mutex<StatusCode>>,
    says: tokio::sync::Mutex<UnboundedReceiver<Sms>>,
    serving: AbortHandle,
}

impl Drop for SmsServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl SmsServer {
    /// Starts it on a free port.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn start() -> Result<Self> {
        let (tell, says) = unbounded_channel();
        let answer = Arc::new(Mutex::new(StatusCode::OK));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let routes = Router::new().fallback(take).with_state((tell, answer.clone()));
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        let serving = serving.abort_handle();
        Ok(Self { port, answer, says: tokio::sync::Mutex::new(says), serving })
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Answers so from now on.
    ///
    /// # Panics
    ///
    /// When a status is none.
    pub fn answer(&self, status: u16) {
        let status = StatusCode::from_u16(status).expect("it is a status");
        *self.answer.lock().expect("nobody panics with it") = status;
    }

    /// The next SMS.
    ///
    /// # Errors
    ///
    /// When none comes.
    pub async fn next(&self) -> Result<Sms> {
        let mut says = self.says.lock().await;
        timeout(LIMIT, says.recv()).await.context("no SMS comes")?.context("the server ended")
    }

    /// How many have come that nobody asked for yet.
    pub async fn waiting(&self) -> usize {
        self.says.lock().await.len()
    }
}

async fn take(State((tell, answer)): State<Told>, request: Request) -> StatusCode {
    let (parts, body) = request.into_parts();
    let header = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    let authorization = header.unwrap_or_default().to_owned();
    let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    let _ = tell.send(Sms {
        uri: parts.uri.to_string(),
        method: parts.method.to_string(),
        authorization,
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    *answer.lock().expect("nobody panics with it")
}
