//! What a day in a campaign left behind: databases, keys and the file of checkpoints, and copies of them to do harm to.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::OnceLock,
    time::Duration,
};

use audit::note::Notary;
use meydan_testkit::{ports, process::Ground, servers};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::{process::Command, sync::Mutex};
use uuid::Uuid;

use crate::{
    erase::database,
    office::{Office, PROGRAM, Reach, TOKEN, telegram},
};

const PATIENCE: Duration = Duration::from_secs(30);
/// The databases that are copied.
const DATABASES: [&str; 4] = ["identity", "crm", "bot_hub", "audit"];

/// A day, which is over.
struct Day {
    data: PathBuf,
    settings: HashMap<&'static str, String>,
    campaign: Uuid,
}

/// The day that all tests copy.
fn day() -> &'static Day {
    static DAY: OnceLock<Day> = OnceLock::new();
    DAY.get_or_init(|| {
        let (tell, told) = std::sync::mpsc::channel();
        // What it stands on belongs to a thread of its own, because each test ends its runtime.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                let (day, _ground) = live().await;
                tell.send(day).expect("it is awaited");
                std::future::pending::<()>().await;
            });
        });
        told.recv().expect("the day passes")
    })
}

/// Lives a day: citizens write, the owner answers, and the program ends in order. It is signed when the campaign is
/// open and after each citizen, so that its campaign has three checkpoints at least, on machines of every pace.
async fn live() -> (Day, Ground) {
    let telegram = telegram().await;
    let pace = [
        ("MEYDAN_AUDIT_CHECKPOINT_ENTRIES", "3".to_owned()),
        ("MEYDAN_AUDIT_CHECKPOINT_SECONDS", "1".to_owned()),
    ];
    let office = Office::open_with(&telegram.url(), Reach::Polling, &pace).await;
    signed(&office.ground).await;
    for (citizen, number) in [(71, 1001), (72, 1002)] {
        telegram.say(TOKEN, citizen, "راز").expect("a citizen writes");
        let talk = format!("/c/tehran/inbox/{number}/messages");
        office.owner.until(&talk, "راز").await;
        office.answer(number, "پاسخ").await;
        office.owner.until(&talk, "delivery is-sent").await;
        signed(&office.ground).await;
    }
    let Office { ground, meydan, .. } = office;
    meydan.stop().await;
    let crm = database(&ground, "crm").await;
    let campaign = sqlx::query_scalar("SELECT tenant_id FROM tickets LIMIT 1");
    let campaign = campaign.fetch_one(&crm).await.expect("there are tickets");
    crm.close().await;
    let day = Day { data: ground.data().to_owned(), settings: ground.settings.clone(), campaign };
    (day, ground)
}

/// Waits until every fact is an entry, and every entry is signed.
async fn signed(ground: &Ground) {
    let audit = database(ground, "audit").await;
    let looking = async {
        for log in ["identity", "crm", "bot_hub"] {
            let pool = database(ground, log).await;
            let facts = "SELECT coalesce(max(position), 0) FROM es.events";
            let entries = "SELECT coalesce(max(position), 0) FROM entries WHERE log = $1";
            loop {
                let facts: i64 = sqlx::query_scalar(facts).fetch_one(&pool).await.expect("facts");
                let entries = sqlx::query_scalar::<_, i64>(entries).bind(log).fetch_one(&audit);
                if entries.await.expect("entries") == facts {
                    break;
                }
            }
            pool.close().await;
        }
        let unsigned = "SELECT count(*) FROM trees WHERE size > signed";
        while sqlx::query_scalar::<_, i64>(unsigned).fetch_one(&audit).await.expect("trees") > 0 {}
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("facts arrive and are signed");
    audit.close().await;
}

/// A copy of the day, to do harm to.
pub(super) struct Copy {
    settings: HashMap<&'static str, String>,
    prefix: String,
    folder: tempfile::TempDir,
    pub(super) campaign: Uuid,
}

impl Copy {
    pub(super) async fn new() -> Self {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
        // Beside the test's own threads: the first one lives the day.
        let day = tokio::task::spawn_blocking(day).await.expect("the day passes");
        let (folder, prefix) = (servers::folder(), servers::prefix());
        let _guard = ONE_AT_A_TIME.lock().await;
        let server = &day.settings["MEYDAN_DATABASE_URL"];
        let mut session = PgConnection::connect(server).await.expect("PostgreSQL answers");
        for name in DATABASES {
            let copied = format!("{}{name}", day.settings["MEYDAN_DATABASE_PREFIX"]);
            let copy = format!("CREATE DATABASE \"{prefix}{name}\" TEMPLATE \"{copied}\"");
            let made = sqlx::raw_sql(sqlx::AssertSqlSafe(copy)).execute(&mut session).await;
            made.expect("a database can be copied");
        }
        let file = day.data.join("audit").join(audit::FILE);
        std::fs::copy(file, folder.path().join(audit::FILE)).expect("the file can be copied");
        let mut settings = day.settings.clone();
        settings.insert("MEYDAN_DATABASE_PREFIX", prefix.clone());
        settings.insert("MEYDAN_AUDIT_FOLDER", folder.path().display().to_string());
        settings.insert("MEYDAN_DATA_DIR", day.data.display().to_string());
        Self { settings, prefix, folder, campaign: day.campaign }
    }

    /// The file of checkpoints.
    pub(super) fn file(&self) -> PathBuf {
        Path::new(self.folder.path()).join(audit::FILE)
    }

    /// Signs as the platform does.
    pub(super) fn notary(&self) -> Notary {
        let key = Path::new(&self.settings["MEYDAN_DATA_DIR"]).join("secrets/audit.pem");
        Notary::open(&key).expect("it is there")
    }

    /// A session of somebody who may do everything, and for whom no trigger fires.
    pub(super) async fn session(&self, name: &str) -> PgConnection {
        let server = &self.settings["MEYDAN_DATABASE_URL"];
        let mut url = url::Url::parse(server).expect("it is a URL");
        url.set_path(&format!("{}{name}", self.prefix));
        let mut session = PgConnection::connect(url.as_str()).await.expect("it answers");
        let free = sqlx::raw_sql("SET session_replication_role = replica");
        free.execute(&mut session).await.expect("a superuser may");
        session
    }

    /// Has the program find no broker any more; where it was.
    pub(super) fn without_broker(&mut self) -> String {
        let nowhere = format!("nats://127.0.0.1:{}", ports::free());
        self.settings.insert("MEYDAN_NATS_URL", nowhere).expect("there was one")
    }

    /// Has the program find the broker where it was.
    pub(super) fn with_broker(&mut self, url: String) {
        self.settings.insert("MEYDAN_NATS_URL", url);
    }

    /// How often it is on record that checkpoints of the campaign were let go of.
    pub(super) async fn let_go_on_record(&self) -> i64 {
        let facts = "SELECT count(*) FROM es.events
                     WHERE event_type = 'operation.checkpoints_let_go' AND tenant_id = $1";
        let facts = sqlx::query_scalar(facts).bind(self.campaign);
        facts.fetch_one(&mut self.session("identity").await).await.expect("it can be read")
    }

    /// Does something in a database.
    pub(super) async fn harm(&self, name: &str, sql: &str) {
        let sql = sql.replace("$CAMPAIGN", &format!("'{}'", self.campaign));
        let mut session = self.session(name).await;
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut session).await;
        assert!(done.expect("a superuser may").rows_affected() > 0, "harm was done");
    }

    pub(super) async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).envs(&self.settings).stdin(Stdio::null());
        command.output().await.expect("the program starts")
    }

    /// What `meydan audit verify` found, which failed if that is anything.
    pub(super) async fn findings(&self) -> Vec<Value> {
        self.verify(&[]).await["findings"].as_array().expect("a list").clone()
    }

    /// The report of `meydan audit verify`.
    pub(super) async fn verify(&self, more: &[&str]) -> Value {
        let output = self.run(&[&["audit", "verify", "--json"], more].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let found: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
        let report = found["report"].clone();
        let clean = report["findings"] == serde_json::json!([]);
        assert_eq!(output.status.success(), clean, "it fails when anything is wrong: {said}");
        for finding in report["findings"].as_array().expect("a list") {
            assert!(said.contains(finding["words"].as_str().expect("words")), "{said}");
        }
        report
    }
}
