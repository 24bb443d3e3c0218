//! Campaigns that do not run: what their members, citizens and pages see, at once, and that all comes back.

use std::time::{Duration, Instant};

use identity_domain::{Campaign, CampaignCommand, CampaignProfile};
use meydan_event_log::{Actor, EventLog, Meta, Target};
use meydan_rpc::pb::{
    bot_hub::BotState,
    identity::{CampaignStatus, ChangeCampaignStatusRequest, campaigns_client::CampaignsClient},
};
use meydan_testkit::process::Page;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    hub::{Hub, campaign, find, is_live, until},
    office::{Office, Reach, TOKEN, telegram},
    revocation::{House, get},
};

const SARA: i64 = 4_200_000_000_000_001;
const PAGE: &str = "/admin/campaigns/tehran";
/// What the page of a bot says that takes nothing.
const PAUSED: &str = "بات پیام نمی‌گیرد";

impl Office {
    /// Moves the campaign, as an admin does.
    async fn move_to(&self, status: &str) -> Page {
        let page = self.admin.open(PAGE).await;
        let path = format!("{PAGE}/status");
        let moved = self.admin.send(&page, &path, &[("status", status)]).await;
        assert_eq!(moved.status, 200, "{}", moved.html);
        moved
    }
}

#[tokio::test]
async fn a_suspended_campaign_takes_nothing_and_says_so_and_resumed_it_is_as_it_was() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Webhook).await;
    telegram.say(TOKEN, SARA, "یک").expect("she writes");
    office.owner.until("/c/tehran/inbox", "یک").await;
    let conversation = office.owner.open("/c/tehran/inbox/1001").await;

    office.move_to("suspended").await;
    for path in ["/c/tehran", "/c/tehran/inbox/1001", "/c/tehran/team", "/"] {
        let shown = office.owner.open(path).await;
        assert_eq!(shown.status, 200, "{path}");
        assert!(shown.says("ستاد فعلاً متوقف است") && !shown.says("یک</"), "{}", shown.html);
    }
    let reply = "/c/tehran/inbox/1001/reply";
    let refused = office.owner.send(&conversation, reply, &[("text", "سلام")]).await;
    assert_eq!(refused.status, 409);
    assert!(refused.says("ستاد فعلاً متوقف است"));
    assert_eq!(office.owner.open("/account").await.status, 200, "their own account stays open");

    office.admin.until(&format!("{PAGE}/bot"), PAUSED).await;
    telegram.say(TOKEN, SARA, "دو").expect("she writes");
    let told = telegram.wait_sent(SARA, 1).await.expect("she is told");
    assert!(told[0].text.contains("فعلاً پیام نمی‌گیرد"), "{}", told[0].text);
    telegram.say(TOKEN, SARA, "سه").expect("she writes once more");

    office.move_to("active").await;
    office.admin.until(&format!("{PAGE}/bot"), "tone-good").await;
    telegram.say(TOKEN, SARA, "چهار").expect("she writes");
    let shown = office.owner.until("/c/tehran/inbox/1001", "چهار").await;
    assert!(shown.says("یک</") && !shown.says("دو</") && !shown.says("سه</"), "{}", shown.html);
    office.answer(1001, "سلام سارا").await;
    let sent = telegram.wait_sent(SARA, 2).await.expect("the answer arrives");
    assert_eq!(sent[1].text, "سلام سارا", "she was told once, however often she wrote");
    assert_eq!(sent.len(), 2);
}

#[tokio::test]
async fn a_campaign_that_will_be_deleted_says_the_day_and_its_bot_that_it_has_closed() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    telegram.say(TOKEN, SARA, "یک").expect("she writes");
    office.owner.until("/c/tehran/inbox", "یک").await;
    office.move_to("archived").await;
    assert!(office.owner.open("/c/tehran").await.says("کار ستاد پایان یافته است"));

    let page = office.admin.open(PAGE).await;
    let path = format!("{PAGE}/deletion");
    let asked = office.admin.send(&page, &path, &[("confirmation", "tehran")]).await;
    assert_eq!(asked.status, 200, "{}", asked.html);
    let due = asked.html.split("<strong><time").nth(1).and_then(|rest| rest.split('<').next());
    let due = due.and_then(|rest| rest.split('>').nth(1)).expect("the day is said");
    assert!(due.contains("۱۴"), "of the Persian calendar: {due}");
    let shown = office.owner.open("/c/tehran/inbox").await;
    assert!(shown.says("این ستاد حذف می‌شود") && shown.says(due), "{due}: {}", shown.html);

    office.admin.until(&format!("{PAGE}/bot"), PAUSED).await;
    telegram.say(TOKEN, SARA, "دو").expect("she writes");
    let told = telegram.wait_sent(SARA, 1).await.expect("she is told");
    assert!(told[0].text.contains("به کار خود پایان داده است"), "{}", told[0].text);

    let page = office.admin.open(PAGE).await;
    let kept = office.admin.send(&page, &format!("{PAGE}/deletion/withdraw"), &[]).await;
    assert_eq!(kept.status, 200, "{}", kept.html);
    assert!(!office.owner.open("/c/tehran").await.says("این ستاد حذف می‌شود"));
    office.move_to("suspended").await;
    office.move_to("active").await;
    office.owner.until("/c/tehran/inbox", "یک").await;
}

/// Lets identity's log tell something of the first campaign.
async fn tell(identity: &EventLog, command: CampaignCommand) {
    let target = Target { tenant: campaign(1), id: campaign(1) };
    let meta = Meta::new(Uuid::now_v7(), Actor::Service { name: "test".to_owned() });
    identity.execute::<Campaign>(target, command, &meta).await.expect("it may be so");
}

#[tokio::test]
async fn whoever_writes_to_a_stopped_campaign_is_told_once_a_day_and_its_answers_wait() {
    let telegram = telegram().await;
    let mut hub = Hub::open(&telegram).await;
    let identity = hub.identity().await;
    let (here, at) = (campaign(1), OffsetDateTime::UNIX_EPOCH);
    let profile = CampaignProfile {
        candidate_name: "Narges".to_owned(),
        office: "Council".to_owned(),
        constituency: "Tehran".to_owned(),
        locale: "en".to_owned(),
        home_region: String::new(),
    };
    tell(&identity, CampaignCommand::Create { slug: "tehran".to_owned(), profile, at }).await;
    hub.connect(here, TOKEN, "narges_bot").await;
    telegram.say(TOKEN, SARA, "one").expect("she writes");
    hub.until_says(here, 1001, "one").await;

    let to = identity_domain::CampaignStatus::Suspended;
    tell(&identity, CampaignCommand::ChangeStatus { to, at }).await;
    hub.until_bot(here, |bot| bot.state() == BotState::Paused).await;
    // The inbox does not know, and takes the answer; the hub keeps it until the campaign runs.
    hub.answer(here, 1001, "good day").await;
    for day in 1..=2 {
        for _ in 0..3 {
            telegram.say(TOKEN, SARA, "two").expect("she writes");
        }
        let told = telegram.wait_sent(SARA, day).await.expect("she is told");
        assert!(told[day - 1].text.contains("no messages for now"), "{}", told[day - 1].text);
        hub.advance(Duration::from_secs(24 * 3_600));
    }
    let stranger = SARA + 1;
    telegram.say(TOKEN, stranger, "hello").expect("he writes");
    telegram.wait_sent(stranger, 1).await.expect("he is told as well");

    let to = identity_domain::CampaignStatus::Active;
    tell(&identity, CampaignCommand::ChangeStatus { to, at }).await;
    hub.until_bot(here, is_live).await;
    telegram.say(TOKEN, SARA, "three").expect("she writes");
    let ticket = hub.until_ticket(here, 1001, |ticket| find(ticket, "three").is_some()).await;
    assert!(find(&ticket, "two").is_none(), "nobody took what she wrote meanwhile");
    assert!(hub.ticket(here, 1002).await.is_none(), "nor of the stranger");
    let kept = "SELECT count(*) FROM outbound WHERE own IS NOT NULL AND chat_sealed IS NOT NULL";
    until("of whom was told nothing is left but that they were", || async {
        let kept = sqlx::query_scalar(kept).fetch_one(&hub.database).await;
        Some(()).filter(|()| kept.is_ok_and(|kept: i64| kept == 0))
    })
    .await;
}

/// What each gateway says of a path.
async fn said(house: &House, session: &str) -> Vec<(u16, bool)> {
    let mut said = vec![];
    for gateway in house.gateways {
        let answer = get(gateway, "/c/tehran/team/permissions", session).await;
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("it is read");
        said.push((status, text.contains("ستاد فعلاً متوقف است")));
    }
    said
}

#[tokio::test]
async fn a_suspended_campaign_is_closed_in_every_gateway_within_a_second_and_opens_again() {
    let house = House::open().await;
    let team = house.team().await;
    let (admin, _) = house.staff().await;
    let session = house.log_in().await;
    let move_to = async |status: CampaignStatus| {
        let campaign_id = team.owner.campaign.expect("they have one").to_string();
        let message = ChangeCampaignStatusRequest { campaign_id, status: status.into() };
        let request = house.identity.command(&admin, Uuid::now_v7(), message);
        let mut campaigns = CampaignsClient::new(house.identity.channel());
        campaigns.change_campaign_status(request).await.expect("an admin may");
    };
    assert_eq!(said(&house, &session).await, [(200, false); 3], "all believe it runs");
    let mut streams = vec![];
    for gateway in house.gateways {
        let mut stream = get(gateway, "/c/tehran/live", &session).await;
        stream.chunk().await.expect("it is read").expect("it begins");
        streams.push(stream);
    }

    let began = Instant::now();
    move_to(CampaignStatus::Suspended).await;
    for stream in &mut streams {
        while let Ok(Some(_)) = stream.chunk().await {}
    }
    let took = began.elapsed();

    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(said(&house, &session).await, [(200, true); 3]);
    for gateway in house.gateways {
        let part = get(gateway, "/c/tehran/live", &session).await;
        assert_eq!(part.status().as_u16(), 401, "scripts are not given a page");
    }
    move_to(CampaignStatus::Active).await;
    let began = Instant::now();
    while said(&house, &session).await != [(200, false); 3] {
        assert!(began.elapsed() < Duration::from_secs(4), "it opens again");
    }
}

#[tokio::test]
async fn a_form_that_a_script_sends_to_a_stopped_campaign_leads_to_the_page_that_says_so() {
    let house = House::open().await;
    let team = house.team().await;
    let (admin, _) = house.staff().await;
    let session = house.log_in().await;
    let campaign_id = team.owner.campaign.expect("they have one").to_string();
    let status = CampaignStatus::Suspended.into();
    let message = ChangeCampaignStatusRequest { campaign_id, status };
    let request = house.identity.command(&admin, Uuid::now_v7(), message);
    let mut campaigns = CampaignsClient::new(house.identity.channel());
    campaigns.change_campaign_status(request).await.expect("an admin may");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
    let send = || {
        let url = format!("http://{}/c/tehran/inbox/1001/reply", house.gateways[0]);
        let form = [("csrf", gateway::csrf::token(&session)), ("text", "سلام".to_owned())];
        client.post(url).header("Cookie", format!("meydan={session}")).form(&form)
    };

    let by_script = send().header("HX-Request", "true").send().await.expect("it is answered");
    let by_hand = send().send().await.expect("it is answered");

    assert_eq!((by_script.status().as_u16(), by_hand.status().as_u16()), (409, 409));
    assert_eq!(by_script.headers()["hx-redirect"], "/c/tehran");
    assert!(by_hand.headers().get("hx-redirect").is_none());
    assert!(by_hand.text().await.expect("it arrives").contains("ستاد فعلاً متوقف است"));
}
