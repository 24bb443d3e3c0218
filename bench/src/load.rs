//! Load: updates of many citizens, as many as go (closed) or so many a second (open, where a late answer
//! does not delay the next question).

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

/// Citizens who write.
const CITIZENS: i64 = 2_000;

/// How the text of an update begins, before its number.
const MARK: &str = "no. ";

/// The numbers of the updates whose texts a page shows.
pub(crate) fn ids(page: &str) -> impl Iterator<Item = i64> {
    page.split(MARK).skip(1).filter_map(|rest| rest.split(' ').next()?.parse().ok())
}

/// Where updates go.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    client: reqwest::Client,
    url: String,
    secret: Option<String>,
}

impl Target {
    pub(crate) fn new(url: String, secret: Option<String>) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(256).build()?;
        Ok(Self { client, url, secret })
    }

    /// Sends an update; how long the 200 took.
    async fn send(&self, id: i64) -> Result<Duration> {
        let chat = 1_000 + id % CITIZENS;
        let update = format!(
            r#"{{"update_id":{id},"message":{{"message_id":{},"date":1790000000,"chat":{{"id":{chat},"type":"private","first_name":"Sara"}},"from":{{"id":{chat},"is_bot":false,"first_name":"Sara"}},"text":"{MARK}{id} سلام، آسفالت کوچهٔ ما خراب است و کسی پاسخگو نیست."}}}}"#,
            id % 1_000_000_000
        );
        let began = Instant::now();
        let mut request = self.client.post(&self.url).body(update);
        if let Some(secret) = &self.secret {
            request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
        }
        let response = request.send().await?;
        let took = began.elapsed();
        ensure!(response.status() == 200, "answered with {}", response.status());
        response.bytes().await?;
        Ok(took)
    }
}

/// How long things took.
#[derive(Debug)]
pub(crate) struct Figures {
    times: Vec<Duration>,
    span: Duration,
}

impl Figures {
    pub(crate) fn new(mut times: Vec<Duration>, span: Duration) -> Self {
        times.sort_unstable();
        Self { times, span }
    }

    /// How many a second.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    pub(crate) fn rate(&self) -> f64 {
        self.times.len() as f64 / self.span.as_secs_f64()
    }

    /// The time within which this part of them was done.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    pub(crate) fn at(&self, part: f64) -> Duration {
        let place = (self.times.len().saturating_sub(1) as f64 * part).round() as usize;
        self.times.get(place).copied().unwrap_or_default()
    }
}

/// So many clients, each asking again as soon as it is answered.
pub(crate) async fn closed(
    target: &Target,
    clients: usize,
    span: Duration,
    first: i64,
) -> Result<Figures> {
    let next = Arc::new(AtomicI64::new(first + 1));
    let began = Instant::now();
    let tasks = (0..clients).map(|_| {
        let (target, next) = (target.clone(), next.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            while began.elapsed() < span {
                times.push(target.send(next.fetch_add(1, Ordering::Relaxed)).await?);
            }
            anyhow::Ok(times)
        })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await??);
    }
    Ok(Figures::new(times, began.elapsed()))
}

/// So many a second, whatever the answers do.
pub(crate) async fn open(
    target: &Target,
    a_second: u32,
    span: Duration,
    first: i64,
) -> Result<Figures> {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / a_second);
    let began = Instant::now();
    let mut tasks = Vec::new();
    let mut id = first;
    while began.elapsed() < span {
        let due = tick.tick().await;
        id += 1;
        let target = target.clone();
        tasks.push(tokio::spawn(async move {
            target.send(id).await?;
            // From when it was due, so that waiting in line counts.
            anyhow::Ok(due.elapsed())
        }));
    }
    let span = began.elapsed();
    let mut times = Vec::new();
    for task in tasks {
        times.push(task.await??);
    }
    Ok(Figures::new(times, span))
}

/// So many a second, one after the other; which was sent when.
pub(crate) async fn steady(
    target: &Target,
    a_second: u32,
    span: Duration,
    first: i64,
) -> Result<Vec<(i64, Instant)>> {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / a_second);
    let (began, mut sent, mut id) = (Instant::now(), Vec::new(), first);
    while began.elapsed() < span {
        tick.tick().await;
        id += 1;
        sent.push((id, Instant::now()));
        target.send(id).await?;
    }
    Ok(sent)
}
