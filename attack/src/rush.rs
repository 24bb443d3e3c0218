//! Many logins at the same moment, from whom their accounts do not know, beside people at work.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::Result;
use futures::future::{join_all, try_join};
use meydan_testkit::visitor::network;

use crate::{
    report::{Report, ms},
    town::{KNOWN, PASSWORD, Town, known},
};

/// Within which 95 of 100 pages come.
const PAGES: Duration = Duration::from_millis(200);
/// Waves of logins, one after the other.
const WAVES: usize = 5;
/// People at work, each of whom opens a page every so often.
const AT_WORK: usize = 5;
const EVERY: Duration = Duration::from_millis(50);
/// How many times as many logins come in the wave that is too much.
const TOO_MANY: usize = 3;

pub(crate) async fn run(town: &Town, logins: usize, report: &mut Report) -> Result<()> {
    println!(
        "\n{logins} logins at the same moment, {WAVES} times, and once {TOO_MANY} times as many"
    );
    let over = AtomicBool::new(false);
    let rush = async {
        let mut waves = Vec::new();
        for number in 0..WAVES {
            waves.push(wave(town, number, logins).await?);
        }
        let excess = wave(town, WAVES, TOO_MANY * logins).await?;
        over.store(true, Ordering::Relaxed);
        anyhow::Ok((waves, excess))
    };
    let ((waves, excess), mut times) = try_join(rush, work(town, &over)).await?;
    times.sort_unstable();
    let at =
        |hundredths: usize| times.get(times.len() * hundredths / 100).copied().unwrap_or_default();
    let (pages, [p50, p95, p99]) = (times.len(), [50, 95, 99].map(at));
    let figure = format!("{} (p50 {}, p99 {}, {pages} pages)", ms(p95), ms(p50), ms(p99));
    report.note("rush: p95 of the pages of others", &figure, "200 ms", p95 <= PAGES);
    let counts = waves.iter().map(|wave| format!("{}+{}", wave.entered, wave.later));
    let all = waves.iter().all(|wave| wave.entered + wave.later == logins);
    let (figure, bar) = (counts.collect::<Vec<_>>().join(", "), format!("{logins} each time"));
    report.note("rush: logins let in, and told when to come again", &figure, &bar, all);
    let Wave { entered, later, otherwise } = excess;
    let figure = format!("{later} ({entered} let in, {otherwise} otherwise)");
    let told = later > 0 && otherwise == 0;
    report.note("rush: 503 with Retry-After, when it is too much", &figure, "some, no other", told);
    Ok(())
}

/// People open the inbox again and again; how long each page took.
async fn work(town: &Town, over: &AtomicBool) -> Result<Vec<Duration>> {
    let people = (0..AT_WORK).map(|_| async {
        let mut times = Vec::new();
        let mut tick = tokio::time::interval(EVERY);
        while !over.load(Ordering::Relaxed) {
            tick.tick().await;
            let asked = Instant::now();
            let page = town.owner.open("/c/tehran/inbox").await;
            times.push(asked.elapsed());
            anyhow::ensure!(page.status == 200, "a page fails: {}", page.status);
        }
        Ok(times)
    });
    let times = join_all(people).await.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(times.concat())
}

/// How the logins of a wave ended.
#[derive(Debug, Default)]
struct Wave {
    entered: usize,
    later: usize,
    otherwise: usize,
}

/// Right passwords, each from a network of its own.
async fn wave(town: &Town, number: usize, logins: usize) -> Result<Wave> {
    let visitor = town.visitor().await?;
    let tries = (0..logins).map(|login| {
        let visitor = &visitor;
        async move {
            let from = network(20_000 + number * 1_000 + login);
            visitor.log_in(&known(login % KNOWN), PASSWORD, &from).await
        }
    });
    let mut wave = Wave::default();
    for answer in join_all(tries).await {
        let answer = answer?;
        match answer.status.as_u16() {
            303 if answer.location != "/login" => wave.entered += 1,
            503 if answer.retry_after.is_some() => wave.later += 1,
            _ => wave.otherwise += 1,
        }
    }
    Ok(wave)
}
