//! Stands before a foreign server, hands every call on unchanged, and notes
//! what was called and answered.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

use super::super::request::Parameters;

const BODY_LIMIT: usize = 60 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(20);

/// A call of a bot on a foreign server.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedCall {
    /// The bot's token.
    pub token: String,
    /// The method, as it was written.
    pub method: String,
    /// What it said; numbers of forms are texts.
    pub parameters: Value,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The answer.
    pub answer: Value,
}

impl RecordedCall {
    /// The text that was sent.
    #[must_use]
    pub fn text(&self) -> &str {
        self.parameters["text"].as_str().unwrap_or_default()
    }

    /// The chat that it is about, also when it was written as text.
    #[must_use]
    pub fn chat(&self) -> Option<i64> {
        let chat = &self.parameters["chat_id"];
        chat.as_i64().or_else(|| chat.as_str()?.parse().ok())
    }

    fn is_accepted(&self) -> bool {
        self.answer["ok"] == Value::Bool(true)
    }

    fn sends(&self, chat: i64) -> bool {
        let method = self.method.to_ascii_lowercase();
        let message = method.starts_with("send") && method != "sendchataction";
        message && self.is_accepted() && self.chat() == Some(chat)
    }
}

struct Tape {
    target: String,
    client: reqwest::Client,
    calls: Mutex<Vec<RecordedCall>>,
    changed: watch::Sender<usize>,
}

impl Tape {
    fn calls(&self) -> MutexGuard<'_, Vec<RecordedCall>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The recorder. It stops when it is dropped.
pub(super) struct Recorder {
    address: std::net::SocketAddr,
    tape: Arc<Tape>,
    serving: JoinHandle<()>,
}

impl Recorder {
    /// Serves on a free port and hands on to `target`.
    pub(super) async fn start(target: &str, client: reqwest::Client) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let tape = Arc::new(Tape {
            target: target.to_owned(),
            client,
            calls: Mutex::default(),
            changed: watch::Sender::new(0),
        });
        let router = Router::new().fallback(hand_on).with_state(Arc::clone(&tape));
        let serving = tokio::spawn(async move {
            // It ends with the recorder only.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { address, tape, serving })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn sent(&self, chat: i64) -> Vec<RecordedCall> {
        self.tape.calls().iter().filter(|call| call.sends(chat)).cloned().collect()
    }

    pub(super) fn refused(&self) -> Vec<RecordedCall> {
        self.tape.calls().iter().filter(|call| !call.is_accepted()).cloned().collect()
    }

    pub(super) async fn wait_sent(&self, chat: i64, n: usize) -> Result<Vec<RecordedCall>> {
        let mut changed = self.tape.changed.subscribe();
        let seek = async {
            loop {
                changed.borrow_and_update();
                let sent = self.sent(chat);
                if sent.len() >= n {
                    return Ok(sent);
                }
                changed.changed().await.context("the recorder stopped")?;
            }
        };
        match timeout(PATIENCE, seek).await {
            Ok(sent) => sent,
            Err(_) => bail!("waited in vain for {n} messages in chat {chat}"),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn hand_on(State(tape): State<Arc<Tape>>, request: Request) -> Response {
    let handed = try_hand_on(&tape, request).await;
    handed.unwrap_or_else(|e| (StatusCode::BAD_GATEWAY, e.to_string()).into_response())
}

async fn try_hand_on(tape: &Tape, request: Request) -> Result<Response> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_LIMIT).await?;
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let mut onward = tape.client.request(head.method.clone(), format!("{}{path}", tape.target));
    if let Some(kind) = head.headers.get(CONTENT_TYPE) {
        onward = onward.header(CONTENT_TYPE, kind);
    }
    let answer = onward.body(body.clone()).send().await?;
    let status = answer.status();
    let kind = answer.headers().get(CONTENT_TYPE).cloned();
    let answer = answer.bytes().await?;
    if let Some((token, method)) = called(head.uri.path()) {
        let parameters = Parameters::read(Request::from_parts(head, Body::from(body))).await;
        let call = RecordedCall {
            token,
            method,
            parameters: parameters.map(|parameters| parameters.all()).unwrap_or_default(),
            status: status.as_u16(),
            answer: serde_json::from_slice(&answer).unwrap_or_default(),
        };
        tape.calls().push(call);
        tape.changed.send_modify(|count| *count += 1);
    }
    let mut response = (status, answer).into_response();
    if let Some(kind) = kind {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    Ok(response)
}

/// Token and method of an address such as `/bot7:x/getMe`.
fn called(path: &str) -> Option<(String, String)> {
    let (token, method) = path.strip_prefix("/bot")?.split_once('/')?;
    Some((token.replace("%3A", ":"), method.to_owned()))
}
