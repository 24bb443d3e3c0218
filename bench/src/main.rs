//! `make bench`: how fast the platform is, beside the bare limit of the same machine in the same run.
//! `bench log` is the event log alone, for `make bench-peers`; `bench pipeline` is its way to readers.
//!
//! The load comes from this process, on the same two cores as everything that it measures.
#![expect(clippy::print_stdout, reason = "a program for people")]

mod bare;
mod erase;
mod load;
mod log;
mod screen;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use meydan_testkit::{
    memory::resident,
    process::{Ground, Meydan, Person},
    servers,
    telegram::TelegramSimulator,
};

use self::load::{Figures, Target};

const TOKEN: &str = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1";
const PASSWORD: &str = "a rather long pass phrase 7";
const SPAN: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<()> {
    let first = std::env::args().nth(1);
    match first
        .context("cargo run -p bench -- path/to/meydan, or -- pipeline, or -- log --help")?
        .as_str()
    {
        "log" => {
            let options = bench_measure::Options::parse_from(std::env::args().skip(1));
            bench_measure::run::<log::Log>(&options).await
        }
        "pipeline" => log::pipeline::run().await,
        program => platform(program).await,
    }
}

/// Measures the program at `program`, with all its services.
async fn platform(program: &str) -> Result<()> {
    let telegram = TelegramSimulator::start_flowing().await?;
    telegram.add_bot(TOKEN, "bench_bot");
    let mut ground = Ground::on(servers::durable(), &telegram.url()).await;
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    ground.settings.insert("MEYDAN_LISTEN", format!("127.0.0.1:{port}"));
    ground.settings.insert("MEYDAN_PUBLIC_URL", format!("http://127.0.0.1:{port}"));
    println!("\n| what | a second | p50 ms | p99 ms |\n|---|---:|---:|---:|");
    let [paced, limit] = bare::publish(&ground, 1_000).await?;
    row("bare limit: axum handler with a JetStream publish, 1,000 a second", &paced);
    row("bare limit: axum handler with a JetStream publish, 64 clients", &limit);
    row("bare limit: pgbench single-row insert, 64 clients", &bare::insert(64).await?);
    let began = Instant::now();
    let meydan = Meydan::start(program, &ground).await;
    let started = began.elapsed();
    let owner = found(&meydan).await?;
    let hook = hook(&telegram).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let idle = memory(&meydan)?;
    // What the bare limits have left unwritten would be written in the middle of what is measured now.
    nix::unistd::sync();

    let shown = screen::measure(&owner, &hook, 20_000_000).await?;
    row("update to the open inbox that shows it, 100 a second", &shown);
    row("updates to 200, 1,000 a second", &load::open(&hook, 1_000, SPAN, 10_000_000).await?);
    let most = load::closed(&hook, 64, SPAN, 0).await?;
    row("updates to 200, 64 clients", &most);
    let [erased, read] = erase::measure(program, &ground).await?;
    println!("\nratio of updates accepted to the bare limit: {:.2}", most.rate() / limit.rate());
    println!("memory of all services, idle: {idle:.0} MB");
    println!(
        "start to the first page: {:.1} s (servers running, databases made)",
        started.as_secs_f32()
    );
    println!(
        "erasing a person beside {} facts and as many keys of others: {:.1} s",
        erase::OTHERS,
        erased.as_secs_f32()
    );
    println!(
        "until every reader has read those facts, most of which concern none but the record: {:.0} s",
        read.as_secs_f32()
    );
    meydan.stop().await;
    Ok(())
}

fn row(what: &str, figures: &Figures) {
    println!(
        "| {what} | {:.0} | {:.1} | {:.1} |",
        figures.rate(),
        figures.at(0.5).as_secs_f64() * 1e3,
        figures.at(0.99).as_secs_f64() * 1e3
    );
}

/// A campaign with a live bot; returns its owner.
async fn found(meydan: &Meydan) -> Result<Person> {
    let admin = Person::visiting(&meydan.url);
    let link = meydan.first_link.clone().context("nobody can log in yet")?;
    let form = admin.open(&link).await;
    let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
    let names = [("display_name", "Bench"), ("email", "bench@meydan.example")];
    admin.send(&form, &link, &[names, passwords].concat()).await;
    admin.enrol().await;
    let form = admin.open("/admin/campaigns/new").await;
    let fields = [
        ("candidate_name", "Bench"),
        ("slug", "bench"),
        ("office", "x"),
        ("constituency", "x"),
        ("locale", "fa"),
        ("owner_name", "Owner"),
        ("owner_email", "owner@meydan.example"),
    ];
    let created = admin.send(&form, "/admin/campaigns", &fields).await;
    let link = created.html.split("/welcome/").nth(1).and_then(|rest| rest.split('"').next());
    let link = format!("/welcome/{}", link.context("the link is shown")?);
    let owner = Person::visiting(&meydan.url);
    let form = owner.open(&link).await;
    owner.send(&form, &link, &passwords).await;
    let page = admin.open("/admin/campaigns/bench").await;
    admin.send(&page, "/admin/campaigns/bench/bot", &[("token", TOKEN)]).await;
    admin.until("/admin/campaigns/bench/bot", "tone-good").await;
    Ok(owner)
}

/// The webhook that the hub has set, and its secret.
async fn hook(telegram: &TelegramSimulator) -> Result<Target> {
    let calls = telegram.wait_calls("setWebhook", 1).await?;
    let asked = calls.last().context("the hub has set a webhook")?;
    let text = |name: &str| asked.parameters[name].as_str().map(ToOwned::to_owned);
    Target::new(
        text("url").context("it has an address")?,
        Some(text("secret_token").context("it has a secret")?),
    )
}

/// Resident memory of the program, in megabytes.
fn memory(meydan: &Meydan) -> Result<f64> {
    meydan.id().and_then(resident).context("it runs")
}
