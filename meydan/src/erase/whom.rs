//! Whom an operator means: by id, by a ticket that they opened, by the address that they log in with.
//!
//! Erasing is for ever, so that a wrong name must find nobody, and a name without its campaign must not be taken for
//! an account of the platform.

use std::io::{IsTerminal, stdin};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use meydan_event_log::{EventLog, PLATFORM};
use meydan_keyring::Keyring;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::operate::{Context, Platform, campaign_of};

const UNKNOWN: &str = "there is no such subject: nobody by this id has a key there";

/// A person, as an operator names them.
#[derive(Debug, Args)]
pub(super) struct Whom {
    /// The citizen, account or bot, by its id.
    #[arg(long, value_name = "ID")]
    subject: Option<Uuid>,
    /// The citizen who opened a ticket of the campaign, by its number.
    #[arg(long, value_name = "NUMBER", requires = "campaign", conflicts_with = "subject")]
    ticket: Option<i64>,
    /// The account that logs in with an address, in all campaigns.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["subject", "ticket", "campaign"])]
    email: Option<String>,
    /// The campaign that knows them, by its id or its name in addresses. Without it, they are an account of the
    /// platform, erased in all campaigns.
    #[arg(long, value_name = "ID|NAME")]
    campaign: Option<String>,
}

/// A person who was found.
pub(super) struct Person {
    pub(super) tenant: Uuid,
    pub(super) subject: Uuid,
    /// What they are, in words.
    kind: String,
}

impl Whom {
    /// Whether nobody was named.
    pub(super) const fn is_nobody(&self) -> bool {
        self.subject.is_none() && self.ticket.is_none() && self.email.is_none()
    }

    /// Finds them. `identity` is the log of accounts and campaigns.
    pub(super) async fn find(
        &self,
        platform: &Platform,
        identity: &EventLog,
        keyring: &Keyring,
    ) -> Result<Person> {
        let Some(campaign) = &self.campaign else {
            let subject = match (self.subject, &self.email) {
                (Some(subject), _) => subject,
                (None, Some(email)) => account_of(identity, keyring, email).await?,
                (None, None) => bail!("say whom: --subject ID, --ticket NUMBER or --email ADDRESS"),
            };
            return account(identity, keyring, subject).await;
        };
        let tenant = campaign_of(identity, keyring, campaign).await?;
        let crm = platform.log(Context::Crm).await?;
        let subject = match (self.subject, self.ticket) {
            (Some(subject), _) => subject,
            (None, Some(number)) => {
                let ticket = crm::projections::tickets::by_number(crm.pool(), tenant, number);
                let ticket = ticket.await.context("the tickets cannot be read")?;
                let ticket =
                    ticket.with_context(|| format!("{campaign} has no ticket {number}"))?;
                ticket.citizen_id
            }
            (None, None) => bail!("say whom: --subject ID or --ticket NUMBER"),
        };
        if !keyring.knows(tenant, subject).await? {
            bail!(UNKNOWN);
        }
        let tickets = crm::projections::subjects::tickets(crm.pool(), tenant, subject).await;
        let mut tickets = tickets.context("the tickets cannot be read")?;
        tickets.sort_unstable();
        let tickets = tickets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let is_erased = keyring.erasure(tenant, subject).await?.is_some();
        let kind = match (tenant == subject, tickets.as_str()) {
            _ if is_erased => format!("somebody of campaign {campaign} who was erased before"),
            (true, _) => "the whole campaign".to_owned(),
            (false, "") => format!("a bot or a person of campaign {campaign}"),
            (false, tickets) => {
                format!("a citizen of campaign {campaign}, who opened the tickets {tickets}")
            }
        };
        Ok(Person { tenant, subject, kind })
    }
}

async fn account_of(identity: &EventLog, keyring: &Keyring, email: &str) -> Result<Uuid> {
    let key = identity::app::email_key(keyring, email).await?;
    identity.holder(&key).await?.context("no account logs in with this address")
}

/// An account of the platform: whoever has only keys of campaigns is none.
async fn account(identity: &EventLog, keyring: &Keyring, subject: Uuid) -> Result<Person> {
    use identity::projections::{accounts, members};

    let pool = identity.pool();
    let is_erased = keyring.erasure(PLATFORM, subject).await?.is_some();
    let kind = match accounts::by_id(pool, subject).await? {
        Some(row) => {
            let places = members::of_account(pool, subject).await?;
            let places = places.iter().map(|place| place.slug.as_str()).collect::<Vec<_>>();
            let role = if row.admin { "an admin" } else { "an account" };
            match places.as_slice() {
                [] => role.to_owned(),
                _ => format!("{role} at work in {}", places.join(", ")),
            }
        }
        None if is_erased => "an account that was erased before".to_owned(),
        None => {
            for campaign in keyring.campaigns().await? {
                // What the platform is asked for, it knows from any campaign.
                if campaign != PLATFORM && keyring.knows(campaign, subject).await? {
                    bail!(
                        "this is no account but somebody of a campaign: add --campaign {campaign}"
                    );
                }
            }
            bail!(UNKNOWN);
        }
    };
    Ok(Person { tenant: PLATFORM, subject, kind })
}

impl Person {
    /// Who it is, for programs.
    pub(super) fn document(&self) -> Value {
        let campaign = (self.tenant != PLATFORM).then_some(self.tenant);
        json!({"subject": self.subject, "campaign": campaign, "is": self.kind})
    }

    /// How they are named when nothing else leads to them any more.
    pub(super) fn arguments(&self) -> String {
        match self.tenant {
            PLATFORM => format!("--subject {}", self.subject),
            tenant => format!("--campaign {tenant} --subject {}", self.subject),
        }
    }

    /// Who it is, for people.
    pub(super) fn words(&self) -> String {
        format!("{}: {}", self.subject, self.kind)
    }

    /// Asks whether this is whom they mean, when somebody is there to be asked.
    pub(super) fn is_meant(&self) -> Result<bool> {
        if !stdin().is_terminal() {
            bail!("nobody is there to be asked: look with --dry-run, then add --yes");
        }
        eprint!("{}\nerase them for ever? [yes/no] ", self.words());
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        Ok(answer.trim() == "yes")
    }
}
