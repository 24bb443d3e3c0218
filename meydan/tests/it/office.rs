//! A campaign at work: an admin who has connected its bot, an owner at the inbox.

use meydan_event_log::prepare_database;
use meydan_testkit::{
    ports,
    process::{Enrolled, Ground, Meydan, Page, Person},
    servers::{copies, postgres},
    telegram::TelegramSimulator,
};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_meydan");
/// A token, as BotFather writes them.
pub(crate) const TOKEN: &str = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1";
/// The passwords of the people here.
pub(crate) const PASSWORD: &str = "a rather long pass phrase 7";

/// How Telegram hears of updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It calls the webhook.
    Webhook,
    /// The hub asks.
    Polling,
}

/// A running platform with one campaign.
pub(crate) struct Office {
    pub(crate) ground: Ground,
    pub(crate) meydan: Meydan,
    pub(crate) admin: Person,
    /// With what the admin can be proved.
    pub(crate) enrolled: Enrolled,
    pub(crate) owner: Person,
}

/// What a platform stands on, with its databases.
pub(crate) async fn ground(telegram: &str) -> Ground {
    let ground = Ground::prepare(telegram).await;
    databases(ground.prefix()).await;
    ground
}

/// Makes copies of the databases that services make: that they make them themselves is tested where tests are of
/// starting.
pub(crate) async fn databases(prefix: &str) {
    let names = ["identity", "crm", "bot_hub", "audit", "keys"];
    let model = async |prefix: &str| {
        let server = postgres();
        identity::migrate(server, prefix).await.expect("identity migrates");
        crm::migrate(server, prefix).await.expect("crm migrates");
        bot_hub::migrate(server, prefix).await.expect("the hub migrates");
        audit::migrate(server, prefix).await.expect("audit migrates");
        let keys = format!("{prefix}keys");
        let keys = prepare_database(server, &keys, &[&meydan_keyring::MIGRATOR]).await;
        keys.expect("the keys migrate");
    };
    copies(prefix, &names, model).await;
}

impl Office {
    /// Opens with the Bot API at `telegram`, connected and live.
    pub(crate) async fn open(telegram: &str, reach: Reach) -> Self {
        Self::open_with(telegram, reach, &[]).await
    }

    /// The same, with other settings.
    pub(crate) async fn open_with(
        telegram: &str,
        reach: Reach,
        settings: &[(&'static str, String)],
    ) -> Self {
        let mut ground = ground(telegram).await;
        ground.settings.extend(settings.iter().cloned());
        if reach == Reach::Webhook {
            let address = format!("127.0.0.1:{}", ports::free());
            ground.settings.insert("MEYDAN_PUBLIC_URL", format!("http://{address}"));
            ground.settings.insert("MEYDAN_LISTEN", address);
        }
        let meydan = Meydan::start(PROGRAM, &ground).await;
        let admin = Person::visiting(&meydan.url);
        let link = meydan.first_link.clone().expect("nobody can log in yet");
        let welcome = admin.open(&link).await;
        let names = [("display_name", "مدیر"), ("email", "admin@meydan.example")];
        let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
        let factors = admin.send(&welcome, &link, &[names, passwords].concat()).await;
        assert!(factors.url.ends_with("/account/factors"), "{} {}", factors.url, factors.html);
        let enrolled = admin.enrol().await;
        let owner = Self::found_campaign(&admin, &meydan.url, "tehran").await;
        let office = Self { ground, meydan, admin, enrolled, owner };
        office.connect("tehran", TOKEN).await;
        office
    }

    /// Creates a campaign, and lets its owner in.
    pub(crate) async fn found_campaign(admin: &Person, url: &str, slug: &str) -> Person {
        let form = admin.open("/admin/campaigns/new").await;
        let owner_email = format!("{slug}@meydan.example");
        let fields = [
            ("candidate_name", "نرگس زاینده"),
            ("slug", slug),
            ("office", "شورای شهر"),
            ("constituency", "تهران"),
            ("home_region", "IR-23"),
            ("locale", "fa"),
            ("owner_name", "نرگس زاینده"),
            ("owner_email", owner_email.as_str()),
        ];
        let created = admin.send(&form, "/admin/campaigns", &fields).await;
        assert_eq!(created.status, 200, "{}", created.html);
        let link = created.html.split("/welcome/").nth(1).expect("the link is shown");
        let link = format!("/welcome/{}", link.split('"').next().expect("it ends"));
        let owner = Person::visiting(url);
        let welcome = owner.open(&link).await;
        let passwords = [("password", PASSWORD), ("password_again", PASSWORD)];
        let home = owner.send(&welcome, &link, &passwords).await;
        assert!(home.url.ends_with(&format!("/c/{slug}")), "{} {}", home.url, home.html);
        owner
    }

    /// Gives a campaign a bot's token, and waits until the bot is live.
    pub(crate) async fn connect(&self, slug: &str, token: &str) {
        let path = format!("/admin/campaigns/{slug}");
        let page = self.admin.open(&path).await;
        let sent = self.admin.send(&page, &format!("{path}/bot"), &[("token", token)]).await;
        assert_eq!(sent.status, 200, "{}", sent.html);
        self.admin.until(&format!("{path}/bot"), "tone-good").await;
    }

    /// Answers a ticket from the inbox.
    pub(crate) async fn answer(&self, number: i64, text: &str) -> Page {
        let path = format!("/c/tehran/inbox/{number}");
        let page = self.owner.open(&path).await;
        self.owner.send(&page, &format!("{path}/reply"), &[("text", text)]).await
    }

    /// Kills the program, and starts it again on the same ground.
    pub(crate) async fn restart(self) -> Self {
        self.restart_after(async {}).await
    }

    /// The same, letting something happen while nothing runs.
    pub(crate) async fn restart_after(self, meanwhile: impl Future<Output = ()>) -> Self {
        let Self { ground, meydan, admin, enrolled, owner } = self;
        meydan.kill().await;
        meanwhile.await;
        let meydan = Meydan::start(PROGRAM, &ground).await;
        let (admin, owner) = (admin.at(&meydan.url), owner.at(&meydan.url));
        Self { ground, meydan, admin, enrolled, owner }
    }
}

/// A Telegram with the bot of these tests, whose clock flows.
pub(crate) async fn telegram() -> TelegramSimulator {
    let telegram = TelegramSimulator::start_flowing().await.expect("it starts");
    telegram.add_bot(TOKEN, "narges_bot");
    telegram
}
