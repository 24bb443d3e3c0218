//! With every key destroyed, every read model grows again from its log, and is what it was.

use std::{collections::BTreeSet, time::Duration};

use meydan_testkit::process::{Ground, Meydan};
use sqlx::PgPool;

use crate::{
    erase::database,
    office::{Office, PROGRAM, Reach, TOKEN, telegram},
};

const SARA: i64 = 4_200_000_000_000_001;
const PATIENCE: Duration = Duration::from_secs(60);

/// A projection, and the tables that it alone fills. Whoever adds a projection or a table adds it here: the
/// test knows what there is, and fails until it is told.
struct ReadModel {
    database: &'static str,
    projection: &'static str,
    tables: &'static [&'static str],
    /// Tables that are no copies of facts.
    others: &'static [&'static str],
}

const READ_MODELS: [ReadModel; 3] = [
    ReadModel {
        database: "identity",
        projection: "directory",
        tables: &["accounts", "api_keys", "campaigns", "login_history", "members"],
        others: &[
            "api_key_secrets",
            "credentials",
            "devices",
            "factors",
            "impersonations",
            "invitations",
            "letters",
            "login_challenges",
            "login_failures",
            "login_targets",
            "login_tries",
            "passkey_challenges",
            "proofs",
            "quotas",
            "recoveries",
            "recovery_codes",
            "recovery_requests",
            "sessions",
        ],
    },
    ReadModel {
        database: "crm",
        projection: "inbox",
        tables: &["citizens", "messages", "ticket_numbers", "tickets"],
        others: &[],
    },
    ReadModel {
        database: "bot_hub",
        projection: "hub",
        tables: &["bots", "bots_left", "dialogues"],
        others: &[
            "aside",
            "campaigns_heard",
            "daily",
            "intake_streams",
            "outbound",
            "outbound_pauses",
        ],
    },
];

async fn texts(pool: &PgPool, query: String) -> Vec<String> {
    let asked = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(pool).await;
    asked.expect("the database answers")
}

impl ReadModel {
    /// That nothing is forgotten: every table has its place, and every reader is known.
    async fn is_all_there_is(&self, pool: &PgPool) {
        let known: BTreeSet<_> = self.tables.iter().chain(self.others).copied().collect();
        let query = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'
                     AND tablename NOT LIKE '%migrations' ORDER BY 1";
        let found = texts(pool, query.to_owned()).await;
        assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
        let query = "SELECT reader FROM es.checkpoints
                     WHERE reader NOT LIKE 'when\\_%' AND reader <> 'telegram_intake'";
        assert_eq!(texts(pool, query.to_owned()).await, [self.projection]);
    }

    async fn rows(&self, pool: &PgPool) -> Vec<String> {
        let mut rows = Vec::new();
        for table in self.tables {
            let query = format!("SELECT '{table} ' || to_jsonb(t)::text FROM {table} t ORDER BY 1");
            rows.extend(texts(pool, query).await);
        }
        rows
    }

    async fn drop_all(&self, pool: &PgPool) {
        let tables = self.tables.join(", ");
        let projection = self.projection;
        let drop = format!(
            "TRUNCATE {tables}; DELETE FROM es.checkpoints WHERE reader = '{projection}'; DELETE FROM es.parked"
        );
        let dropped = sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(pool).await;
        dropped.expect("the tables can be emptied");
    }

    /// Whether the projection has seen every fact.
    async fn is_current(&self, pool: &PgPool) -> bool {
        let query = format!(
            "SELECT 'yes' FROM es.checkpoints WHERE reader = '{}'
             AND position = (SELECT max(position) FROM es.events)",
            self.projection
        );
        !texts(pool, query).await.is_empty()
    }
}

async fn destroy_all_keys(ground: &Ground) {
    let destroyed = sqlx::raw_sql(
        "UPDATE subject_keys SET wrapped = NULL, campaign_version = NULL, destroyed_at = now();
         DELETE FROM hash_secrets; DELETE FROM campaign_keys",
    )
    .execute(&database(ground, "keys").await)
    .await;
    destroyed.expect("keys can be destroyed");
}

#[tokio::test]
async fn with_every_key_destroyed_every_read_model_grows_again_from_its_log() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");
    office.owner.until("/c/tehran/inbox/1001/messages", "سلام").await;
    office.answer(1001, "درود").await;
    office.owner.until("/c/tehran/inbox/1001/messages", "delivery is-sent").await;
    let Office { ground, meydan, .. } = office;
    meydan.kill().await;
    let mut before = Vec::new();
    for model in &READ_MODELS {
        let pool = database(&ground, model.database).await;
        model.is_all_there_is(&pool).await;
        let rows = model.rows(&pool).await;
        assert!(!rows.is_empty(), "{} has rows", model.database);
        before.push((model, pool.clone(), rows));
        model.drop_all(&pool).await;
    }
    destroy_all_keys(&ground).await;

    let _meydan = Meydan::start(PROGRAM, &ground).await;

    for (model, pool, rows) in before {
        let current = async { while !model.is_current(&pool).await {} };
        let waited = tokio::time::timeout(PATIENCE, current).await;
        waited.unwrap_or_else(|_| panic!("{} does not come to the end", model.projection));
        assert_eq!(model.rows(&pool).await, rows, "{}", model.database);
        let parked = texts(&pool, "SELECT reader || reason FROM es.parked".to_owned()).await;
        assert_eq!(parked, Vec::<String>::new());
    }
}
