//! The hub and the inbox in the test's own process, reached through gRPC, with a clock that the test sets.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use meydan_event_log::{Clock, EventLog, Relay};
use meydan_intake::Intake;
use meydan_keyring::{KeyFile, Keyring};
use meydan_rpc::{
    caller::{Assertions, Caller, Who},
    client::Dial,
    pb::{
        bot_hub::{
            Bot, CheckBotRequest, ConnectBotRequest, DisconnectBotRequest, GetBotRequest,
            bots_client::BotsClient,
        },
        crm::{
            GetTicketRequest, GetTicketResponse, Message, ReplyRequest,
            tickets_client::TicketsClient,
        },
    },
};
use meydan_testkit::{process::Ground, telegram::TelegramSimulator};
use sqlx::{PgPool, postgres::PgPoolOptions};
use time::OffsetDateTime;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use url::Url;
use uuid::Uuid;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What outlives a restart, and where the services are.
pub(crate) struct Hub {
    ground: Ground,
    telegram: Url,
    /// How far the clock was moved ahead.
    ahead: Arc<Mutex<Duration>>,
    assertions: Assertions,
    /// Keys of citizens, bots and days.
    pub(crate) keyring: Keyring,
    /// The hub's own database, as its owner.
    pub(crate) database: PgPool,
    urls: (String, String),
    dials: Option<(Dial, Dial)>,
    /// Where Telegram can call.
    pub(crate) public_url: Option<Url>,
    /// Where the hub finds the inbox, when that is not where it is.
    pub(crate) crm_door: Option<Door>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Makes an address that leads to another one.
pub(crate) type Door = fn(SocketAddr) -> SocketAddr;

/// A campaign.
pub(crate) const fn campaign(number: u128) -> Uuid {
    Uuid::from_u128(0xC000 + number)
}

async fn listen() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free")
}

/// Asks again until the answer is there.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    // Who looks all the time keeps the services from their work.
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let asking = async {
        loop {
            looks.tick().await;
            if let Some(found) = ask().await {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, asking).await;
    found.unwrap_or_else(|_| panic!("waited {} s in vain: {what}", PATIENCE.as_secs()))
}

impl Hub {
    /// Prepares databases and keys, and starts both services. The hub asks for updates.
    pub(crate) async fn open(telegram: &TelegramSimulator) -> Self {
        let mut hub = Self::prepare(&telegram.url()).await;
        hub.start().await;
        hub
    }

    /// Prepares everything, and starts nothing.
    pub(crate) async fn prepare(telegram: &str) -> Self {
        let ground = Ground::prepare(telegram).await;
        let server = &ground.settings["MEYDAN_DATABASE_URL"];
        let prefix = ground.prefix();
        let hub = bot_hub::migrate(server, prefix).await.expect("the database can be made");
        let crm = crm::migrate(server, prefix).await.expect("the database can be made");
        let (keys, migrators) = (format!("{prefix}keys"), [&meydan_keyring::MIGRATOR]);
        let keys = meydan_event_log::prepare_database(server, &keys, &migrators).await;
        let open = |url: String| async move {
            PgPoolOptions::new().max_connections(8).connect(&url).await.expect("it opens")
        };
        let platform = KeyFile::open(&ground.data().join("platform.key"));
        let keyring = Keyring::new(
            open(keys.expect("the database can be made")).await,
            Arc::new(platform.expect("the key can be made")),
        );
        Self {
            telegram: telegram.parse().expect("it is an address"),
            ahead: Arc::default(),
            assertions: Assertions::generate(),
            keyring,
            database: open(hub.clone()).await,
            urls: (hub, crm),
            dials: None,
            public_url: None,
            crm_door: None,
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
            ground,
        }
    }

    /// Starts both services.
    pub(crate) async fn start(&mut self) {
        let (hub_listener, crm_listener) = (listen().await, listen().await);
        let addresses = (
            hub_listener.local_addr().expect("it has an address"),
            crm_listener.local_addr().expect("it has an address"),
        );
        self.dials = Some((
            Dial::new(bot_hub::NAME, addresses.0, self.assertions.clone()),
            Dial::new(crm::NAME, addresses.1, self.assertions.clone()),
        ));
        let ahead = self.ahead.clone();
        let clock = Clock::new(move || {
            OffsetDateTime::now_utc() + *ahead.lock().expect("no test breaks here")
        });
        let (hub_url, crm_url) = self.urls.clone();
        let nats = self.ground.nats().connect().await;
        let crm = crm::Setup {
            listener: crm_listener,
            database_url: crm_url,
            connections: 6,
            nats: nats.clone(),
            keyring: self.keyring.clone(),
            assertions: self.assertions.clone(),
            clock: clock.clone(),
        };
        let door = self.crm_door.map_or(addresses.1, |door| door(addresses.1));
        let hub = bot_hub::Setup {
            listener: hub_listener,
            database_url: hub_url,
            connections: 8,
            nats,
            keyring: self.keyring.clone(),
            assertions: self.assertions.clone(),
            clock,
            crm: Dial::new(crm::NAME, door, self.assertions.of(bot_hub::NAME)),
            telegram_api_url: self.telegram.clone(),
            telegram_proxy: None,
            public_url: self.public_url.clone(),
        };
        self.stop = CancellationToken::new();
        let (one, two) = (self.stop.clone(), self.stop.clone());
        self.tasks.spawn(async move { crm::run(crm, one).await.expect("the inbox runs") });
        self.tasks.spawn(async move { bot_hub::run(hub, two).await.expect("the hub runs") });
        until("both services answer", || async {
            let hub = self.find_bot(campaign(0)).await.ok();
            hub.and(self.find_ticket(campaign(0), 1).await.ok())
        })
        .await;
    }

    /// The log of identity, whose facts the hub hears, without identity itself.
    pub(crate) async fn identity(&mut self) -> EventLog {
        let (server, prefix) = (&self.ground.settings["MEYDAN_DATABASE_URL"], self.ground.prefix());
        let url = identity::migrate(server, prefix).await.expect("the database can be made");
        let log = EventLog::open(identity::NAME, &url, 2).await.expect("it opens");
        let jetstream = async_nats::jetstream::new(self.nats().await);
        self.tasks.spawn(Relay::new(log.clone(), jetstream, 0).run(self.stop.clone()));
        log
    }

    /// Stops both in order.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        let ending = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(PATIENCE, ending).await.expect("they end");
    }

    /// Drops both where they stand, as a crash would.
    pub(crate) async fn kill(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Moves the clock ahead.
    pub(crate) fn advance(&self, by: Duration) {
        *self.ahead.lock().expect("no test breaks here") += by;
    }

    /// The time.
    pub(crate) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + *self.ahead.lock().expect("no test breaks here")
    }

    /// The broker.
    pub(crate) async fn nats(&self) -> async_nats::Client {
        self.ground.nats().connect().await
    }

    /// The way in, as the gateway has it.
    pub(crate) async fn intake(&self) -> Intake {
        let jetstream = async_nats::jetstream::new(self.nats().await);
        Intake::new(jetstream, self.keyring.clone())
    }

    fn dials(&self) -> (Dial, Dial) {
        self.dials.clone().expect("it was started")
    }

    /// Somebody of a campaign's team, who has just proved who they are.
    pub(crate) fn member(campaign: Uuid) -> Caller {
        Caller {
            who: Who::Account { id: Uuid::from_u128(7), session: Uuid::from_u128(8), admin: true },
            campaign: Some(campaign),
            permissions: ["crm:ticket.read", "crm:ticket.reply"].map(str::to_owned).to_vec(),
            address: None,
            fresh_until: Some(i64::MAX),
        }
    }

    /// Gives a campaign's bot a token.
    pub(crate) async fn give(&self, campaign: Uuid, token: &str) {
        let given = self.try_give(campaign, token, &Self::member(campaign)).await;
        given.expect("the hub takes it");
    }

    /// The same by this caller, if the hub lets them.
    pub(crate) async fn try_give(
        &self,
        campaign: Uuid,
        token: &str,
        by: &Caller,
    ) -> Result<(), tonic::Status> {
        let dial = self.dials().0;
        let message =
            ConnectBotRequest { campaign_id: campaign.to_string(), token: token.to_owned() };
        let request = dial.command(by, Uuid::new_v4(), message);
        BotsClient::new(dial.channel()).connect_bot(request).await.map(|_| ())
    }

    /// The same, and waits until the bot is live under this handle.
    pub(crate) async fn connect(&self, campaign: Uuid, token: &str, username: &str) {
        self.give(campaign, token).await;
        self.until_bot(campaign, |bot| bot.username == username && is_live(bot)).await;
    }

    /// Forgets a campaign's bot.
    pub(crate) async fn disconnect(&self, campaign: Uuid) {
        let done = self.try_disconnect(campaign, &Self::member(campaign)).await;
        done.expect("the hub does it");
    }

    /// The same by this caller, if the hub lets them.
    pub(crate) async fn try_disconnect(
        &self,
        campaign: Uuid,
        by: &Caller,
    ) -> Result<(), tonic::Status> {
        let dial = self.dials().0;
        let message = DisconnectBotRequest { campaign_id: campaign.to_string() };
        let request = dial.command(by, Uuid::new_v4(), message);
        BotsClient::new(dial.channel()).disconnect_bot(request).await.map(|_| ())
    }

    /// Has a bot tried again.
    pub(crate) async fn check(&self, campaign: Uuid) {
        let dial = self.dials().0;
        let message = CheckBotRequest { campaign_id: campaign.to_string() };
        let request = dial.command(&Self::member(campaign), Uuid::new_v4(), message);
        BotsClient::new(dial.channel()).check_bot(request).await.expect("the hub does it");
    }

    /// How a campaign's bot stands.
    pub(crate) async fn bot(&self, campaign: Uuid) -> Option<Bot> {
        self.find_bot(campaign).await.expect("the hub answers")
    }

    async fn find_bot(&self, campaign: Uuid) -> Result<Option<Bot>, tonic::Status> {
        let dial = self.dials().0;
        let message = GetBotRequest { campaign_id: campaign.to_string(), min_position: 0 };
        let request = dial.ask(&Self::member(campaign), message);
        match BotsClient::new(dial.channel()).get_bot(request).await {
            Ok(bot) => Ok(Some(bot.into_inner())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// Waits until a campaign's bot stands so.
    pub(crate) async fn until_bot(&self, campaign: Uuid, so: impl Fn(&Bot) -> bool) -> Bot {
        until("a bot", || async { self.bot(campaign).await.filter(&so) }).await
    }

    /// A ticket, when there is one.
    pub(crate) async fn ticket(&self, campaign: Uuid, number: i64) -> Option<GetTicketResponse> {
        self.find_ticket(campaign, number).await.expect("the inbox answers")
    }

    async fn find_ticket(
        &self,
        campaign: Uuid,
        number: i64,
    ) -> Result<Option<GetTicketResponse>, tonic::Status> {
        let dial = self.dials().1;
        let message = GetTicketRequest { number, min_position: 0 };
        let request = dial.ask(&Self::member(campaign), message);
        match TicketsClient::new(dial.channel()).get_ticket(request).await {
            Ok(ticket) => Ok(Some(ticket.into_inner())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// Waits until a ticket stands so.
    pub(crate) async fn until_ticket(
        &self,
        campaign: Uuid,
        number: i64,
        so: impl Fn(&GetTicketResponse) -> bool,
    ) -> GetTicketResponse {
        until("a ticket", || async { self.ticket(campaign, number).await.filter(&so) }).await
    }

    /// Waits until a ticket holds a message that says so.
    pub(crate) async fn until_says(&self, campaign: Uuid, number: i64, words: &str) -> Message {
        let ticket =
            self.until_ticket(campaign, number, |ticket| find(ticket, words).is_some()).await;
        find(&ticket, words).expect("it was there").clone()
    }

    /// Answers a ticket.
    pub(crate) async fn answer(&self, campaign: Uuid, number: i64, text: &str) {
        let answered = self.try_answer(campaign, number, text).await;
        answered.expect("the inbox takes it");
    }

    /// Answers a ticket, if the inbox lets it.
    pub(crate) async fn try_answer(
        &self,
        campaign: Uuid,
        number: i64,
        text: &str,
    ) -> Result<(), tonic::Status> {
        let dial = self.dials().1;
        let message = ReplyRequest { number, text: text.to_owned(), ..ReplyRequest::default() };
        let request = dial.command(&Self::member(campaign), Uuid::new_v4(), message);
        TicketsClient::new(dial.channel()).reply(request).await.map(|_| ())
    }
}

/// The message of a ticket that says so.
pub(crate) fn find<'a>(ticket: &'a GetTicketResponse, words: &str) -> Option<&'a Message> {
    ticket
        .messages
        .iter()
        .find(|message| message.body.as_ref().is_some_and(|body| body.text == words))
}

/// Whether citizens can write.
pub(crate) fn is_live(bot: &Bot) -> bool {
    bot.state() == meydan_rpc::pb::bot_hub::BotState::Live
}
