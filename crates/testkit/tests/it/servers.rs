//! The servers of tests: what they hold survives a kill, and clients find them again.

use async_nats::jetstream::{self, stream};
use meydan_testkit::servers::{Nats, Postgres, postgres, prefix};
use sqlx::{Connection, PgConnection};

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("PostgreSQL answers")
}

#[tokio::test]
async fn all_tests_of_a_process_share_a_server_and_each_has_its_own_databases() {
    let (first, second) = (prefix(), prefix());
    let mut connection = connect(postgres()).await;

    for name in [&first, &second] {
        let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}log"));
        sqlx::raw_sql(statement).execute(&mut connection).await.expect("the name is free");
    }

    assert_ne!(first, second);
}

#[tokio::test]
async fn what_postgresql_committed_survives_a_kill() {
    let mut server = Postgres::start().await;
    let url = server.url();
    let mut connection = connect(&url).await;
    let made = sqlx::raw_sql("CREATE TABLE notes AS SELECT 7 AS number");
    made.execute(&mut connection).await.expect("it is committed");

    server.kill().await;
    assert!(PgConnection::connect(&url).await.is_err(), "nobody answers");
    server.restart().await;

    assert_eq!(server.url(), url);
    let mut connection = connect(&url).await;
    let number: i32 = sqlx::query_scalar("SELECT number FROM notes")
        .fetch_one(&mut connection)
        .await
        .expect("it is there");
    assert_eq!(number, 7);
}

#[tokio::test]
async fn what_nats_acknowledged_survives_a_kill_and_clients_find_it_again() {
    let mut server = Nats::start().await;
    let streams = jetstream::new(server.connect().await);
    let config = stream::Config {
        name: "NOTES".to_owned(),
        subjects: vec!["notes".to_owned()],
        ..stream::Config::default()
    };
    let stream = streams.create_stream(config).await.expect("the name is free");
    let published = streams.publish("notes", "seven".into()).await.expect("it is sent");
    published.await.expect("it is acknowledged");

    server.kill().await;
    server.restart().await;

    let streams = jetstream::new(server.connect().await);
    let again = streams.get_stream("NOTES").await.expect("the stream is there");
    let note = again.get_raw_message(1).await.expect("the message is there");
    assert_eq!(note.payload, "seven".as_bytes());
    drop(stream);
}
