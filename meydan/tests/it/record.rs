//! The record as people read it: who reads it is on it, one request is followed through it, and a copy is whole or breaks
//! off.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt, stream};
use meydan_rpc::{
    caller::{Assertions, Caller, Who},
    client::Dial,
    pb::{
        audit::{
            Entry, ExportEntriesRequest, ExportEntriesResponse, ListEntriesRequest,
            ListEntriesResponse,
            entries_server::{Entries, EntriesServer},
        },
        identity::{
            ChangePermissionsRequest, LogOutRequest, ProveAgainRequest,
            accounts_client::AccountsClient,
        },
    },
};
use tokio::{net::TcpListener, sync::Semaphore};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

use crate::{
    erase::database,
    office::{Office, Reach, TOKEN, telegram},
    operate::meydan,
    revocation::{House, PASSWORD, Team, get},
};

/// What stands between two pieces of a page.
fn between<'a>(html: &'a str, before: &str, after: &str) -> &'a str {
    let found = html.split(before).nth(1).and_then(|rest| rest.split(after).next());
    found.unwrap_or_else(|| panic!("the page has no {before}: {html}"))
}

/// The pages of the record that are noted in a campaign's log, in order, and how many copies.
async fn noted(office: &Office) -> (Vec<String>, i64) {
    let identity = database(&office.ground, "identity").await;
    let opened =
        "SELECT payload::jsonb ->> 'page' FROM es.events WHERE event_type = 'record.opened'
                  AND tenant_id <> '00000000-0000-0000-0000-000000000000' ORDER BY position";
    let opened = sqlx::query_scalar(opened).fetch_all(&identity).await.expect("it answers");
    let copied = "SELECT count(*) FROM es.events WHERE event_type = 'record.exported'
                  AND tenant_id <> '00000000-0000-0000-0000-000000000000'";
    (opened, sqlx::query_scalar(copied).fetch_one(&identity).await.expect("it answers"))
}

#[tokio::test]
async fn staff_that_reads_a_campaigns_record_is_on_it_before_anything_is_seen() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let (admin, owner) = (&office.admin, &office.owner);
    let joined = owner.until("/c/tehran/audit", "پیوستن عضو").await;
    assert!(joined.says("از نشانی 127.0.0.1") || joined.says("از نشانی \u{2068}127.0.0.1\u{2069}"));
    assert_eq!(noted(&office).await, (vec![], 0), "a team is at home in its own");
    let page = admin.open("/admin/audit").await;
    let choices = between(&page.html, "name=\"campaign\">", "</select>");
    let ids = choices.split("<option value=\"").filter_map(|rest| rest.split('"').next());
    let campaign = ids.into_iter().find(|id| id.len() == 36 && !id.starts_with("00000000"));
    let campaign = campaign.expect("the campaign can be chosen").to_owned();
    assert_eq!(noted(&office).await.0, ["audit"], "it shows entries of the campaign");

    let of_campaign = format!("/admin/audit?campaign={campaign}");
    let page = admin.open(&of_campaign).await;
    let request = between(&page.html, "correlation=", "\"").to_owned();
    assert_eq!(admin.open(&format!("/admin/audit?correlation={request}")).await.status, 200);
    admin.open(&of_campaign).await;
    assert_eq!(noted(&office).await.0, ["audit", "audit.request"], "once a look");
    let copy = admin.open(&format!("/admin/audit/export.csv?campaign={campaign}")).await;
    assert!(copy.html.contains("\"address\"\r\n"), "{}", copy.html);
    assert_eq!(noted(&office).await.1, 1);
    admin.open("/admin/audit/export.csv").await;
    assert_eq!(noted(&office).await.1, 2, "a copy of everything is one of theirs");

    let seen = owner.until("/c/tehran/audit?action=record.", "یک درخواست در سابقهٔ کارها").await;
    assert!(seen.says("بازکردن سابقهٔ کارها به دست مدیر سامانه") && seen.says("بیرون از ستاد"));
    owner.until("/c/tehran/audit?action=record.exported", "ذخیرهٔ رونوشت").await;
    let own = owner.open("/c/tehran/audit/export.csv").await;
    assert_eq!(own.status, 200);
    assert_eq!(noted(&office).await.1, 3, "the campaign's own copies are on it as well");
    office.meydan.stop().await;
}

#[tokio::test]
async fn what_cannot_be_looked_for_is_refused_by_its_name_on_the_page_and_in_the_copy() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    for (query, field) in [
        ("from=yesterday", "from"),
        ("until=1405/13/40", "until"),
        ("from=2026-11-22&until=2026-11-21", "until"),
        ("who=x%27%20OR%201%3D1", "who"),
        ("target=nonsense", "target"),
        ("correlation=1", "correlation"),
        ("before=-1", "before"),
        ("before=x", "before"),
    ] {
        for (person, base) in [(&office.owner, "/c/tehran/audit"), (&office.admin, "/admin/audit")]
        {
            for path in [format!("{base}?{query}"), format!("{base}/export.csv?{query}")] {
                let page = person.open(&path).await;
                assert_eq!(page.status, 422, "{path}");
                assert!(page.html.contains(&format!("id=\"e-{field}\"")), "{path}: {}", page.html);
                assert!(!page.html.contains("<tbody>"), "{path} shows nothing besides");
            }
        }
    }
    let page = office.admin.open("/admin/audit?campaign=tehran").await;
    assert!(page.status == 422 && page.html.contains("id=\"e-campaign\""), "{}", page.html);
    assert_eq!(office.admin.open("/admin/security?until=x").await.status, 422);
    assert_eq!(noted(&office).await, (vec![], 0), "nothing was seen");
    office.meydan.stop().await;
}

/// The words of the rows that a page shows, from the oldest, and the words beside them.
fn rows(html: &str) -> Vec<(String, String)> {
    let body = html.split("<tbody>").nth(1).unwrap_or_default();
    let rows = body.split("<span class=\"audit-action\">").skip(1).map(|row| {
        let row = row.split("</tr>").next().unwrap_or_default();
        (row.split('<').next().unwrap_or_default().to_owned(), row.to_owned())
    });
    let mut rows: Vec<_> = rows.collect();
    rows.reverse();
    rows
}

#[tokio::test]
async fn one_request_is_followed_through_every_context_with_what_policies_answered_to_it() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Webhook).await;
    telegram.say(TOKEN, 71, "راز").expect("a citizen writes");
    office.owner.until("/c/tehran/inbox/1001/messages", "راز").await;
    office.answer(1001, "پاسخ").await;
    office.owner.until("/c/tehran/inbox/1001/messages", "delivery is-sent").await;

    // A citizen's message: the hub takes it, a policy brings it to the inbox.
    let opened =
        office.owner.until("/c/tehran/audit?action=ticket.opened", "آغاز گفت‌وگو</span>").await;
    let path = |page: &str| {
        format!("/c/tehran/audit?correlation={}", between(page, "?correlation=", "\""))
    };
    let request = path(&opened.html);
    let followed = rows(&office.owner.until(&request, "کار شهروند در بات</span>").await.html);
    let words: Vec<_> = followed.iter().map(|(action, _)| action.as_str()).collect();
    let place = |action: &str| words.iter().position(|one| *one == action);
    let (asked, opened) = (place("کار شهروند در بات"), place("آغاز گفت‌وگو"));
    assert!(asked.is_some() && asked < opened, "{words:?}");

    // A member's answer: the inbox, then the hub and Telegram, then the inbox again, by policies.
    let all = "/c/tehran/audit?action=ticket.reply_written";
    let written = office.owner.until(all, "نوشتن پاسخ</span>").await;
    let request = path(&written.html);
    let answered = rows(&office.owner.until(&request, "ارسال پاسخ</span>").await.html);
    let words: Vec<_> = answered.iter().map(|(action, _)| action.as_str()).collect();
    let place = |action: &str| words.iter().position(|one| *one == action);
    let steps = ["نوشتن پاسخ", "پذیرفته شدن پاسخ در تلگرام", "ارسال پاسخ"].map(place);
    assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{words:?}");
    assert!(answered[0].1.contains("نرگس زاینده"), "a person began it: {}", answered[0].1);
    let last = &answered[steps[2].expect("it is there")].1;
    assert!(last.contains("خودکار"), "and a policy ended it: {last}");

    // What happens in one context alone is a request as well: a login, and a change of the team.
    let asked = "/admin/audit?action=account.logged_in";
    let entered = office.admin.until(asked, "ورود</span>").await;
    let request =
        format!("/admin/audit?correlation={}", between(&entered.html, "?correlation=", "\""));
    assert!(
        rows(&office.admin.open(&request).await.html).iter().any(|(action, _)| action == "ورود")
    );
    let team = office.owner.open("/c/tehran/team").await;
    let fields = [("email", "sara@meydan.example"), ("name", "سارا"), ("role", "staff")];
    office.owner.send(&team, "/c/tehran/team/invite", &fields).await;
    office.owner.until("/c/tehran/audit?action=member.invited", "<small>همکار</small>").await;
    let invited = office.admin.open("/admin/audit?action=member.invited").await;
    let request =
        format!("/admin/audit?correlation={}", between(&invited.html, "?correlation=", "\""));
    let steps: Vec<_> = rows(&office.admin.open(&request).await.html);
    let words: Vec<_> = steps.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(words, ["ساختن حساب", "دعوت عضو"], "the account on the platform, then the place");
    office.meydan.stop().await;
}

/// A record whose second piece never comes, or once it is let.
#[derive(Clone)]
enum Record {
    Broken,
    Held(Arc<Semaphore>),
}

impl Record {
    /// Gateways before this record.
    async fn house(&self) -> House {
        let door = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = door.local_addr().expect("it has an address");
        let serving =
            tonic::transport::Server::builder().add_service(EntriesServer::new(self.clone()));
        tokio::spawn(serving.serve_with_incoming(TcpIncoming::from(door)));
        House::open_with(|setup| {
            setup.audit = Dial::new(audit::NAME, address, Assertions::generate());
        })
        .await
    }

    async fn second(&self) -> Result<ExportEntriesResponse, Status> {
        match self {
            Self::Broken => Err(Status::unavailable("the database is away")),
            Self::Held(let_go) => {
                let_go.acquire().await.expect("it stays").forget();
                Ok(piece())
            }
        }
    }
}

/// A hundred entries of no campaign.
fn piece() -> ExportEntriesResponse {
    let entry = Entry {
        campaign_id: uuid::Uuid::nil().to_string(),
        actor_kind: "service".to_owned(),
        actor_name: "crm".to_owned(),
        action: "ticket.opened".to_owned(),
        details: "{}".to_owned(),
        at: Some(prost_types::Timestamp::default()),
        ..Entry::default()
    };
    ExportEntriesResponse { entries: vec![entry; 100] }
}

/// How many lines of a copy come, and whether it is whole.
async fn lines(mut copy: reqwest::Response) -> (usize, bool) {
    let mut text = Vec::new();
    let whole = loop {
        match copy.chunk().await {
            Ok(Some(chunk)) => text.extend(chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    (String::from_utf8_lossy(&text).lines().count(), whole)
}

#[tonic::async_trait]
impl Entries for Record {
    async fn list_entries(
        &self,
        _: Request<ListEntriesRequest>,
    ) -> Result<Response<ListEntriesResponse>, Status> {
        Err(Status::unavailable("the database is away"))
    }

    type ExportEntriesStream =
        Pin<Box<dyn Stream<Item = Result<ExportEntriesResponse, Status>> + Send>>;

    async fn export_entries(
        &self,
        _: Request<ExportEntriesRequest>,
    ) -> Result<Response<Self::ExportEntriesStream>, Status> {
        let record = self.clone();
        let second = stream::once(async move { record.second().await });
        Ok(Response::new(Box::pin(stream::iter([Ok(piece())]).chain(second))))
    }
}

impl House {
    /// Lets the member of a team read the record.
    async fn let_read(&self, team: &Team) {
        let message = ChangePermissionsRequest {
            member_id: team.member_id.clone(),
            granted: vec!["identity:audit.read".to_owned()],
            denied: vec![],
        };
        let request = self.identity.command(&team.owner, uuid::Uuid::now_v7(), message);
        self.members().change_permissions(request).await.expect("an owner may");
    }

    /// Whoever has a session proves who they are, as in another tab; its new token.
    async fn prove(&self, session: &str) -> String {
        let held = self.held(session).await;
        let who = Who::Account {
            id: held.account_id.parse().expect("an id"),
            session: held.session_id.parse().expect("an id"),
            admin: held.is_admin,
        };
        let fresh_until = Some(i64::MAX);
        let caller =
            Caller { who, campaign: None, permissions: vec![], address: None, fresh_until };
        let message = ProveAgainRequest { secret: PASSWORD.to_owned() };
        let mut accounts = AccountsClient::new(self.identity.channel());
        let proved = accounts.prove_again(self.identity.ask(&caller, message)).await;
        proved.expect("it is the password").into_inner().session_token
    }

    /// A copy of the campaign's record that has begun.
    async fn begun(&self, session: &str) -> reqwest::Response {
        let mut copy = get(self.gateways[0], "/c/tehran/audit/export.csv", session).await;
        assert_eq!(copy.status(), 200);
        copy.chunk().await.expect("it is read").expect("it begins");
        copy
    }
}

#[tokio::test]
async fn a_copy_goes_on_when_its_session_gets_another_token_and_breaks_off_when_that_ends() {
    let let_go = Arc::new(Semaphore::new(0));
    let house = Record::Held(let_go.clone()).house().await;
    let team = house.team().await;
    house.let_read(&team).await;
    let first = house.log_in().await;

    let copy = house.begun(&first).await;
    let second = house.prove(&first).await;
    while house.answers(&first).await != [303; 3] {}
    let_go.add_permits(1);
    let (rest, whole) = lines(copy).await;
    assert!(whole && rest >= 100, "{rest} lines: whoever reads goes on");

    let copy = house.begun(&second).await;
    let third = house.prove(&second).await;
    let request = house
        .identity
        .ask(&Caller::service("gateway", None), LogOutRequest { session_token: third });
    house.sessions().log_out(request).await.expect("it goes on");
    while house.answers(&second).await != [303; 3] {}
    let_go.add_permits(1);
    let (_, whole) = lines(copy).await;
    assert!(!whole, "by whatever token it is, it has ended");
}

#[tokio::test]
async fn a_copy_that_breaks_off_is_no_whole_answer() {
    let house = Record::Broken.house().await;
    let (_, session) = house.staff().await;

    let copy = get(house.gateways[0], "/admin/audit/export.csv", &session).await;
    assert_eq!(copy.status().as_u16(), 200, "it began");

    let (lines, whole) = lines(copy).await;
    assert!(!whole, "the connection breaks: {lines} lines are not the record");
    assert!(lines <= 101);
}

#[tokio::test]
async fn a_copy_breaks_off_before_the_first_line_that_its_reader_may_not_read_any_more() {
    let let_go = Arc::new(Semaphore::new(1));
    let house = Record::Held(let_go.clone()).house().await;
    let team = house.team().await;
    house.let_read(&team).await;
    let session = house.log_in().await;
    let save = async || get(house.gateways[0], "/c/tehran/audit/export.csv", &session).await;
    assert_eq!(lines(save().await).await, (201, true), "whoever may read gets all of it");

    let mut copies = vec![];
    for _ in 0..20 {
        copies.push(house.begun(&session).await);
    }
    assert_eq!(save().await.status(), 429, "so many at a time, and no more");
    house.set_active(&team, false).await;
    while house.answers(&session).await != [303; 3] {}
    let_go.add_permits(20);

    for copy in copies {
        let (lines, whole) = lines(copy).await;
        assert!(!whole && lines <= 101, "{lines} lines, of which whoever is out reads a hundred");
    }
}

#[tokio::test]
async fn what_operators_do_past_the_panel_is_on_record() {
    let telegram = telegram().await;
    let office = Office::open(&telegram.url(), Reach::Polling).await;
    let ground = &office.ground;
    office.admin.until("/admin/audit?action=operation.", "ساختن پیوند نخستین مدیر").await;

    meydan(ground, &["keys", "rotate", "--platform", "--campaign", "tehran"]).await.expect("it is");
    let discard = ["relay", "repair", "crm", "--discard-stream", "--force"];
    meydan(ground, &discard).await.expect("whoever insists may");
    meydan(ground, &["projection", "rebuild", "crm", "--switch"]).await.expect("they grow");

    let all = "/admin/audit?action=operation.";
    for words in ["دور ریختن رونوشت سیاهه", "به‌کار گرفتن جدول‌های بازساخته"]
    {
        let page = office.admin.until(all, words).await;
        assert!(page.says("<small>گفت‌وگوها</small>"), "whose: {}", page.html);
    }
    office.owner.until("/c/tehran/audit?action=operation.", "تعویض کلید نگه‌دارنده").await;
    let identity = database(ground, "identity").await;
    let rotated = "SELECT count(*) FROM es.events WHERE event_type = 'operation.keys_rotated'";
    let rotated: i64 = sqlx::query_scalar(rotated).fetch_one(&identity).await.expect("it answers");
    assert_eq!(rotated, 2, "of the platform, and of the campaign");
    office.meydan.stop().await;
}
