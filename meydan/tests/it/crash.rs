//! Killed between any two steps from the webhook to the delivered answer: nothing acknowledged is lost, nothing
//! is shown or sent twice.
//!
//! A lock in PostgreSQL makes the program wait exactly at the step that is named; there it is killed.

use std::time::Duration;

use meydan_testkit::telegram::TelegramSimulator;
use sqlx::{AssertSqlSafe, PgPool};

use crate::{
    erase::database,
    office::{Office, Reach, TOKEN, telegram},
};

const SARA: i64 = 4_200_000_000_000_001;
const PATIENCE: Duration = Duration::from_secs(30);
const MESSAGES: &str = "/c/tehran/inbox/1001/messages";

/// What the program is made to wait for.
enum Held {
    /// Rows that come into a table.
    Table(&'static str),
    /// A reader that moves its checkpoint.
    Checkpoint(&'static str),
}

/// A step, the database in which it is made, and what makes it wait there.
type Step = (&'static str, &'static str, Held);

/// The way of a message to the inbox.
const WAY_IN: [Step; 5] = [
    ("the hub records the update", "bot_hub", Held::Table("es.events")),
    ("the hub moves on in the stream of updates", "bot_hub", Held::Checkpoint("telegram_intake")),
    ("crm records the message", "crm", Held::Table("es.events")),
    ("the hub notes that crm was told", "bot_hub", Held::Table("es.inbox")),
    ("the inbox takes it up", "crm", Held::Checkpoint("inbox")),
];

/// The way of an answer to Telegram, and of what Telegram said to the inbox.
const WAY_OUT: [Step; 5] = [
    ("the hub plans to send", "bot_hub", Held::Table("outbound")),
    ("the hub moves on behind the plan", "bot_hub", Held::Checkpoint("when_reply_written_send")),
    ("the hub records what Telegram said", "bot_hub", Held::Table("es.events")),
    ("crm notes that it was sent", "crm", Held::Table("es.inbox")),
    ("crm moves on behind it", "crm", Held::Checkpoint("when_reply_settled_record")),
];

/// The only step at which nobody knows afterwards whether Telegram has the answer.
const IN_DOUBT: &str = "the hub records what Telegram said";

/// Lets `first` happen, waits until the program waits at `step`, kills it there, and starts it again.
async fn killed_at(
    office: Office,
    (name, context, held): &Step,
    first: impl AsyncFnOnce(&Office),
) -> Office {
    let pool = database(&office.ground, context).await;
    let mut lock = pool.begin().await.expect("the database answers");
    let hold = match held {
        Held::Table(table) => format!("LOCK TABLE {table} IN SHARE MODE"),
        Held::Checkpoint(reader) => {
            format!("SELECT FROM es.checkpoints WHERE reader = '{reader}' FOR UPDATE")
        }
    };
    let holding = sqlx::query(AssertSqlSafe(hold)).execute(&mut *lock).await.expect("it is held");
    if let Held::Checkpoint(_) = held {
        assert_eq!(holding.rows_affected(), 1, "{name}: there is such a reader");
    }
    first(&office).await;
    let waits = tokio::time::timeout(PATIENCE, somebody_waits(&pool)).await;
    waits.unwrap_or_else(|_| panic!("{name}: nobody comes there"));
    let let_go = async {
        // What the dead program has asked for and still waits for would be done all the same.
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
        sqlx::query(end).execute(&pool).await.expect("its sessions can be ended");
        lock.rollback().await.expect("it is let go");
    };
    office.restart_after(let_go).await
}

/// Until a session waits for a lock.
async fn somebody_waits(pool: &PgPool) {
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(pool).await.expect("it answers") == 0 {}
}

/// How often Telegram was given this text.
fn arrived(telegram: &TelegramSimulator, text: &str) -> usize {
    telegram.sent(SARA).iter().filter(|sent| sent.text == text).count()
}

#[tokio::test]
async fn ten_kills_between_webhook_and_delivered_answer_lose_and_repeat_nothing() {
    let telegram = telegram().await;
    let mut office = Office::open(&telegram.url(), Reach::Webhook).await;
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");
    office.owner.until(MESSAGES, "سلام").await;
    office.answer(1001, "درود").await;
    office.owner.until(MESSAGES, "delivery is-sent").await;

    for (number, step) in WAY_IN.iter().enumerate() {
        let text = format!("پیام-{number}-");
        let says = async |_: &Office| {
            telegram.say(TOKEN, SARA, &text).expect("she writes");
        };
        office = killed_at(office, step, says).await;
        office.owner.until(MESSAGES, &text).await;
    }
    for (number, step) in WAY_OUT.iter().enumerate() {
        let text = format!("پاسخ-{number}-");
        let answers = async |office: &Office| {
            office.answer(1001, &text).await;
            if let Held::Checkpoint(_) = step.2 {
                // Then nothing but the checkpoint is missing.
                settled(office).await;
            }
        };
        office = killed_at(office, step, answers).await;
        settled(&office).await;
        assert_eq!(arrived(&telegram, &text), 1, "{}: it was sent once", step.0);
    }

    let page = office.owner.open(MESSAGES).await;
    let shown = |text: &str| page.html.matches(text).count();
    for number in 0..5 {
        assert_eq!(shown(&format!("پیام-{number}-")), 1, "{}", WAY_IN[number].0);
        assert_eq!(shown(&format!("پاسخ-{number}-")), 1, "{}", WAY_OUT[number].0);
    }
    let doubtful = WAY_OUT.iter().filter(|step| step.0 == IN_DOUBT).count();
    assert_eq!(shown("class=\"delivery is-doubt\""), doubtful);
    assert_eq!(shown("class=\"delivery is-sent\""), 1 + WAY_OUT.len() - doubtful);
}

/// Waits until no answer is on its way any more.
async fn settled(office: &Office) {
    let looking = async { while office.owner.open(MESSAGES).await.says("class=\"delivery\"") {} };
    tokio::time::timeout(PATIENCE, looking).await.expect("every answer is settled");
}
