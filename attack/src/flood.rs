//! Wrong passwords from many addresses at one account, while its owner logs in again and again.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use futures::future::{join_all, try_join};
use meydan_testkit::visitor::address;

use crate::{
    report::{Report, ms},
    town::{OWNER, PASSWORD, Town},
};

/// Guessers at the same time: as many as a botnet that is let wait.
const AT_ONCE: usize = 150;
/// Tries that the gateway takes of each address a minute: what is more than that, it answers by itself.
const A_MINUTE: u32 = 5;
/// Real checks that a day of guessing may come to.
const CHECKS: u64 = 100;
/// How long a login of the owner may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the owner works between two logins, of which a browser is given five a minute as well.
const WORKS: Duration = Duration::from_secs(13);
/// After which the logins are forgotten with which the platform was founded.
const CALM: Duration = Duration::from_mins(1);

/// How the guesses were answered.
#[derive(Debug, Default)]
struct Answers {
    refused: AtomicUsize,
    later: AtomicUsize,
    otherwise: AtomicUsize,
}

pub(crate) async fn run(
    town: &Town,
    (guesses, addresses): (usize, usize),
    report: &mut Report,
) -> Result<()> {
    println!("\n{guesses} wrong passwords from {addresses} addresses at one account");
    tokio::time::sleep(CALM).await;
    let before = town.open_tries("password").await?;
    let (next, answers) = (AtomicUsize::new(0), Answers::default());
    let began = Instant::now();
    let guessing = guess(town, &next, &answers, (guesses, addresses));
    let owner = async {
        let mut times = Vec::new();
        while next.load(Ordering::Relaxed) < guesses {
            times.push(log_in(town).await?);
            tokio::time::sleep(WORKS).await;
        }
        Ok(times)
    };
    let ((), mut times) = try_join(guessing, owner).await?;
    times.sort_unstable();
    let [refused, later, otherwise] = [&answers.refused, &answers.later, &answers.otherwise]
        .map(|counter| counter.load(Ordering::Relaxed));
    println!(
        "answered in {:.0} s: {refused} wrong, {later} come again later, {otherwise} otherwise",
        began.elapsed().as_secs_f32()
    );
    let [median, slowest] = [times.len() / 2, times.len().saturating_sub(1)]
        .map(|place| times.get(place).copied().unwrap_or_default());
    let figure = format!("{} of {}, median {}", ms(slowest), times.len(), ms(median));
    let held = slowest <= PATIENCE && !times.is_empty();
    report.note("flood: the owner's slowest login", &figure, "1 s", held);
    // The owner's own tries are open as well, and right.
    let checks = town.open_tries("password").await? - before - times.len() as u64;
    let (figure, bar) = (checks.to_string(), format!("at most {CHECKS}"));
    report.note("flood: guesses that were really checked", &figure, &bar, checks <= CHECKS);
    let figure = otherwise.to_string();
    report.note("flood: guesses answered in another way", &figure, "none", otherwise == 0);
    Ok(())
}

/// Many guessers at once, each trying the next password from the next address.
async fn guess(
    town: &Town,
    next: &AtomicUsize,
    answers: &Answers,
    (guesses, addresses): (usize, usize),
) -> Result<()> {
    let visitor = town.visitor().await?;
    let began = tokio::time::Instant::now();
    let pause = Duration::from_mins(1) / A_MINUTE / u32::try_from(addresses)?;
    let guessers = (0..AT_ONCE).map(|_| async {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= guesses {
                return anyhow::Ok(());
            }
            // As fast as all addresses together are let through to the account.
            tokio::time::sleep_until(began + pause * u32::try_from(number)?).await;
            let (password, from) = (format!("guess {number}"), address(number % addresses));
            let answer = visitor.log_in(OWNER, &password, &from).await?;
            let counter = match answer.status.as_u16() {
                422 => &answers.refused,
                429 | 503 => &answers.later,
                _ => &answers.otherwise,
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    join_all(guessers).await.into_iter().collect()
}

/// The owner goes out and comes in again; how long coming in took.
async fn log_in(town: &Town) -> Result<Duration> {
    let owner = &town.owner;
    let home = owner.open("/account").await;
    owner.send(&home, "/logout", &[]).await;
    let form = owner.open("/login").await;
    let began = Instant::now();
    let fields = [("email", OWNER), ("password", PASSWORD), ("next", "")];
    let entered = owner.send(&form, "/login", &fields).await;
    let took = began.elapsed();
    ensure!(
        entered.url.ends_with("/c/tehran"),
        "the owner is not let in: {} {}",
        entered.status,
        entered.url
    );
    Ok(took)
}
