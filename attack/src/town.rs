//! A platform with a campaign, its owner at a known browser, and people whose addresses are known.

use anyhow::{Context, Error, Result, ensure};
use meydan_testkit::{
    memory::resident,
    ports,
    process::{Ground, Meydan, Person},
    servers,
    telegram::TelegramSimulator,
    visitor::Visitor,
};
use serde_json::json;

use crate::report::Report;

/// The password of everybody here.
pub(crate) const PASSWORD: &str = "velvet harbour ninety lanterns";
/// The owner's address.
pub(crate) const OWNER: &str = "owner@meydan.example";
/// Known addresses beside the owner's.
pub(crate) const KNOWN: usize = 40;
/// Known addresses whose accounts are closed to guessers: each at most ten times, since strangers share fifty tries.
pub(crate) const CLOSED: usize = 4;

/// How much memory the platform may have in the end, in megabytes.
const MEMORY: f64 = 250.0;
/// What another system made of a password: bcrypt, with a cost of 12.
const IMPORTED: &str = "$2b$12$NxrqzXpE4MPQvk7DaNIkQObbktjVlcygF9tCmPGJTGqhrGZAwFHD2";

/// A running platform.
pub(crate) struct Town {
    meydan: Meydan,
    _telegram: TelegramSimulator,
    ground: Ground,
    metrics: String,
    /// The admin, with a second factor.
    pub(crate) admin: Person,
    /// The owner, in the browser that they were welcomed with.
    pub(crate) owner: Person,
}

/// The address of somebody who has an account.
pub(crate) fn known(number: usize) -> String {
    format!("member{}@meydan.example", number % KNOWN)
}

/// The address of somebody whose account is closed.
pub(crate) fn closed(number: usize) -> String {
    format!("closed{}@meydan.example", number % CLOSED)
}

/// The address of somebody whose account came from another system.
pub(crate) fn imported(number: usize) -> String {
    format!("imported{}@meydan.example", number % KNOWN)
}

impl Town {
    /// Starts `program` behind a proxy, which this process plays, and fills it; with everybody whose address
    /// is known, if that matters.
    pub(crate) async fn found(program: &str, with_members: bool) -> Result<Self> {
        Self::found_with(program, with_members, &[]).await
    }

    /// The same, with other settings than those which let many in from one address.
    pub(crate) async fn found_with(
        program: &str,
        with_members: bool,
        settings: &[(&'static str, &str)],
    ) -> Result<Self> {
        let telegram = TelegramSimulator::start_flowing().await?;
        let mut ground = Ground::on(servers::durable(), &telegram.url()).await;
        let metrics = format!("127.0.0.1:{}", ports::free());
        ground.settings.insert("MEYDAN_METRICS_LISTEN", metrics.clone());
        ground.settings.insert("MEYDAN_TRUSTED_PROXIES", "127.0.0.1/32".to_owned());
        ground.settings.extend(settings.iter().map(|(key, value)| (*key, (*value).to_owned())));
        let meydan = Meydan::start(program, &ground).await;
        let admin = Person::visiting(&meydan.url);
        let link = meydan.first_link.clone().context("nobody can log in yet")?;
        let names = [("display_name", "Admin"), ("email", "admin@meydan.example")];
        let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
        let form = admin.open(&link).await;
        admin.send(&form, &link, &[names, passwords].concat()).await;
        admin.enrol().await;
        let mut town =
            Self { meydan, _telegram: telegram, ground, metrics, owner: admin.clone(), admin };
        town.owner = town.found_campaign("tehran", OWNER).await?;
        if with_members {
            for email in (0..KNOWN).map(known).chain((0..CLOSED).map(closed)) {
                town.invite(&email).await?;
            }
            town.import(program).await?;
        }
        Ok(town)
    }

    /// The owner invites somebody, who accepts.
    async fn invite(&self, email: &str) -> Result<()> {
        let team = self.owner.open("/c/tehran/team").await;
        let fields = [("name", "Member"), ("email", email), ("role", "staff")];
        let invited = self.owner.send(&team, "/c/tehran/team/invite", &fields).await;
        self.welcome(&invited.html).await?;
        Ok(())
    }

    /// Brings accounts of another system in.
    async fn import(&self, program: &str) -> Result<()> {
        let line = |number| {
            let account = json!({"email": imported(number), "name": "Member", "hash": IMPORTED});
            format!("{account}\n")
        };
        let file = self.ground.data().join("imported.jsonl");
        std::fs::write(&file, (0..KNOWN).map(line).collect::<String>())?;
        let file = file.to_str().context("the folder has a plain name")?;
        let done = self.ground.run(program, &["accounts", "import", file]).await;
        done.map(|_| ()).map_err(Error::msg)
    }

    /// The admin makes a campaign; its owner, who has come in.
    pub(crate) async fn found_campaign(&self, slug: &str, owner: &str) -> Result<Person> {
        let form = self.admin.open("/admin/campaigns/new").await;
        let fields = [
            ("candidate_name", "Narges"),
            ("slug", slug),
            ("office", "council"),
            ("constituency", "Tehran"),
            ("locale", "en"),
            ("owner_name", "Owner"),
            ("owner_email", owner),
        ];
        let created = self.admin.send(&form, "/admin/campaigns", &fields).await;
        self.welcome(&created.html).await
    }

    /// Somebody uses the link that a page shows.
    async fn welcome(&self, page: &str) -> Result<Person> {
        let link = page.split("/welcome/").nth(1).and_then(|rest| rest.split('"').next());
        let link = format!("/welcome/{}", link.context("the link is shown")?);
        let person = Person::visiting(self.url());
        let form = person.open(&link).await;
        let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
        let home = person.send(&form, &link, &passwords).await;
        ensure!(home.status == 200, "the link is not good: {}", home.html);
        Ok(person)
    }

    /// Where the panel is.
    pub(crate) fn url(&self) -> &str {
        &self.meydan.url
    }

    /// Somebody at a login, from as many addresses as they like.
    pub(crate) async fn visitor(&self) -> Result<Visitor> {
        Visitor::at(self.url()).await
    }

    /// How many tries at a kind of credential were open, so that a guesser could learn from them.
    pub(crate) async fn open_tries(&self, credential: &str) -> Result<u64> {
        let read = reqwest::get(format!("http://{}/metrics", self.metrics)).await?.text().await?;
        let of = |line: &&str| {
            line.starts_with("identity_tries{")
                && line.contains(&format!("credential=\"{credential}\""))
                && line.contains("open=\"yes\"")
        };
        let counted = read.lines().find(of).and_then(|line| line.split_whitespace().last());
        Ok(counted.map_or(Ok(0), str::parse)?)
    }

    /// Stops it, and tells how much memory it had at the end: what `before` was answered is given back.
    pub(crate) async fn leave(self, before: &str, report: &mut Report) {
        let memory = self.meydan.id().and_then(resident).unwrap_or(f64::INFINITY);
        let (what, figure) = (format!("memory after {before}"), format!("{memory:.0} MB"));
        report.note(&what, &figure, &format!("at most {MEMORY:.0} MB"), memory <= MEMORY);
        self.meydan.stop().await;
    }
}
