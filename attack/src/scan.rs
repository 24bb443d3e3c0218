//! Scanners that others wrote, sent through the panel as an admin and as a member: Wapiti and sqlmap.

use std::{collections::BTreeMap, path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use meydan_testkit::process::Person;
use serde::Deserialize;
use tokio::process::Command;

use crate::{report::Report, town::Town};

/// What Wapiti says of a panel without TLS, as this one is on loopback: cookies get `Secure` and `__Host-`, and pages
/// HSTS, as soon as the public address is https (tests of the gateway show both).
const WITHOUT_TLS: [&str; 3] =
    ["Secure Flag cookie", "Unencrypted Channels", "HTTP Strict Transport Security (HSTS)"];
/// Where a scanner must not go: it would log itself out, or read a stream that does not end.
const OUT: [&str; 4] = ["logout", "account/sessions/end", "team/leave", "/live"];
/// What Wapiti tries.
const MODULES: &str = "cookieflags,csp,csrf,crlf,exec,file,http_headers,methods,permanentxss,\
                       redirect,sql,timesql,upload,xss";

/// Fewer pages are seen by whoever is only shown the login.
const PAGES: usize = 10;

/// What Wapiti found, by kind.
#[derive(Deserialize)]
struct Seen {
    infos: Infos,
    vulnerabilities: BTreeMap<String, Vec<Finding>>,
    anomalies: BTreeMap<String, Vec<Finding>>,
}

#[derive(Deserialize)]
struct Infos {
    crawled_pages_nbr: usize,
}

#[derive(Deserialize)]
struct Finding {
    method: String,
    path: String,
    info: String,
}

/// What scans, and for how many seconds Wapiti looks around and tries each of its kinds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scanners<'a> {
    pub(crate) tools: &'a Path,
    pub(crate) seconds: u32,
}

/// Runs the scanners against the town.
pub(crate) async fn run(town: &Town, scanners: Scanners<'_>, report: &mut Report) -> Result<()> {
    let tools = scanners.tools;
    println!("\nscanners, as an admin and as a member");
    let (admin, member) = (("admin", &town.admin), ("member", &town.owner));
    wapiti(town, scanners, (admin, "/admin/campaigns"), report).await?;
    wapiti(town, scanners, (member, "/c/tehran"), report).await?;
    for (who, path) in [
        (admin, "/admin/audit?who=a&campaign=tehran&correlation=c"),
        (member, "/c/tehran/audit?who=a&action=b&target=c"),
        (member, "/c/tehran/inbox?status=new&open=1"),
    ] {
        sqlmap(town, tools, who, (path, None), report).await?;
    }
    let stranger = Person::visiting(town.url());
    let csrf = stranger.open("/login").await.field("csrf");
    let form = format!("csrf={csrf}&email=a%40meydan.example&password=b&next=");
    sqlmap(town, tools, ("stranger", &stranger), ("/login", Some(form.as_str())), report).await
}

async fn wapiti(
    town: &Town,
    Scanners { tools, seconds }: Scanners<'_>,
    ((who, person), start): ((&str, &Person), &str),
    report: &mut Report,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("report.json");
    let seconds = seconds.to_string();
    let mut command = Command::new(tools.join("bin/wapiti"));
    command
        .arg("--url")
        .arg(format!("{}{start}", town.url()))
        .args(["--scope", "domain", "--flush-session", "--no-bugreport", "--format", "json"])
        .args(["--max-scan-time", &seconds, "--max-attack-time", &seconds, "--verbose", "0"])
        .args(["--module", MODULES])
        .arg("--cookie-value")
        .arg(person.cookies())
        .arg("--output")
        .arg(&file)
        .arg("--store-session")
        .arg(folder.path())
        .stdin(Stdio::null());
    for out in OUT {
        command.arg("--exclude").arg(format!("{}/*{out}*", town.url()));
    }
    let said = command.output().await.context("Wapiti does not start; make scan brings it")?;
    let written = std::fs::read(&file);
    let written = written.with_context(|| String::from_utf8_lossy(&said.stderr).into_owned())?;
    let seen: Seen = serde_json::from_slice(&written)?;
    let found = seen.vulnerabilities.iter().chain(&seen.anomalies);
    let found = found.filter(|(kind, _)| !WITHOUT_TLS.contains(&kind.as_str()));
    let found = found.flat_map(|(kind, found)| found.iter().map(move |finding| (kind, finding)));
    let found = found.collect::<Vec<_>>();
    for (kind, Finding { method, path, info }) in &found {
        println!("  {kind}: {method} {path}: {info}");
    }
    let pages = seen.infos.crawled_pages_nbr;
    ensure!(pages > PAGES, "Wapiti as {who} saw {pages} pages: it was not let in");
    let figure = format!("{} on {pages} pages", found.len());
    report.note(&format!("Wapiti as {who}: findings"), &figure, "none", found.is_empty());
    Ok(())
}

async fn sqlmap(
    town: &Town,
    tools: &Path,
    (who, person): (&str, &Person),
    (path, form): (&str, Option<&str>),
    report: &mut Report,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(tools.join("bin/sqlmap"));
    command
        .arg("--url")
        .arg(format!("{}{path}", town.url()))
        .args([
            "--batch",
            "--level",
            "2",
            "--risk",
            "2",
            "--disable-coloring",
            "--dbms",
            "postgresql",
        ])
        .args(["--technique", "BEUS", "--flush-session", "--ignore-code", "*"])
        .arg(format!("--cookie={}", person.cookies()))
        .arg("--output-dir")
        .arg(folder.path())
        .stdin(Stdio::null());
    if let Some(form) = form {
        command.args(["--data", form, "-p", "email,password,next"]);
    }
    let said = command.output().await.context("sqlmap does not start; make scan brings it")?;
    let said = String::from_utf8_lossy(&said.stdout);
    let tried = said.contains("testing if") || said.contains("testing for SQL injection");
    ensure!(tried, "sqlmap tried nothing: {said}");
    let none = said.contains("do not appear to be injectable");
    let what = format!("sqlmap as {who} at {}", path.split('?').next().unwrap_or(path));
    let figure = if none { "nothing" } else { "see its report" };
    report.note(&what, figure, "nothing can be injected", none);
    Ok(())
}
