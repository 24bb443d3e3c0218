//! Others act while a command is judged: another process on the same log, at the very moment that matters.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use crate::counter::{Add, Counted, Counter, TooMuch, database, key, meta, target};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use futures::future::BoxFuture;
use meydan_event_log::{Event, EventLog, ExecuteError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How often a command is judged that loses every race: once on a guess, then on what the log holds, and three
/// times more.
const JUDGED: u32 = 5;

/// A counter while whose command is judged somebody else acts.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Watched(Counter);

/// Adds one. What happens meanwhile is told the number of times that it was judged.
#[derive(Clone)]
struct Meanwhile(Arc<dyn Fn(u32) -> BoxFuture<'static, ()> + Send + Sync>, Arc<AtomicU32>);

impl Meanwhile {
    fn new(happens: impl Fn(u32) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(happens), Arc::default())
    }

    fn judged(&self) -> u32 {
        self.1.load(Ordering::Relaxed)
    }
}

impl Aggregate for Watched {
    const TYPE: &'static str = "counter";

    type Command = Meanwhile;
    type Event = Counted;
    type Error = TooMuch;
    type Services = ();

    async fn handle(
        &mut self,
        Meanwhile(happens, judged): Meanwhile,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), TooMuch> {
        happens(judged.fetch_add(1, Ordering::Relaxed) + 1).await;
        sink.write(Counted::Added { by: 1 }, self).await;
        Ok(())
    }

    fn apply(&mut self, event: Counted) {
        self.0.apply(event);
    }
}

/// Open until somebody closes it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Door {
    closed_by: Option<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Ask {
    /// Changes nothing, and is refused when it is closed.
    Pass,
    /// Changes nothing when it is closed.
    Close(u8),
    Open,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Moved {
    #[serde(rename = "door.closed")]
    Closed { by: u8 },
    #[serde(rename = "door.opened")]
    Opened,
}

impl Event for Moved {}

impl DomainEvent for Moved {
    fn event_type(&self) -> String {
        match self {
            Self::Closed { .. } => "door.closed".to_owned(),
            Self::Opened => "door.opened".to_owned(),
        }
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is closed")]
struct Closed;

impl Aggregate for Door {
    const TYPE: &'static str = "door";

    type Command = Ask;
    type Event = Moved;
    type Error = Closed;
    type Services = ();

    async fn handle(&mut self, ask: Ask, (): &(), sink: &EventSink<Self>) -> Result<(), Closed> {
        match (ask, self.closed_by) {
            (Ask::Pass, Some(_)) => return Err(Closed),
            (Ask::Pass | Ask::Open, None) | (Ask::Close(_), Some(_)) => {}
            (Ask::Close(by), None) => sink.write(Moved::Closed { by }, self).await,
            (Ask::Open, Some(_)) => sink.write(Moved::Opened, self).await,
        }
        Ok(())
    }

    fn apply(&mut self, event: Moved) {
        self.closed_by = match event {
            Moved::Closed { by } => Some(by),
            Moved::Opened => None,
        };
    }
}

const DOOR: u128 = 7;

async fn two_processes() -> [EventLog; 2] {
    let url = database().await;
    let open = || async { EventLog::open("counter", &url, 4).await.expect("the log opens") };
    [open().await, open().await]
}

async fn ask(log: &EventLog, ask: Ask) {
    let command = meta(Uuid::new_v4().as_u128());
    log.execute::<Door>(target(DOOR), ask, &command).await.expect("it may");
}

/// While a command is judged, somebody else adds to its counter, as long as it was judged so many times at most.
fn others_add(rival: &EventLog, times: u32) -> Meanwhile {
    let rival = rival.clone();
    Meanwhile::new(move |judged| {
        let rival = rival.clone();
        Box::pin(async move {
            if judged <= times {
                let command = meta(1_000 + u128::from(judged));
                rival.execute::<Counter>(target(1), Add(10), &command).await.expect("it fits");
            }
        })
    })
}

#[tokio::test]
async fn a_command_that_loses_three_races_and_one_more_says_so_and_one_that_wins_the_last_is_done()
{
    let [log, rival] = two_processes().await;

    let command = others_add(&rival, JUDGED);
    let lost = log.execute::<Watched>(target(1), command.clone(), &meta(1)).await;
    assert!(matches!(lost, Err(ExecuteError::Conflict)), "{lost:?}");
    assert_eq!(command.judged(), JUDGED);

    let [log, rival] = two_processes().await;
    let command = others_add(&rival, JUDGED - 1);
    let done = log.execute::<Watched>(target(1), command.clone(), &meta(1)).await;
    assert_eq!(done.expect("it wins in the end").sequence, i64::from(JUDGED));
    assert_eq!(command.judged(), JUDGED);
    let loaded = rival.load::<Counter>(target(1)).await.expect("it can be read");
    assert_eq!(loaded.aggregate.sum, i64::from(JUDGED - 1) * 10 + 1);
}

#[tokio::test]
async fn a_group_counts_on_what_those_say_who_do_not_change() {
    let [log, rival] = two_processes().await;
    // So that the group knows neither of the two, and has to look first.
    for asked in [Ask::Close(1), Ask::Open] {
        ask(&rival, asked).await;
    }
    rival.execute::<Counter>(target(1), Add(1), &meta(1)).await.expect("it fits");
    let closes = rival.clone();
    let command = Meanwhile::new(move |judged| {
        let rival = closes.clone();
        Box::pin(async move {
            if judged == 2 {
                ask(&rival, Ask::Close(2)).await;
            }
        })
    });

    let group = log.group(target(1).tenant).ask::<Door>(target(DOOR).id, Ask::Pass);
    let passed = group.ask::<Watched>(target(1).id, command.clone()).execute(&meta(2)).await;

    assert!(command.judged() >= 2, "the door was closed meanwhile");
    let Err(ExecuteError::Refused(refusal)) = passed else { panic!("{passed:?}") };
    assert_eq!(refusal.downcast_ref(), Some(&Closed));
    let loaded = rival.load::<Counter>(target(1)).await.expect("it can be read");
    assert_eq!(loaded.aggregate.sum, 1);
}

#[tokio::test]
async fn what_was_decided_in_a_lost_race_is_not_remembered() {
    let [log, rival] = two_processes().await;
    ask(&log, Ask::Close(1)).await;
    ask(&log, Ask::Open).await;
    // Which `log` does not hear of: it takes the door for open.
    ask(&rival, Ask::Close(2)).await;

    let group = log.group(target(1).tenant).ask::<Door>(target(DOOR).id, Ask::Close(3));
    let done = group.ask::<Counter>(target(1).id, Add(1)).execute(&meta(2)).await;

    assert_eq!(done.expect("somebody else has closed it").position, 4);
    let loaded = log.load::<Door>(target(DOOR)).await.expect("it can be read");
    assert_eq!((loaded.aggregate.closed_by, loaded.sequence), (Some(2), 3));
}

#[tokio::test]
async fn a_group_of_which_none_changes_writes_nothing() {
    let [log, _] = two_processes().await;

    let group = log.group(target(1).tenant).ask::<Door>(target(DOOR).id, Ask::Pass);
    let group = group.ask::<Door>(target(8).id, Ask::Open).take(&[key("nobody")]);
    let done = group.execute(&meta(1)).await.expect("nobody minds");

    assert_eq!((done.position, done.repeated), (0, false));
    assert_eq!(log.last_position(0).await.expect("it answers"), 0);
    assert_eq!(log.holder(&key("nobody")).await.expect("it can be asked"), None);
}

#[tokio::test]
async fn keys_go_to_the_aggregate_that_was_asked_first_also_when_it_does_not_change() {
    let [log, _] = two_processes().await;

    let group = log.group(target(1).tenant).ask::<Door>(target(DOOR).id, Ask::Pass);
    let group = group.ask::<Counter>(target(1).id, Add(1)).take(&[key("sara")]);
    group.execute(&meta(1)).await.expect("the key is free");

    let holder = log.holder(&key("sara")).await.expect("it can be asked");
    assert_eq!(holder, Some(target(DOOR).id));
}

#[tokio::test]
async fn a_command_that_changed_nothing_is_judged_anew_when_it_comes_again() {
    let [log, _] = two_processes().await;
    ask(&log, Ask::Close(1)).await;
    let again = async || log.execute::<Door>(target(DOOR), Ask::Close(2), &meta(1)).await;
    assert_eq!(again().await.expect("it is closed already").position, 0);
    ask(&log, Ask::Open).await;

    let closed = again().await.expect("it may");

    // See docs/decisions/2026-11-22-what-changes-nothing-is-not-remembered.md.
    assert_eq!((closed.position, closed.repeated), (3, false));
}
