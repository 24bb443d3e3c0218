//! From the sending of an update to the open inbox that shows it: with the news on the page's stream, the list
//! is fetched as the page fetches it, at once and then four times a second at most, and read.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use meydan_testkit::process::Person;
use tokio::sync::watch;

use crate::{
    SPAN,
    load::{self, Figures, Target},
};

/// How often the page fetches at most.
const REST: Duration = Duration::from_millis(250);

/// The page's list of the newest conversations.
const LIST: &str = "/c/bench/inbox/list";

/// Times updates that are sent 100 a second, each from another citizen, until the open inbox shows them.
pub(crate) async fn measure(owner: &Person, hook: &Target, first: i64) -> Result<Figures> {
    let mut live = owner.listen("/c/bench/live", None).await;
    live.chunk().await?;
    let (tell, mut told) = watch::channel(());
    let listening = tokio::spawn(async move {
        while let Ok(Some(piece)) = live.chunk().await {
            if String::from_utf8_lossy(&piece).contains("\"incoming\":true") {
                tell.send_replace(());
            }
        }
    });
    let page = owner.clone();
    let looking = tokio::spawn(async move {
        let mut shown = BTreeMap::new();
        // The stream is silent when all has been shown.
        while let Ok(Ok(())) = tokio::time::timeout(2 * REST, told.changed()).await {
            let list = page.open(LIST).await.html;
            let now = Instant::now();
            for id in load::ids(&list) {
                shown.entry(id).or_insert(now);
            }
            tokio::time::sleep(REST).await;
        }
        shown
    });
    let sent = load::steady(hook, 100, SPAN, first).await?;
    let shown = looking.await?;
    listening.abort();
    let on_it = sent.iter().filter(|(id, _)| shown.contains_key(id)).count();
    ensure!(on_it * 100 >= sent.len() * 95, "only {on_it} of {} were shown", sent.len());
    // A list has room for thirty. What newer ones pushed off it between two looks counts from when those were shown.
    let when = |id: i64| shown.range(id..).map(|(_, at)| *at).min();
    let times = sent
        .iter()
        .filter_map(|&(id, at)| Some(when(id)?.saturating_duration_since(at)))
        .collect::<Vec<_>>();
    ensure!(times.len() == sent.len(), "the last ones were not shown");
    Ok(Figures::new(times, SPAN))
}
