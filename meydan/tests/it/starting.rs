//! `meydan up` as an operator meets it: it starts, says what is wrong in one line, and ends in order.

use std::{
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Stdio,
    time::Duration,
};

use meydan_testkit::{
    process::{Ground, Meydan, Person},
    servers::{self, workspace},
};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

use crate::office::{self, PASSWORD, PROGRAM};

/// Servers of its own, in a folder of its own.
async fn ground() -> Ground {
    let mut ground = Ground::prepare("http://127.0.0.1:9").await;
    ground.settings.remove("MEYDAN_DATABASE_URL");
    ground.settings.remove("MEYDAN_NATS_URL");
    ground
}

/// Starts the program, which does not get far, and returns the last line that it says.
async fn last_words(ground: &Ground, change: &[(&str, &str)]) -> String {
    let output = Command::new(PROGRAM)
        .args(["up", "--runtime"])
        .arg(workspace().join(".meydan/runtime"))
        .env("MEYDAN_DATA_DIR", ground.data())
        .env("MEYDAN_LOG_LEVEL", "error")
        .envs(&ground.settings)
        .envs(change.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(30), output).await;
    let output = output.expect("it ends").expect("it starts");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines().rfind(|line| line.starts_with("meydan: ")).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn it_starts_twice_in_a_row_and_ends_in_order() {
    let ground = ground().await;
    for round in 0..2 {
        let meydan = Meydan::start(PROGRAM, &ground).await;
        assert!(meydan.first_link.is_some(), "nobody has used the link of round {round}");
        assert_eq!(Person::visiting(&meydan.url).open("/healthz").await.status, 200);
        let (status, took) = meydan.stop().await;
        assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
        let left = ground.data().join("data/postgres/postmaster.pid");
        assert!(!left.exists(), "PostgreSQL was stopped");
    }
}

#[tokio::test]
async fn after_a_kill_it_starts_again_on_the_same_data() {
    let ground = ground().await;
    let meydan = Meydan::start(PROGRAM, &ground).await;
    meydan.kill().await;

    let meydan = Meydan::start(PROGRAM, &ground).await;

    assert_eq!(Person::visiting(&meydan.url).open("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_half_finished_first_start_is_healed() {
    let ground = ground().await;
    let half = ground.data().join("data/postgres.new");
    std::fs::create_dir_all(&half).expect("it can be made");
    std::fs::write(half.join("PG_VERSION"), "18\n").expect("it can be written");

    let meydan = Meydan::start(PROGRAM, &ground).await;

    assert_eq!(Person::visiting(&meydan.url).open("/healthz").await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_is_said_in_one_line_with_what_to_do() {
    let ground = ground().await;
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let taken = taken.local_addr().map(|address| (address.to_string(), taken)).expect("an address");

    let said = last_words(&ground, &[("MEYDAN_METRICS_LISTEN", &taken.0)]).await;
    assert!(said.contains(&taken.0) && said.contains("set metrics-listen"), "{said}");
    assert!(!ground.data().join("data/postgres").exists(), "it is said before anything starts");

    let said = last_words(&ground, &[("MEYDAN_LISTEN", &taken.0)]).await;
    assert!(said.contains(&taken.0) && said.contains("set listen"), "{said}");

    let said = last_words(&ground, &[("MEYDAN_DATABASE_URL", "postgres://x:y@127.0.0.1:9")]).await;
    assert!(said.contains("database-url") && said.contains("cannot be reached"), "{said}");
    assert!(said.contains("127.0.0.1:9 (") && said.contains("user `x`"), "{said}");
    assert_eq!(said.matches("Connection refused").count(), 1, "a cause is told once: {said}");

    let mut wrong = url::Url::parse(servers::postgres()).expect("it is a URL");
    wrong.set_password(Some("guessed")).expect("it may have one");
    let said = last_words(&ground, &[("MEYDAN_DATABASE_URL", wrong.as_str())]).await;
    assert!(said.contains("does not let the user `postgres` in"), "{said}");
    assert!(said.contains("database-url") && !said.contains("guessed"), "{said}");
    assert_eq!(said.matches("authentication failed").count(), 1, "{said}");

    let said = last_words(&ground, &[("MEYDAN_NATS_URL", "nats://127.0.0.1:9")]).await;
    assert!(said.contains("nats-url") && said.contains("cannot be reached"), "{said}");
    assert!(said.contains("127.0.0.1:9;"), "{said}");

    let key = ground.data().join("secrets/platform.key");
    std::fs::create_dir_all(&key).expect("something else can stand there");
    let said = last_words(&ground, &[]).await;
    assert!(said.contains("platform-key-file") && said.contains("put the file back"), "{said}");
    assert!(said.contains(&key.display().to_string()), "{said}");

    let said = last_words(&ground, &[("MEYDAN_LISTN", "x")]).await;
    assert!(said.contains("MEYDAN_LISTN") && said.contains("is not known"), "{said}");

    let old = ground.data().join("data/postgres");
    let _ = std::fs::remove_dir_all(&old);
    std::fs::create_dir_all(&old).expect("it can be made");
    std::fs::write(old.join("PG_VERSION"), "15\n").expect("it can be written");
    let said = last_words(&ground, &[]).await;
    assert!(said.contains("PostgreSQL 15") && said.contains("18"), "{said}");
}

/// Says hello as a NATS that takes only small messages would.
fn small_nats() -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("it can be accepted");
            let hello = "INFO {\"server_id\":\"x\",\"version\":\"2.15.0\",\"proto\":1,\"jetstream\":true,\
                         \"headers\":true,\"max_payload\":65536}\r\nPONG\r\n";
            let _ = connection.write_all(hello.as_bytes());
            // Held until the other end has enough.
            let _ = std::io::copy(&mut connection, &mut std::io::sink());
        }
    });
    format!("nats://{address}")
}

#[tokio::test]
async fn a_broker_that_would_refuse_large_updates_is_told_at_the_start() {
    let ground = ground().await;

    let said = last_words(&ground, &[("MEYDAN_NATS_URL", &small_nats())]).await;

    assert!(said.contains("nats-url") && said.contains("max_payload to 786432"), "{said}");
}

#[tokio::test]
async fn a_second_program_in_the_same_folder_is_told_of_the_first() {
    let ground = ground().await;
    let meydan = Meydan::start(PROGRAM, &ground).await;

    let said = last_words(&ground, &[]).await;

    let id = meydan.id().expect("it runs").to_string();
    assert!(said.contains("already runs") && said.contains(&id), "{said}");
}

/// Starts `up --demo` and reads what it says until it says `words`.
async fn started_until(ground: &Ground, words: &str) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut child = Command::new(PROGRAM)
        .args(["up", "--demo", "--runtime"])
        .arg(workspace().join(".meydan/runtime"))
        .env("MEYDAN_DATA_DIR", ground.data())
        .env("MEYDAN_LOG_LEVEL", "error")
        .envs(&ground.settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is ours")).lines();
    let reading = async {
        while !lines.next_line().await.expect("it speaks").expect("it goes on").contains(words) {}
    };
    tokio::time::timeout(Duration::from_secs(60), reading).await.expect("it gets there");
    (child, lines)
}

/// What a program says until it ends, and whether it ended well.
async fn end(mut child: Child, mut lines: Lines<BufReader<ChildStderr>>) -> (bool, String) {
    let ending = async {
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.expect("it speaks") {
            said.push_str(&line);
            said.push('\n');
        }
        (child.wait().await.expect("it ends").success(), said)
    };
    tokio::time::timeout(Duration::from_secs(30), ending).await.expect("it ends")
}

fn signal(process: Option<u32>, name: &str) {
    let process = process.expect("it runs").to_string();
    let sent = std::process::Command::new("kill").args([name, &process]).status();
    assert!(sent.expect("kill is there").success(), "the signal was sent");
}

#[tokio::test]
async fn told_to_stop_at_any_moment_it_stops_everything_in_order() {
    let ground = ground().await;
    for moment in ["starting the services", "playing a month"] {
        let (child, lines) = started_until(&ground, moment).await;

        signal(child.id(), "-INT");

        let (well, said) = end(child, lines).await;
        assert!(well && said.ends_with("meydan: stopped\n"), "after {moment}: {said}");
        let left = ground.data().join("data/postgres/postmaster.pid");
        assert!(!left.exists(), "PostgreSQL was stopped after {moment}");
        if moment == "playing a month" {
            assert!(said.contains("meydan: stopping\n"), "the services were stopped first: {said}");
        }
    }
}

/// The first one-time link of a file of letters, once one has come.
async fn first_letter(letters: &Path) -> String {
    let found = async {
        loop {
            let said = tokio::fs::read_to_string(letters).await.unwrap_or_default();
            // The last line may not be there as a whole yet.
            let lines = said.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let mut words = lines.flat_map(str::split_whitespace);
            let link = words.find(|word| word.contains("/welcome/"));
            if let Some(link) = link.and_then(|word| word.get(word.find("http")?..)) {
                return link.to_owned();
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found).await.expect("a letter comes")
}

#[tokio::test]
async fn nobody_in_the_demo_can_be_proved_with_anything_before_they_have_used_their_link() {
    let ground = office::ground("http://127.0.0.1:9").await;
    let (server, _) = servers::postgres().rsplit_once('/').expect("it names a database");
    let database = format!("{server}/{}identity", ground.prefix());
    // The team of a campaign is asked before the first of its month is played.
    let _running = started_until(&ground, ": 0 of ").await;
    let tables = PgPool::connect(&database).await.expect("it answers");
    let rows = async |table: &str| -> i64 {
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(count).fetch_one(&tables).await.expect("it answers")
    };
    assert!(rows("accounts").await > 1, "there are people");
    for table in ["credentials", "factors", "recovery_codes", "api_key_secrets", "sessions"] {
        assert_eq!(rows(table).await, 0, "{table}");
    }

    let link = first_letter(&ground.data().join("letters.txt")).await;
    let person = Person::visiting(&link);
    let form = person.open(&link).await;
    let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
    let home = person.send(&form, &link, &passwords).await;

    assert_eq!(home.status, 200, "{}", home.html);
    assert_eq!((rows("credentials").await, rows("sessions").await), (1, 1), "theirs alone");
}

#[tokio::test]
async fn when_a_server_of_its_own_is_gone_it_ends_and_says_so() {
    for (server, pid) in [("PostgreSQL", "postgres/postmaster.pid"), ("NATS", "nats/nats.pid")] {
        let ground = ground().await;
        let (child, lines) = started_until(&ground, "playing a month").await;
        let pid = std::fs::read_to_string(ground.data().join("data").join(pid));
        let pid = pid.expect("it runs").lines().next().and_then(|pid| pid.trim().parse().ok());

        // As the system does when memory runs out.
        signal(pid, "-KILL");

        let (well, said) = end(child, lines).await;
        let last = said.lines().last().unwrap_or_default();
        assert!(!well && last.starts_with(&format!("meydan: {server} ended by itself")), "{said}");
    }
}

#[tokio::test]
async fn whoever_may_not_read_the_secrets_is_told_as_whom_to_come() {
    let ground = ground().await;
    Meydan::start(PROGRAM, &ground).await.stop().await;
    let secret = ground.data().join("secrets/postgres.password");
    let closed = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(&secret, closed).expect("it is ours");
    let mut command = ground.command(PROGRAM, &["verify"]);
    if std::fs::metadata("/proc/self").expect("a Linux").uid() == 0 {
        // Root may read anything.
        command.uid(65_534).gid(65_534);
    }

    let output = command.output().await.expect("it starts");

    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("data-dir") && said.contains("postgres.password"), "{said}");
    assert!(said.contains("run this as the user that Meydan runs as"), "{said}");
}
