//! Bots are connected, kept connected, changed and let go; one bot never suffers for another.

use std::time::Duration;

use meydan_rpc::{
    caller::Caller,
    guard::{Need, PROOF_NEEDED},
    outcome::Failure,
    pb::bot_hub::{BotState, Mode},
};
use meydan_testkit::telegram::{Fault, TelegramSimulator};

use crate::{
    hub::{Hub, campaign, is_live, until},
    office::{Office, Reach, TOKEN, telegram},
};

const SARA: i64 = 4_200_000_000_000_001;
/// The token of a second bot.
pub(crate) const SECOND: &str = "987654321:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw2";
/// Longer than any test.
const LONG: u64 = 3_600;

/// A Telegram with two bots.
pub(crate) async fn two_bots() -> TelegramSimulator {
    let telegram = telegram().await;
    telegram.add_bot(SECOND, "second_bot");
    telegram
}

fn calls(telegram: &TelegramSimulator, token: &str, method: &str) -> usize {
    let calls = telegram.calls();
    calls.iter().filter(|call| call.token == token && call.method == method).count()
}

#[tokio::test]
async fn a_live_bots_token_in_another_campaign_takes_nobodys_messages_away() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Webhook).await;
    let webhook = telegram.webhook(TOKEN).expect("it was set");
    let shiraz = Office::found_campaign(&office.admin, &office.meydan.url, "shiraz").await;

    let path = "/admin/campaigns/shiraz";
    let page = office.admin.open(path).await;
    office.admin.send(&page, &format!("{path}/bot"), &[("token", TOKEN)]).await;
    office.admin.until(&format!("{path}/bot"), "tone-bad").await;

    assert_eq!(telegram.webhook(TOKEN), Some(webhook), "the webhook is where it was");
    assert_eq!(calls(&telegram, TOKEN, "setWebhook"), 1);
    telegram.say(TOKEN, SARA, "سلام تهران").expect("she writes");
    office.owner.until("/c/tehran/inbox", "سلام تهران").await;
    assert!(!shiraz.open("/c/shiraz/inbox").await.says("سلام تهران"));
}

#[tokio::test]
async fn what_is_heard_of_an_earlier_token_is_not_held_against_the_new_one() {
    let telegram = two_bots().await;
    let hub = Hub::open(&telegram).await;
    let slow = Fault::Slow { seconds: LONG }.times(1).for_bot(TOKEN).for_method("getMe");
    telegram.inject(slow);
    hub.give(campaign(1), TOKEN).await;
    telegram.wait_held(1).await.expect("the hub asks who that is");

    hub.give(campaign(1), SECOND).await;
    telegram.advance(Duration::from_secs(LONG));

    hub.until_bot(campaign(1), |bot| bot.username == "second_bot" && is_live(bot)).await;
    telegram.say(SECOND, SARA, "سلام").expect("she writes");
    hub.until_says(campaign(1), 1001, "سلام").await;
}

#[tokio::test]
async fn one_bot_that_telegram_is_slow_with_keeps_no_other_waiting() {
    let telegram = two_bots().await;
    let mut hub = Hub::open(&telegram).await;
    telegram.inject(Fault::Slow { seconds: LONG }.always().for_bot(TOKEN));
    hub.give(campaign(1), TOKEN).await;
    telegram.wait_held(1).await.expect("the hub asks who that is");

    hub.connect(campaign(2), SECOND, "second_bot").await;

    let started = std::time::Instant::now();
    hub.stop().await;
    assert!(started.elapsed() < Duration::from_secs(8), "nobody waits for an answer at the end");
}

#[tokio::test]
async fn a_bot_that_telegram_makes_wait_is_tried_again_when_it_may() {
    let telegram = two_bots().await;
    let hub = Hub::open(&telegram).await;
    let wait = u32::try_from(LONG).expect("it fits");
    let wait = Fault::TooManyRequests { retry_after: wait }.times(1).for_bot(TOKEN);
    telegram.inject(wait.for_method("getMe"));
    hub.give(campaign(1), TOKEN).await;
    telegram.wait_calls("getMe", 1).await.expect("the hub asks who that is");

    hub.connect(campaign(2), SECOND, "second_bot").await;

    let waiting = hub.bot(campaign(1)).await.expect("it is there");
    assert_eq!(waiting.state(), BotState::Connecting, "{}", waiting.problem);
    assert_eq!(calls(&telegram, TOKEN, "getMe"), 1);
    hub.advance(Duration::from_secs(LONG));
    hub.until_bot(campaign(1), is_live).await;
}

#[tokio::test]
async fn another_program_that_asks_for_the_updates_is_said_in_words() {
    let telegram = telegram().await;
    let hub = Hub::open(&telegram).await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;

    let words = "Conflict: terminated by other getUpdates request".to_owned();
    let conflict = Fault::Refused { status: 409, description: words };
    telegram.inject(conflict.always().for_method("getUpdates"));
    // Whoever waits for updates at this moment is answered first.
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");

    let bot = hub.until_bot(campaign(1), |bot| bot.state() == BotState::Failed).await;
    assert_eq!(bot.problem, "used_elsewhere");
    telegram.clear_faults();
    hub.check(campaign(1)).await;
    hub.until_bot(campaign(1), is_live).await;
}

#[tokio::test]
async fn a_bot_that_was_disconnected_has_no_webhook_and_is_free_for_others() {
    let telegram = telegram().await;
    let mut hub = Hub::prepare(&telegram.url()).await;
    hub.public_url = Some("http://127.0.0.1:9".parse().expect("it is an address"));
    hub.start().await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;

    hub.disconnect(campaign(1)).await;

    until("the webhook is taken away", || async {
        telegram.webhook(TOKEN).is_none().then_some(())
    })
    .await;
    hub.give(campaign(2), TOKEN).await;
    // The other campaign may have asked a moment before the first one had let go.
    until("the bot is live elsewhere", || async {
        let bot = hub.bot(campaign(2)).await?;
        if bot.state() == BotState::Failed {
            hub.check(campaign(2)).await;
        }
        is_live(&bot).then_some(())
    })
    .await;
    assert!(hub.bot(campaign(1)).await.is_none());
}

#[tokio::test]
async fn a_bot_that_was_replaced_is_left_and_one_that_got_a_new_token_is_not() {
    let telegram = two_bots().await;
    let mut hub = Hub::prepare(&telegram.url()).await;
    hub.public_url = Some("http://127.0.0.1:9".parse().expect("it is an address"));
    hub.start().await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;

    hub.connect(campaign(1), SECOND, "second_bot").await;

    until("the first bot is left", || async { telegram.webhook(TOKEN).is_none().then_some(()) })
        .await;
    assert!(telegram.webhook(SECOND).is_some());

    // BotFather gave the same bot another token.
    let renewed = format!("{SECOND}x");
    telegram.add_bot(&renewed, "second_bot");
    telegram.revoke(SECOND);
    hub.give(campaign(1), &renewed).await;
    until("the webhook is set", || async { telegram.webhook(&renewed) }).await;
    let bot = hub.until_bot(campaign(1), is_live).await;
    assert_eq!((bot.username.as_str(), bot.problem.as_str()), ("second_bot", ""));
}

async fn as_another_program(telegram: &TelegramSimulator, method: &str) {
    let url = format!("{}/bot{TOKEN}/{method}", telegram.url());
    let done = reqwest::Client::new().post(url).send().await.expect("Telegram answers");
    assert!(done.status().is_success());
}

#[tokio::test]
async fn a_webhook_that_somebody_took_away_is_set_again() {
    let telegram = telegram().await;
    let mut hub = Hub::prepare(&telegram.url()).await;
    hub.public_url = Some("http://127.0.0.1:9".parse().expect("it is an address"));
    hub.start().await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;
    let webhook = telegram.webhook(TOKEN);

    as_another_program(&telegram, "deleteWebhook").await;
    hub.advance(Duration::from_mins(10));

    until("the webhook is set again", || async { telegram.webhook(TOKEN) }).await;
    assert_eq!(telegram.webhook(TOKEN), webhook);
    telegram.revoke(TOKEN);
    until("the hub notices that the token was revoked", || async {
        // Each look is one round later.
        hub.advance(Duration::from_mins(10));
        hub.bot(campaign(1)).await.filter(|bot| bot.state() == BotState::Revoked)
    })
    .await;
}

#[tokio::test]
async fn that_telegram_cannot_deliver_is_said_and_taken_back() {
    let telegram = telegram().await;
    let mut hub = Hub::prepare(&telegram.url()).await;
    // Nobody listens there.
    hub.public_url = Some("http://127.0.0.1:9".parse().expect("it is an address"));
    hub.start().await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;

    telegram.say(TOKEN, SARA, "سلام").expect("she writes");
    telegram.wait_deliveries(1).await.expect("Telegram tries");
    hub.advance(Duration::from_mins(10));

    let bot = hub.until_bot(campaign(1), |bot| !bot.problem.is_empty()).await;
    assert_eq!((bot.state(), bot.problem.as_str()), (BotState::Live, "webhook_refused"));
    hub.advance(Duration::from_hours(1));
    hub.until_bot(campaign(1), |bot| bot.problem.is_empty()).await;
}

#[tokio::test]
async fn another_public_address_reaches_telegram_and_none_means_asking() {
    let telegram = telegram().await;
    let mut hub = Hub::prepare(&telegram.url()).await;
    hub.public_url = Some("http://127.0.0.1:9".parse().expect("it is an address"));
    hub.start().await;
    hub.connect(campaign(1), TOKEN, "narges_bot").await;
    hub.stop().await;

    hub.public_url = Some("http://127.0.0.1:7".parse().expect("it is an address"));
    hub.start().await;
    until("Telegram calls there", || async {
        telegram.webhook(TOKEN).filter(|url| url.starts_with("http://127.0.0.1:7/"))
    })
    .await;
    hub.stop().await;

    hub.public_url = None;
    hub.start().await;
    hub.until_bot(campaign(1), |bot| is_live(bot) && bot.mode() == Mode::Polling).await;
    telegram.say(TOKEN, SARA, "سلام").expect("she writes");
    hub.until_says(campaign(1), 1001, "سلام").await;
}

#[tokio::test]
async fn the_hub_gives_and_takes_no_token_for_whoever_proved_nothing_for_a_while() {
    let fresh = bot_hub::grpc::POLICIES.iter().filter(|(_, need)| matches!(need, Need::Fresh(_)));
    assert_eq!(fresh.count(), 2, "both are asked below");
    let telegram = telegram().await;
    let hub = Hub::open(&telegram).await;
    let campaign = campaign(1);
    hub.connect(campaign, TOKEN, "narges_bot").await;

    for fresh_until in [None, Some(0)] {
        let stale = Caller { fresh_until, ..Hub::member(campaign) };
        let refused = Err(Failure::Refused(PROOF_NEEDED.to_owned()));
        let given = hub.try_give(campaign, SECOND, &stale).await;
        assert_eq!(given.map_err(Failure::from), refused);
        let taken = hub.try_disconnect(campaign, &stale).await;
        assert_eq!(taken.map_err(Failure::from), refused);
    }
    assert!(hub.bot(campaign).await.is_some_and(|bot| is_live(&bot)), "nothing has changed");
}
