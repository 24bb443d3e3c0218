//! The simulator delivers updates to webhooks as Telegram does.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use meydan_testkit::telegram::TelegramSimulator;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

const TOKEN: &str = "7000000001:delivery";

/// Status, `Retry-After` and body.
type Answer = (u16, &'static str, &'static str);

/// A webhook that answers what it is told to, and 200 otherwise.
#[derive(Clone)]
struct Hook {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    got: Arc<Mutex<Vec<(i64, String)>>>,
    secrets: Arc<Mutex<Vec<String>>>,
    gate: Arc<Semaphore>,
    entered: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    most_inside: Arc<AtomicUsize>,
    url: String,
}

impl Hook {
    async fn start() -> Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let hook = Self {
            answers: Arc::default(),
            got: Arc::default(),
            secrets: Arc::default(),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            entered: Arc::new(Semaphore::new(0)),
            inside: Arc::default(),
            most_inside: Arc::default(),
            url: format!("http://{}/hook", listener.local_addr()?),
        };
        let router = Router::new().route("/hook", post(receive)).with_state(hook.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(hook)
    }

    /// Answers the next updates with these status codes.
    fn answer(&self, statuses: &[u16]) {
        let answers = statuses.iter().map(|status| (*status, "", ""));
        locked(&self.answers).extend(answers);
    }

    /// Texts that arrived, in order.
    fn texts(&self) -> Vec<String> {
        locked(&self.got).iter().map(|(_, text)| text.clone()).collect()
    }
}

fn locked<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().expect("nobody panicked while holding it")
}

async fn receive(
    State(hook): State<Hook>,
    headers: HeaderMap,
    axum::Json(update): axum::Json<Value>,
) -> Response {
    let text = update["message"]["text"].as_str().unwrap_or_default().to_owned();
    let chat = update["message"]["chat"]["id"].as_i64().unwrap_or_default();
    locked(&hook.got).push((chat, text));
    let secret = headers.get("x-telegram-bot-api-secret-token");
    let secret = secret.and_then(|secret| secret.to_str().ok()).unwrap_or_default().to_owned();
    locked(&hook.secrets).push(secret);
    let inside = hook.inside.fetch_add(1, Ordering::SeqCst) + 1;
    hook.most_inside.fetch_max(inside, Ordering::SeqCst);
    hook.entered.add_permits(1);
    hook.gate.acquire().await.expect("the gate is never closed").forget();
    hook.inside.fetch_sub(1, Ordering::SeqCst);
    let (status, retry_after, body) = locked(&hook.answers).pop_front().unwrap_or((200, "", ""));
    let status = StatusCode::from_u16(status).expect("tests use proper codes");
    if retry_after.is_empty() {
        return (status, body).into_response();
    }
    (status, [("retry-after", retry_after)], body).into_response()
}

async fn started() -> Result<(TelegramSimulator, Hook)> {
    let simulator = TelegramSimulator::start().await?;
    simulator.add_bot(TOKEN, "candidate_bot");
    let hook = Hook::start().await?;
    Ok((simulator, hook))
}

async fn set_webhook(simulator: &TelegramSimulator, parameters: Value) -> Result<Value> {
    let address = format!("{}/bot{TOKEN}/setWebhook", simulator.url());
    Ok(reqwest::Client::new().post(address).json(&parameters).send().await?.json().await?)
}

#[tokio::test]
async fn an_update_arrives_with_the_secret() -> Result<()> {
    let (simulator, hook) = started().await?;
    set_webhook(&simulator, json!({"url": hook.url, "secret_token": "s3-cret_"})).await?;

    simulator.say(TOKEN, 5, "سلام")?;
    simulator.wait_drained(TOKEN).await?;

    assert_eq!(hook.texts(), ["سلام"]);
    assert_eq!(*locked(&hook.secrets), ["s3-cret_"]);
    assert!(simulator.executed_replies().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_chat_waits_for_its_first_update_while_others_go_on() -> Result<()> {
    let (simulator, hook) = started().await?;
    set_webhook(&simulator, json!({ "url": hook.url })).await?;
    hook.answer(&[503]);

    simulator.say(TOKEN, 5, "first")?;
    simulator.wait_deliveries(1).await?;
    simulator.say(TOKEN, 5, "second")?;
    simulator.say(TOKEN, 6, "other chat")?;
    simulator.wait_deliveries(2).await?;
    assert_eq!(hook.texts(), ["first", "other chat"]);

    simulator.advance(Duration::from_secs(1));
    simulator.wait_drained(TOKEN).await?;
    assert_eq!(hook.texts(), ["first", "other chat", "first", "second"]);
    Ok(())
}

#[tokio::test]
async fn no_more_connections_than_allowed_are_open() -> Result<()> {
    let (simulator, hook) = started().await?;
    set_webhook(&simulator, json!({"url": hook.url, "max_connections": 2})).await?;
    hook.gate.forget_permits(Semaphore::MAX_PERMITS);

    for chat in 1..=4 {
        simulator.say(TOKEN, chat, "hello")?;
    }
    hook.entered.acquire_many(2).await?.forget();
    hook.gate.add_permits(4);
    simulator.wait_drained(TOKEN).await?;
    assert_eq!(hook.texts().len(), 4);
    assert_eq!(hook.most_inside.load(Ordering::SeqCst), 2);
    Ok(())
}

#[tokio::test]
async fn failures_are_repeated_after_twice_the_time_up_to_two_minutes() -> Result<()> {
    let (simulator, hook) = started().await?;
    set_webhook(&simulator, json!({ "url": hook.url })).await?;
    hook.answer(&[500; 10]);
    simulator.say(TOKEN, 5, "hello")?;

    let mut waits = Vec::new();
    for attempt in 1..=10 {
        let deliveries = simulator.wait_deliveries(attempt).await?;
        let wait = deliveries[attempt - 1].retry_in.expect("it is tried again");
        waits.push(wait.as_secs());
        simulator.advance(wait);
    }
    simulator.wait_drained(TOKEN).await?;

    assert_eq!(waits[..6], [1, 2, 4, 8, 16, 32]);
    assert!(waits[6..].iter().all(|wait| (60..=120).contains(wait)), "{waits:?}");
    Ok(())
}

#[tokio::test]
async fn retry_after_is_obeyed_up_to_an_hour() -> Result<()> {
    let (simulator, hook) = started().await?;
    set_webhook(&simulator, json!({ "url": hook.url })).await?;
    locked(&hook.answers).extend([(503, "7", ""), (503, "99999", "")]);
    simulator.say(TOKEN, 5, "hello")?;

    let first = simulator.wait_deliveries(1).await?[0].retry_in;
    assert_eq!(first, Some(Duration::from_secs(7)));
    simulator.advance(Duration::from_secs(7));
    let second = simulator.wait_deliveries(2).await?[1].retry_in;
    assert_eq!(second, Some(Duration::from_hours(1)));
    Ok(())
}

#[tokio::test]
async fn an_update_is_dropped_when_its_next_try_would_come_after_a_day() -> Result<()> {
    let (simulator, hook) = started().await?;
    set_webhook(&simulator, json!({ "url": hook.url })).await?;
    locked(&hook.answers).extend([(503, "3600", ""), (503, "", "")]);
    simulator.say(TOKEN, 5, "lost")?;
    simulator.wait_deliveries(1).await?;

    simulator.advance(Duration::from_hours(24));
    simulator.wait_drained(TOKEN).await?;

    let last = simulator.deliveries().pop().expect("there were two");
    assert_eq!((last.status, last.retry_in), (Some(503), None));
    Ok(())
}

#[tokio::test]
async fn a_webhook_that_is_gone_for_23_hours_is_removed() -> Result<()> {
    let (simulator, hook) = started().await?;
    set_webhook(&simulator, json!({ "url": hook.url })).await?;
    locked(&hook.answers).extend([(410, "3600", ""), (410, "3600", ""), (410, "60", "")]);
    simulator.say(TOKEN, 5, "hello")?;

    simulator.wait_deliveries(1).await?;
    simulator.advance(Duration::from_hours(22));
    simulator.wait_deliveries(2).await?;
    assert_eq!(simulator.webhook(TOKEN), Some(hook.url.clone()));

    simulator.advance(Duration::from_hours(1));
    simulator.wait_deliveries(3).await?;
    assert_eq!(simulator.webhook(TOKEN), None);
    assert_eq!(simulator.pending(TOKEN), 1);
    Ok(())
}

#[tokio::test]
async fn a_webhook_that_is_set_anew_gets_what_waits_at_once() -> Result<()> {
    let (simulator, hook) = started().await?;
    set_webhook(&simulator, json!({"url": "http://127.0.0.1:9/nobody"})).await?;
    simulator.say(TOKEN, 5, "hello")?;
    let failed = simulator.wait_deliveries(1).await?;
    assert_eq!(failed[0].status, None);

    set_webhook(&simulator, json!({ "url": hook.url })).await?;
    simulator.wait_drained(TOKEN).await?;
    assert_eq!(hook.texts(), ["hello"]);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_telegram_would_execute_is_noticed() -> Result<()> {
    let (simulator, hook) = started().await?;
    set_webhook(&simulator, json!({ "url": hook.url })).await?;
    locked(&hook.answers).push_back((200, "", "chat_id=5&method=sendMessage&text=x"));
    simulator.say(TOKEN, 5, "hello")?;
    simulator.wait_drained(TOKEN).await?;
    assert_eq!(simulator.executed_replies().len(), 1);
    Ok(())
}

#[tokio::test]
async fn kinds_that_are_not_wanted_are_not_delivered() -> Result<()> {
    let (simulator, hook) = started().await?;
    let wish = json!({"url": hook.url, "allowed_updates": ["message"]});
    set_webhook(&simulator, wish).await?;
    simulator.block(TOKEN, 5)?;
    assert_eq!(simulator.pending(TOKEN), 0);
    simulator.say(TOKEN, 5, "hello")?;
    simulator.wait_drained(TOKEN).await?;
    assert_eq!(hook.texts(), ["hello"]);
    Ok(())
}
