//! Whether known and unknown addresses, and accounts that are closed, can be told apart: by status, by words, by time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use meydan_testkit::{
    process::Person,
    visitor::{Answer, Visitor, network},
};
use reqwest::StatusCode;

use crate::{
    report::{Report, median, ms},
    town::{KNOWN, PASSWORD, Town, closed, imported, known},
};

/// By how much the medians may differ.
const DIFFERENCE: Duration = Duration::from_millis(2);
/// Of whom is asked: an address without an account, and one whose account is closed to where the tries come from.
const UNKNOWN: usize = 1;
const CLOSED: usize = 2;
/// In which order they are asked about: each follows each as often, so that whatever else the machine does, and
/// whatever an answer has left to be done, meets all alike.
const TWO: &[usize] = &[0, UNKNOWN, UNKNOWN, 0];
const THREE: &[usize] = &[0, 0, UNKNOWN, UNKNOWN, CLOSED, CLOSED, 0, CLOSED, UNKNOWN];
/// Tries at an account once it is closed, which takes five wrong ones and is for fifteen minutes.
const WHILE_CLOSED: usize = 100;
const WRONG: usize = 5;
/// One of so many tries is made where another system made the hash.
const IMPORTED_SHARE: usize = 4;
/// What follows the numbers of the networks that everybody else comes from.
const CLOSED_NETWORKS: usize = 30_000;

/// What is asked about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    LogIn,
    /// The same, where another system made the hash.
    LogInImported,
    Recovery,
    Invitation,
}

impl Door {
    const fn order(self) -> &'static [usize] {
        if matches!(self, Self::LogIn) { THREE } else { TWO }
    }
}

/// How addresses were answered about.
struct Told {
    /// How long it took in the middle: at known ones, at unknown ones, and, where it was asked, at closed accounts.
    medians: Vec<Duration>,
    /// What was another status, or other words.
    differs: Option<String>,
}

pub(crate) async fn run(town: &Town, tries: usize, report: &mut Report) -> Result<()> {
    println!("\n{tries} tries at each kind of address");
    let mut rows = vec![
        "| | known | unknown | closed |".to_owned(),
        "| --- | ---: | ---: | ---: |".to_owned(),
    ];
    // What hashes nothing is asked beside what does. Two logins at a time would wait for each other's core.
    let asked = (
        at(town, Door::LogIn, tries),
        at(town, Door::Recovery, tries),
        at(town, Door::Invitation, tries),
    );
    let (login, recovery, invitation) = tokio::try_join!(asked.0, asked.1, asked.2)?;
    // Whose hashes take a second are asked less often: what they add to the login is told by fewer.
    let imported = at(town, Door::LogInImported, tries.div_ceil(IMPORTED_SHARE)).await?;
    for (Told { medians, differs }, name) in [
        (login, "login"),
        (imported, "login, imported"),
        (recovery, "recovery"),
        (invitation, "invitation"),
    ] {
        let (what, alike) = (format!("{name}: status and words"), differs.is_none());
        report.note(&what, differs.as_deref().unwrap_or("the same"), "the same", alike);
        let (least, most) = (medians.iter().min(), medians.iter().max());
        let apart = most.zip(least).map_or(Duration::MAX, |(most, least)| most.abs_diff(*least));
        let what = format!("{name}: medians apart");
        report.note(&what, &ms(apart), "2 ms", apart <= DIFFERENCE);
        let cells = medians.into_iter().map(ms).chain([String::new()]).take(3);
        rows.push(format!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | ")));
    }
    println!("\n{}", rows.join("\n"));
    Ok(())
}

/// Asks about addresses of each kind, as often.
async fn at(town: &Town, door: Door, tries: usize) -> Result<Told> {
    let visitor = town.visitor().await?;
    let (mut inviter, mut known_said, mut differs) = (None, None, None);
    let mut times = vec![vec![]; if door == Door::LogIn { 3 } else { 2 }];
    let kinds = door.order().iter().copied().cycle().take(times.len() * tries);
    for (number, kind) in kinds.enumerate() {
        let tried = times[kind].len();
        let (email, from) = whom((door, kind), tried, number);
        let (status, page, took) = if door == Door::Invitation {
            // Everybody known is asked once into each campaign.
            if kind == 0 && tried.is_multiple_of(KNOWN) {
                inviter = Some(Inviter::found(town, tried / KNOWN).await?);
            }
            inviter.as_ref().context("there is a campaign")?.invite(&email).await?
        } else {
            if kind == CLOSED && tried.is_multiple_of(WHILE_CLOSED) {
                close(&visitor, &email, &from).await?;
            }
            let answer = ask(&visitor, door, &email, &from).await?;
            (answer.status, answer.page, answer.took)
        };
        times[kind].push(took);
        let said = (status, plain(&page, &email));
        if kind == 0 {
            known_said = Some(said);
        } else if differs.is_none() {
            differs = known_said.as_ref().and_then(|known| difference(known, &said));
        }
    }
    Ok(Told { medians: times.into_iter().map(median).collect(), differs })
}

/// About whom the next of a kind is asked, and from where: each from where nobody has asked before, but for an account
/// that is closed to where the tries come from.
fn whom((door, kind): (Door, usize), tried: usize, number: usize) -> (String, String) {
    let closing = tried / WHILE_CLOSED;
    match (kind, door) {
        (UNKNOWN, _) => (format!("nobody{tried}@meydan.example"), network(number)),
        (CLOSED, _) => (closed(closing), network(CLOSED_NETWORKS + closing)),
        (_, Door::LogInImported) => (imported(tried), network(number)),
        _ => (known(tried), network(number)),
    }
}

/// Closes an account to a network, as a guesser does: whatever comes from there opens nothing then.
async fn close(visitor: &Visitor, email: &str, from: &str) -> Result<()> {
    for _ in 0..WRONG {
        ask(visitor, Door::LogIn, email, from).await?;
    }
    let right = visitor.log_in(email, PASSWORD, from).await?;
    ensure!(right.status == StatusCode::UNPROCESSABLE_ENTITY, "it is not closed: {right:?}");
    Ok(())
}

/// The first line in which two answers differ, if they do.
fn difference(one: &(StatusCode, String), other: &(StatusCode, String)) -> Option<String> {
    if one == other {
        return None;
    }
    let mut lines = one.1.lines().zip(other.1.lines());
    let differs = lines.find(|(one, other)| one != other);
    Some(format!("{} and {}: {differs:?}", one.0, other.0))
}

/// A login or a recovery.
async fn ask(visitor: &Visitor, door: Door, email: &str, from: &str) -> Result<Answer> {
    match door {
        Door::LogIn | Door::LogInImported => visitor.log_in(email, "not the password", from).await,
        _ => visitor.send("/recover", &[("email", email)], from).await,
    }
}

/// The owner of a campaign that nobody else works in.
struct Inviter {
    owner: Person,
    path: String,
    csrf: String,
}

impl Inviter {
    async fn found(town: &Town, number: usize) -> Result<Self> {
        let slug = format!("campaign{number}");
        let owner = town.found_campaign(&slug, &format!("{slug}@meydan.example")).await?;
        let csrf = owner.open(&format!("/c/{slug}/team")).await.field("csrf");
        Ok(Self { owner, path: format!("/c/{slug}/team/invite"), csrf })
    }

    async fn invite(&self, email: &str) -> Result<(StatusCode, String, Duration)> {
        let command = uuid::Uuid::now_v7().to_string();
        let fields = [
            ("csrf", self.csrf.as_str()),
            ("command_id", &command),
            ("name", "Member"),
            ("email", email),
            ("role", "staff"),
        ];
        let asked = Instant::now();
        let page = self.owner.post(&self.path, &fields).await;
        Ok((page.status, page.html, asked.elapsed()))
    }
}

/// A page without what differs between any two: the address itself, tokens, links, and who else was asked.
fn plain(page: &str, email: &str) -> String {
    let without = |text: &str, from: &str, to: &str| {
        let mut parts = text.split(from);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |kept, part| {
            format!("{kept}{from}{}", part.split_once(to).map_or(part, |(_, rest)| rest))
        })
    };
    let page = without(page, "<tbody>", "</tbody>").replace(email, "");
    let page = without(&page, "value=\"", "\"");
    let page = without(&page, "data-now=\"", "\"");
    ["/welcome/", "/c/campaign"].iter().fold(page, |page, path| {
        let mut parts = page.split(path);
        let first = parts.next().unwrap_or_default().to_owned();
        let end = |part: &str| {
            let after =
                part.find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_".contains(letter));
            after.map(|at| part[at..].to_owned()).unwrap_or_default()
        };
        parts.fold(first, |kept, part| kept + &end(part))
    })
}
