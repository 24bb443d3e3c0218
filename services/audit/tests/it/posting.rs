//! Checkpoints come to a channel: all that were filed, in order, whatever Telegram does meanwhile.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use audit::{
    note::{Checkpoint, Notary},
    post::{PostError, Poster, Posting},
};
use meydan_event_log::Clock;
use meydan_telegram::{ApiFailure, Telegram};
use meydan_testkit::telegram::{
    Fault, TelegramSimulator,
    emulators::{LoBotEmulator, TelegramTestApi},
};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ground::{ISFAHAN, NOON, TEHRAN, pool, url};

const TOKEN: &str = "987654321:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1";
const CHANNEL: i64 = -1_001_234_567_890;

/// A channel, the audit's database, and the time.
struct Scene {
    telegram: TelegramSimulator,
    pool: PgPool,
    notary: Notary,
    now: Arc<Mutex<OffsetDateTime>>,
}

impl Scene {
    async fn set() -> Self {
        let telegram = TelegramSimulator::start().await.expect("it starts");
        telegram.add_bot(TOKEN, "witness_bot");
        telegram.add_channel(TOKEN, CHANNEL, "witness");
        let folder = tempfile::tempdir().expect("there is room");
        let notary = Notary::open(&folder.path().join("audit.pem")).expect("it can be made");
        let pool = pool(&url().await).await;
        for tree in [TEHRAN, ISFAHAN] {
            let made = "INSERT INTO trees (tree_id, size, frontier) VALUES ($1, 1, '')";
            sqlx::query(made).bind(tree).execute(&pool).await.expect("it may");
        }
        Self { telegram, pool, notary, now: Arc::new(Mutex::new(NOON)) }
    }

    /// A poster that has just started.
    fn poster(&self) -> Poster {
        let base = self.telegram.url().parse().expect("it is an address");
        let posting = Posting {
            telegram: Telegram::new(base, None).expect("it can be reached"),
            token: TOKEN.to_owned().into(),
            channel: "@witness".parse().expect("it is a name"),
        };
        let now = self.now.clone();
        Poster::new(self.pool.clone(), posting, Clock::new(move || *now.lock().expect("whole")))
    }

    fn pass(&self, time: Duration) {
        *self.now.lock().expect("whole") += time;
    }

    /// What signing a tree of this size leaves behind.
    async fn sign(&self, tree: Uuid, size: u8, filed: bool) -> String {
        let (root, at) = ([size; 32], NOON + Duration::from_secs(size.into()));
        let note = self.notary.sign(&Checkpoint { tree, size: size.into(), root, at });
        let row = "WITH signed AS (UPDATE trees SET signed = $2 WHERE tree_id = $1) \
                   INSERT INTO checkpoints (tree_id, size, note, filed) VALUES ($1, $2, $3, $4)";
        let row = sqlx::query(row).bind(tree).bind(i64::from(size)).bind(&note).bind(filed);
        row.execute(&self.pool).await.expect("it may");
        note
    }

    /// Posts until nothing is left, waiting as long between posts as it asks for.
    async fn post_all(&self, poster: &mut Poster) {
        while poster.step().await.expect("the channel takes it") {
            self.pass(Duration::from_secs(3));
        }
    }

    fn posted(&self) -> Vec<String> {
        self.telegram.sent(CHANNEL).into_iter().map(|sent| sent.text).collect()
    }
}

#[tokio::test]
async fn what_was_filed_is_posted_word_for_word_once_in_the_order_of_each_tree() {
    let scene = Scene::set().await;
    let mut notes = vec![];
    for size in [1, 4, 9] {
        for tree in [ISFAHAN, TEHRAN] {
            notes.push(scene.sign(tree, size, true).await);
        }
    }
    scene.sign(TEHRAN, 12, false).await;
    let mut poster = scene.poster();

    scene.post_all(&mut poster).await;
    scene.post_all(&mut scene.poster()).await;

    assert_eq!(scene.posted(), notes, "trees take turns, and what is not filed waits");
}

#[tokio::test]
async fn a_channel_gets_no_more_than_twenty_posts_a_minute() {
    let scene = Scene::set().await;
    scene.sign(TEHRAN, 1, true).await;
    scene.sign(ISFAHAN, 1, true).await;
    let mut poster = scene.poster();

    assert!(poster.step().await.expect("the channel takes it"));
    scene.pass(Duration::from_millis(2_999));
    assert!(!poster.step().await.expect("it waits"));
    scene.pass(Duration::from_millis(1));
    assert!(poster.step().await.expect("the channel takes it"));
}

#[tokio::test]
async fn who_is_told_to_wait_asks_nothing_meanwhile() {
    let scene = Scene::set().await;
    let note = scene.sign(TEHRAN, 1, true).await;
    scene.telegram.inject(Fault::TooManyRequests { retry_after: 40 }.times(1));
    let mut poster = scene.poster();

    let told = poster.step().await.expect_err("it is too much");
    scene.pass(Duration::from_secs(39));
    assert!(!poster.step().await.expect("it waits"));
    assert_eq!(scene.telegram.calls().len(), 1);
    scene.pass(Duration::from_secs(1));
    scene.post_all(&mut poster).await;

    let pause = Duration::from_secs(40);
    assert!(matches!(told, PostError::Telegram(ApiFailure::RetryAfter(told)) if told == pause));
    assert_eq!(scene.posted(), [note]);
}

#[tokio::test]
async fn after_an_outage_and_a_crash_nothing_is_missing_and_it_asks_ever_less_often_meanwhile() {
    let scene = Scene::set().await;
    let mut notes = vec![scene.sign(TEHRAN, 1, true).await];
    scene.post_all(&mut scene.poster()).await;
    for size in 2..=4 {
        notes.push(scene.sign(TEHRAN, size, true).await);
    }
    scene.telegram.inject(Fault::Unreachable.always());
    let mut poster = scene.poster();
    for _ in 0..3_600 {
        assert!(poster.step().await.is_ok_and(|posted| !posted) || scene.posted().len() == 1);
        scene.pass(Duration::from_secs(1));
    }
    let tries = scene.telegram.calls().len() - 1;
    drop(poster);
    scene.telegram.clear_faults();

    scene.post_all(&mut scene.poster()).await;

    assert!((12..=18).contains(&tries), "an hour of failing is {tries} tries");
    assert_eq!(scene.posted(), notes);
}

#[tokio::test]
async fn a_lost_answer_posts_the_same_note_twice_and_goes_on() {
    let scene = Scene::set().await;
    let first = scene.sign(TEHRAN, 1, true).await;
    let second = scene.sign(TEHRAN, 2, true).await;
    scene.telegram.inject(Fault::AnswerLost.times(1));
    let mut poster = scene.poster();

    assert!(poster.step().await.is_err());
    scene.pass(Duration::from_secs(60));
    scene.post_all(&mut poster).await;

    assert_eq!(scene.posted(), [first.clone(), first, second]);
}

#[tokio::test]
async fn of_a_tree_that_is_far_behind_the_newest_alone_is_posted_and_of_others_everything() {
    let scene = Scene::set().await;
    let mut newest = String::new();
    for size in 1..=11 {
        newest = scene.sign(TEHRAN, size, true).await;
    }
    let mut all = vec![];
    for size in 1..=10 {
        all.push(scene.sign(ISFAHAN, size, true).await);
    }

    scene.post_all(&mut scene.poster()).await;

    let (tehran, isfahan): (Vec<_>, Vec<_>) =
        scene.posted().into_iter().partition(|note| note.contains(&TEHRAN.to_string()));
    assert_eq!((tehran, isfahan), (vec![newest], all));
}

#[tokio::test]
async fn servers_that_others_wrote_take_a_post() {
    let (one, two) = (LoBotEmulator::start().await, TelegramTestApi::start().await);
    let (one, two) = (one.expect("it starts"), two.expect("it starts"));
    let note = Scene::set().await.sign(TEHRAN, 1, true).await;
    let channel = CHANNEL.to_string().parse().expect("it is a number");
    for url in [one.url(), two.url()] {
        let telegram = Telegram::new(url.parse().expect("it is an address"), None);
        let telegram = telegram.expect("it can be reached");
        telegram.post(&TOKEN.to_owned().into(), &channel, &note).await.expect("it is taken");
    }

    assert_eq!((one.sent(CHANNEL)[0].text(), two.sent(CHANNEL)[0].text()), (&*note, &*note));
}

#[tokio::test]
async fn a_channel_that_is_none_is_refused_before_anything_is_asked() {
    for text in ["", "witness", "@", "@a b c d", "@wi/../tness", "1234", "https://t.me/witness"] {
        assert!(text.parse::<meydan_telegram::Channel>().is_err(), "{text}");
    }
    assert!("-1001234567890".parse::<meydan_telegram::Channel>().is_ok());
}
