//! The local servers through their public door: first and second starts, ends of every kind, and what each
//! mistake is told in one line. They need `.meydan/runtime`.

mod ground;

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use meydan_runtime::StartError;
use nix::sys::signal::Signal;

use self::ground::{Ground, Program, elsewhere_of, kill, lives};

#[tokio::test]
async fn the_second_start_finds_what_the_first_made() {
    let ground = Ground::new();
    let servers = ground.start().await.expect("the first start");
    ground.sql(&servers, "CREATE TABLE notes AS SELECT 7 AS number");
    let (postgres, nats) = (servers.database_url(), servers.nats_url());
    servers.stop().await;

    let servers = ground.start().await.expect("the second start");

    assert_eq!(ground.sql(&servers, "SELECT number FROM notes"), "7");
    assert_eq!((postgres, nats), (servers.database_url(), servers.nats_url()), "same addresses");
    servers.stop().await;
}

#[tokio::test]
async fn the_database_is_as_an_event_log_wants_it() {
    let ground = Ground::new();
    let servers = ground.start().await.expect("the servers start");

    let show = |name: &str| ground.sql(&servers, &format!("SHOW {name}"));

    assert_eq!(show("server_encoding"), "UTF8");
    assert_eq!(show("data_checksums"), "on");
    assert_eq!(show("synchronous_commit"), "on");
    assert_eq!(show("fsync"), "on");
    assert_eq!(show("listen_addresses"), "127.0.0.1");
    assert_eq!(show("unix_socket_directories"), "");
    assert_eq!(show("password_encryption"), "scram-sha-256");
    let secret = ground.path().join("secrets/postgres.password");
    let mode = fs::metadata(secret).expect("the password is kept").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    servers.stop().await;
}

#[tokio::test]
async fn a_second_program_is_told_that_one_runs() {
    let ground = Ground::new();
    let servers = ground.start().await.expect("the servers start");

    let error = ground.start().await.expect_err("the folder is taken");

    let process = std::process::id().to_string();
    assert!(error.to_string().contains(&process), "{error}");
    assert!(matches!(error, StartError::AlreadyRunning { .. }), "{error}");
    servers.stop().await;
}

#[tokio::test]
async fn servers_die_with_a_killed_program() {
    let ground = Ground::new();
    let mut program = Program::start(&ground);
    let servers = program.servers().await;
    ground.sql_at(&program.database_url, "CREATE TABLE notes AS SELECT 7 AS number");

    program.kill().await;
    for pid in servers {
        while lives(pid) {
            tokio::task::yield_now().await;
        }
    }

    let servers = ground.start().await.expect("the next start");
    assert_eq!(ground.sql(&servers, "SELECT number FROM notes"), "7");
    servers.stop().await;
}

#[tokio::test]
async fn the_next_start_need_not_wait_for_servers_of_a_killed_program() {
    let ground = Ground::new();
    for _ in 0..3 {
        let mut program = Program::start(&ground);
        program.servers().await;
        program.kill().await;
        let servers = ground.start().await.expect("the start after a kill");
        servers.stop().await;
    }
}

#[tokio::test]
async fn servers_whose_watchers_were_killed_too_are_ended_by_the_next_start() {
    let ground = Ground::new();
    let mut program = Program::start(&ground);
    let servers = program.servers().await;
    for pid in ground::watchers(servers) {
        kill(pid, Signal::SIGKILL);
    }
    program.kill().await;
    assert!(servers.into_iter().all(lives), "nobody ended them");

    let next = ground.start().await.expect("the next start");

    assert!(!servers.into_iter().any(lives), "the next start ended them");
    assert_eq!(ground.sql(&next, "SELECT 1"), "1");
    next.stop().await;
}

#[tokio::test]
async fn killed_servers_start_again_on_their_ports_with_their_data() {
    let ground = Ground::new();
    let mut servers = ground.start().await.expect("the servers start");
    ground.sql(&servers, "CREATE TABLE notes AS SELECT 7 AS number");
    let (postgres, nats) = (servers.database_url(), servers.nats_url());

    servers.kill_postgres().await;
    servers.kill_nats().await;
    servers.restart(|_| {}).await.expect("they start again");

    assert_eq!((postgres, nats), (servers.database_url(), servers.nats_url()));
    assert_eq!(ground.sql(&servers, "SELECT number FROM notes"), "7");
    servers.stop().await;
}

#[tokio::test]
async fn a_first_start_that_was_killed_midway_is_made_good() {
    let ground = Ground::new();
    let mut program = Program::start(&ground);
    program.hears("making the database").await;
    program.kill().await;
    assert!(!ground.path().join("data/postgres").exists(), "half a database has no name");

    let servers = ground.start().await.expect("the next start");

    assert_eq!(ground.sql(&servers, "SELECT 1"), "1");
    servers.stop().await;
    assert_eq!(ground.names("data", "postgres.new"), Vec::<String>::new());
}

#[tokio::test]
async fn files_that_are_no_database_are_put_aside_and_not_removed() {
    let ground = Ground::new();
    let data = ground.path().join("data/postgres");
    fs::create_dir_all(&data).expect("a folder");
    fs::write(data.join("letter"), "keep me").expect("a file");

    let servers = ground.start().await.expect("the servers start");

    let kept = fs::read_to_string(ground.path().join("data/postgres.unfinished.1/letter"));
    assert_eq!(kept.expect("it was put aside"), "keep me");
    servers.stop().await;
}

#[tokio::test]
async fn a_port_that_somebody_took_is_given_up_for_another() {
    let ground = Ground::new();
    let servers = ground.start().await.expect("the servers start");
    let (postgres, nats) = (servers.database_url(), servers.nats_url());
    servers.stop().await;
    let taken = ["postgres.port", "nats.port"].map(|name| {
        let port = fs::read_to_string(ground.path().join("data").join(name)).expect("a port");
        let port: u16 = port.trim().parse().expect("a number");
        std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free")
    });

    let servers = ground.start().await.expect("the servers start");

    assert_ne!(postgres, servers.database_url());
    assert_ne!(nats, servers.nats_url());
    assert_eq!(ground.sql(&servers, "SELECT 1"), "1");
    servers.stop().await;
    drop(taken);
}

#[tokio::test]
async fn data_of_another_postgresql_are_left_alone() {
    let ground = Ground::new();
    let version = ground.path().join("data/postgres/PG_VERSION");
    fs::create_dir_all(version.parent().expect("a folder")).expect("a folder");
    fs::write(&version, "17\n").expect("a file");

    let error = ground.start().await.expect_err("17 is not 18");

    assert!(matches!(&error, StartError::WrongVersion { found, .. } if found == "17"), "{error}");
    assert!(version.exists());
}

#[tokio::test]
async fn data_without_their_password_are_not_made_anew() {
    let ground = Ground::new();
    ground.start().await.expect("the servers start").stop().await;
    fs::remove_file(ground.path().join("secrets/postgres.password")).expect("it was there");

    let error = ground.start().await.expect_err("nobody can log in");

    assert!(matches!(error, StartError::PasswordLost { .. }), "{error}");
    assert!(ground.path().join("data/postgres/PG_VERSION").exists());
}

#[tokio::test]
async fn a_disk_without_room_is_said_before_anything_is_made() {
    let ground = Ground::new();

    let error = ground.start_with_room(1 << 60).await.expect_err("no disk is so large");

    assert!(matches!(error, StartError::DiskFull { .. }), "{error}");
    assert!(!ground.path().join("data/postgres").exists());
}

#[tokio::test]
#[ignore = "mounts a small disk, which takes root"]
async fn a_disk_that_fills_up_is_said_and_leaves_nothing_behind() {
    let ground = Ground::new();
    let disk = ground::SmallDisk::mount(ground.path(), "24m");

    let error = ground.start_with_room(0).await.expect_err("24 MB are too few");

    assert!(matches!(error, StartError::DiskFull { .. }), "{error}");
    assert_eq!(ground.names("data", "postgres"), Vec::<String>::new());
    drop(disk);
}

#[tokio::test]
async fn programs_that_were_not_fetched_are_said() {
    let ground = Ground::new();

    let error = ground.start_from(Path::new("no-such-folder")).await.expect_err("nothing there");

    assert!(matches!(error, StartError::MissingRuntime(_)), "{error}");
    for way in ["make runtime", "--runtime", "database-url"] {
        assert!(error.to_string().contains(way), "{error}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_said() {
    let ground = Ground::new();
    let file = ground.path().join("file");
    fs::write(&file, "").expect("a file");

    let error = Ground::below(&file).start().await.expect_err("a file is no folder");

    assert!(matches!(error, StartError::NotWritable { .. }), "{error}");
}

#[tokio::test]
async fn a_folder_closed_to_the_servers_user_has_its_data_where_that_user_may_go() {
    let ground = Ground::new();
    fs::set_permissions(ground.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");

    let servers = ground.start().await.expect("the servers start");

    assert_eq!(ground.sql(&servers, "SELECT 1"), "1");
    servers.stop().await;
    let elsewhere = elsewhere_of(ground.path());
    assert_eq!(elsewhere.is_some(), nix::unistd::geteuid().is_root(), "for root alone");
    if let Some(elsewhere) = elsewhere {
        fs::remove_dir_all(elsewhere).expect("what we made can be removed");
        let servers = ground.start().await;
        servers.expect("data that were removed are made again").stop().await;
        let elsewhere = elsewhere_of(ground.path()).expect("it is a link");
        fs::remove_dir_all(elsewhere.parent().expect("a folder of ours")).expect("it is ours");
    }
}

/// Not a test of its own: the program that other tests start and kill.
#[tokio::test]
#[ignore = "started by other tests"]
async fn program() {
    ground::program().await;
}
