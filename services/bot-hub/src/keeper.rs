//! Connects bots and keeps them connected: tries tokens, sets webhooks and looks after them, asks for updates
//! where there is no public address, notices when a token is revoked, and leaves bots that were replaced.
//!
//! One job at a time works on a campaign's bot, many campaigns' side by side: a bot with which Telegram is
//! slow keeps no other waiting. A restart never removes a webhook, unless there is no public address any more.

mod check;
mod connect;
mod desk;
mod poll;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use bot_hub_domain::Mode;
use meydan_intake::Intake;
use meydan_telegram::Telegram;
use secrecy::SecretString;
use tokio::{
    sync::{Notify, Semaphore},
    task::{Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use self::desk::{Desk, Next, Work};
use crate::{
    app::BotHub,
    projections::bots::{self, BotRow, LeftRow},
};

/// How often the keeper reads the table of bots, unless a bot changes sooner.
const ROUND: u32 = 10;
/// How often it looks whether something has become due.
const LOOK: Duration = Duration::from_secs(1);
/// Jobs that ask Telegram something at a time; those that wait for updates not counted.
const AT_ONCE: usize = 16;

/// What the keeper works with.
#[derive(Debug, Clone)]
pub struct Keeper {
    /// The hub.
    pub hub: BotHub,
    /// The Bot API.
    pub telegram: Telegram,
    /// Where polled updates go.
    pub intake: Intake,
    /// Where Telegram can call; without one, the hub asks.
    pub public_url: Option<Url>,
    /// Told when a bot has changed.
    pub bots_changed: Arc<Notify>,
}

/// A campaign's bot, and the bots that it has to leave, as the tables show them.
#[derive(Debug, Clone, Default)]
struct Case {
    bot: Option<BotRow>,
    left: Vec<LeftRow>,
}

/// What the keeper has in hand.
#[derive(Debug)]
struct Hands {
    cases: HashMap<Uuid, Case>,
    desks: HashMap<Uuid, Desk>,
    tasks: JoinSet<Next>,
    /// For which campaign each task works.
    campaigns: HashMap<Id, Uuid>,
    slots: Arc<Semaphore>,
}

impl Keeper {
    /// Keeps bots connected until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let keeper = Arc::new(self);
        let mut hands = Hands {
            cases: HashMap::new(),
            desks: HashMap::new(),
            tasks: JoinSet::new(),
            campaigns: HashMap::new(),
            slots: Arc::new(Semaphore::new(AT_ONCE)),
        };
        // Looks until the table is read again.
        let mut looks = 0;
        while !stop.is_cancelled() {
            if looks == 0 {
                match keeper.cases().await {
                    Ok(cases) => {
                        hands.cases = cases;
                        looks = ROUND;
                    }
                    Err(error) => tracing::warn!(%error, "the keeper waits"),
                }
            }
            keeper.assign(&mut hands, &stop);
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = hands.tasks.join_next_with_id() => {
                    keeper.ended(&mut hands, ended);
                    looks = 0;
                }
                () = keeper.bots_changed.notified() => looks = 0,
                () = tokio::time::sleep(LOOK) => looks = looks.saturating_sub(1),
            }
        }
        // Every job ends at once: each listens to a child of `stop`.
        while hands.tasks.join_next().await.is_some() {}
    }

    async fn cases(&self) -> sqlx::Result<HashMap<Uuid, Case>> {
        let mut cases: HashMap<Uuid, Case> = HashMap::new();
        for bot in bots::all(self.hub.log.pool()).await? {
            let campaign = bot.tenant_id;
            cases.entry(campaign).or_default().bot = Some(bot);
        }
        for left in bots::left(self.hub.log.pool()).await? {
            cases.entry(left.tenant_id).or_default().left.push(left);
        }
        Ok(cases)
    }

    /// Gives every campaign that needs it a job.
    fn assign(self: &Arc<Self>, hands: &mut Hands, stop: &CancellationToken) {
        let now = self.hub.now();
        let campaigns: BTreeSet<Uuid> =
            hands.cases.keys().chain(hands.desks.keys()).copied().collect();
        for campaign in campaigns {
            let case = hands.cases.get(&campaign).cloned().unwrap_or_default();
            let wanted = self.wanted(&case);
            let desk = hands.desks.entry(campaign).or_insert_with(|| Desk::new(now));
            desk.look(case.bot.as_ref(), wanted, now);
            match wanted {
                Some(work) if desk.is_free(now) => {
                    let end = stop.child_token();
                    let job = self.clone().job(work, case, end.clone(), hands.slots.clone());
                    hands.campaigns.insert(hands.tasks.spawn(job).id(), campaign);
                    desk.begin(work, end);
                }
                None if !desk.is_busy() => {
                    hands.desks.remove(&campaign);
                }
                _ => {}
            }
        }
    }

    /// What a bot needs next, whenever that is due.
    fn wanted(&self, case: &Case) -> Option<Work> {
        let leave = (!case.left.is_empty()).then_some(Work::Leave);
        let Some(bot) = &case.bot else { return leave };
        let unreachable = bot.problem.as_deref() == Some("unreachable");
        match (bot.state.as_str(), bot.mode.as_deref()) {
            ("failed", _) if !unreachable => leave,
            ("live", Some("webhook")) if self.mode() == Mode::Webhook => Some(Work::Check),
            ("live", Some("polling")) if self.mode() == Mode::Polling => Some(Work::Poll),
            // New, or Telegram was away, or the public address has come or gone.
            ("connecting" | "failed" | "live", _) => Some(Work::Connect),
            _ => leave,
        }
    }

    async fn job(
        self: Arc<Self>,
        work: Work,
        case: Case,
        end: CancellationToken,
        slots: Arc<Semaphore>,
    ) -> Next {
        let doing = async {
            let slot = if work == Work::Poll { None } else { slots.acquire().await.ok() };
            let present = case.bot.as_ref().and_then(|bot| bot.bot_id);
            let all_left = self.leave_all(&case.left, present).await;
            let next = match (work, &case.bot) {
                (Work::Connect, Some(bot)) => self.connect(bot).await,
                (Work::Check, Some(bot)) => self.check(bot).await,
                (Work::Poll, Some(bot)) => self.poll(bot).await,
                _ if all_left => Next::Settled,
                _ => Next::Failed,
            };
            drop(slot);
            next
        };
        end.run_until_cancelled(doing).await.unwrap_or(Next::Settled)
    }

    fn ended(&self, hands: &mut Hands, ended: Result<(Id, Next), JoinError>) {
        let (id, next) = match ended {
            Ok(ended) => ended,
            Err(broke) => {
                tracing::error!(%broke, "the keeping of a bot broke");
                (broke.id(), Next::Failed)
            }
        };
        let campaign = hands.campaigns.remove(&id);
        if let Some(desk) = campaign.and_then(|campaign| hands.desks.get_mut(&campaign)) {
            desk.end(next, self.hub.now());
        }
    }

    /// How updates come, as things are set.
    const fn mode(&self) -> Mode {
        if self.public_url.is_some() { Mode::Webhook } else { Mode::Polling }
    }

    /// Where Telegram calls for a bot.
    fn hook_url(&self, bot: &BotRow) -> Option<Url> {
        let mut url = self.public_url.clone()?;
        let path = format!("{}/telegram/{}", url.path().trim_end_matches('/'), bot.hook_id);
        url.set_path(&path);
        Some(url)
    }

    async fn secrets(&self, bot: &BotRow) -> Option<(SecretString, SecretString)> {
        let token = self.hub.token(bot).await.ok().flatten()?;
        let secret = self.hub.secret(bot).await.ok().flatten()?;
        Some((token, secret))
    }
}
