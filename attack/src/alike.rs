//! Whether known and unknown addresses can be told apart: by status, by words, by time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use meydan_testkit::{
    process::Person,
    visitor::{Answer, Visitor, network},
};
use reqwest::StatusCode;

use crate::{
    line,
    town::{KNOWN, Town, imported, known},
};

/// By how much the medians may differ.
const DIFFERENCE: Duration = Duration::from_millis(2);

/// What is asked about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    LogIn,
    /// The same, where another system made the hash.
    LogInImported,
    Recovery,
    Invitation,
}

pub(crate) async fn run(town: &Town, tries: usize) -> Result<bool> {
    println!("\n{tries} tries each at known and at unknown addresses");
    let mut held = true;
    for (door, name) in [
        (Door::LogIn, "login"),
        (Door::LogInImported, "login, imported"),
        (Door::Recovery, "recovery"),
        (Door::Invitation, "invitation"),
    ] {
        held &= at(town, door, name, tries).await?;
    }
    Ok(held)
}

/// Asks about known and unknown addresses in turn, now the one and now the other first: whatever else the machine does,
/// and whatever an answer has left to be done, meets both.
async fn at(town: &Town, door: Door, name: &str, tries: usize) -> Result<bool> {
    let visitor = town.visitor().await?;
    let mut inviter = None;
    let (mut times, mut known_said) = ([vec![], vec![]], None);
    for number in 0..2 * tries {
        let (kind, pair) = (number.div_ceil(2) % 2, number / 2);
        let email = match (kind, door) {
            (0, Door::LogInImported) => imported(pair),
            (0, _) => known(pair),
            _ => format!("nobody{pair}@meydan.example"),
        };
        let (status, page, took) = if door == Door::Invitation {
            // Everybody known is asked once into each campaign.
            if kind == 0 && pair.is_multiple_of(KNOWN) {
                inviter = Some(Inviter::found(town, pair / KNOWN).await?);
            }
            inviter.as_mut().context("there is a campaign")?.invite(&email).await?
        } else {
            let answer = ask(&visitor, (door, number), &email).await?;
            (answer.status, answer.page, answer.took)
        };
        times[kind].push(took);
        let said = (status, plain(&page, &email));
        if kind == 0 {
            known_said = Some(said);
        } else if known_said.as_ref() != Some(&said) {
            let (status, page) = known_said.unwrap_or_default();
            let mut lines = page.lines().zip(said.1.lines());
            let differs = lines.find(|(known, unknown)| known != unknown);
            println!("{status} and {}: {differs:?}", said.0);
            return Ok(line(&format!("{name}: same status, same words"), "they differ", false));
        }
    }
    let same = line(&format!("{name}: same status, same words"), "each time", true);
    let [known, unknown] = times.map(median);
    let difference = known.abs_diff(unknown);
    let close = line(
        &format!("{name}: medians within 2 ms"),
        &format!("known {known:.1?}, unknown {unknown:.1?}, difference {difference:.2?}"),
        difference <= DIFFERENCE,
    );
    Ok(same && close)
}

/// A login or a recovery, each from where nobody has asked before.
async fn ask(visitor: &Visitor, (door, number): (Door, usize), email: &str) -> Result<Answer> {
    match door {
        Door::LogIn | Door::LogInImported => {
            visitor.log_in(email, "not the password", &network(number)).await
        }
        _ => visitor.send("/recover", &[("email", email)], &network(number)).await,
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

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
