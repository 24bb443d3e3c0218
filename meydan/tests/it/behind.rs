//! Whoever has changed something asks for a page that shows it, or is told that there is none yet.

use std::{collections::BTreeSet, net::SocketAddr};

use meydan_rpc::{
    caller::{Assertions, Caller, Who},
    client::Dial,
    pb::{
        DESCRIPTORS,
        bot_hub::{GetBotRequest, bots_client::BotsClient},
        crm::{
            GetFiguresRequest, GetTicketRequest, ListTicketsRequest, tickets_client::TicketsClient,
        },
        identity::{
            GetCampaignRequest, ListApiKeysRequest, ListCampaignsRequest, ListMembersRequest,
            api_keys_client::ApiKeysClient, campaigns_client::CampaignsClient,
            get_campaign_request::Which, members_client::MembersClient,
        },
    },
};
use meydan_testkit::ports;
use prost_types::FileDescriptorSet;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::office::{Office, Reach, telegram};

/// Where no log will come to here.
const NEVER: i64 = 1_000_000_000;

/// What can be asked for a position: the methods whose message names one.
fn methods() -> BTreeSet<String> {
    let set: FileDescriptorSet = prost::Message::decode(DESCRIPTORS).expect("they are ours");
    let mut methods = BTreeSet::new();
    for file in &set.file {
        let names_one = |message: &&prost_types::DescriptorProto| {
            message.field.iter().any(|field| field.name() == "min_position")
        };
        let messages = file.message_type.iter().filter(names_one);
        let messages = messages.map(|message| format!(".{}.{}", file.package(), message.name()));
        let messages = messages.collect::<BTreeSet<_>>();
        for method in file.service.iter().flat_map(|service| &service.method) {
            if messages.contains(method.input_type()) {
                methods.insert(method.name().to_owned());
            }
        }
    }
    methods
}

/// Asks each of them; how it answers.
async fn ask(dials: &[Dial; 3], caller: &Caller) -> [(&'static str, Result<(), Status>); 8] {
    let [identity, crm, hub] = dials;
    let campaign_id = caller.campaign.expect("it is a member").to_string();
    let min_position = NEVER;
    let mut campaigns = CampaignsClient::new(identity.channel());
    let list =
        campaigns.list_campaigns(identity.ask(caller, ListCampaignsRequest { min_position }));
    let list = list.await.map(drop);
    let which = Some(Which::CampaignId(campaign_id.clone()));
    let message = identity.ask(caller, GetCampaignRequest { which, min_position });
    let campaign = campaigns.get_campaign(message).await.map(drop);
    let message = identity.ask(caller, ListMembersRequest { min_position });
    let members = MembersClient::new(identity.channel()).list_members(message).await.map(drop);
    let message = identity.ask(caller, ListApiKeysRequest { min_position });
    let keys = ApiKeysClient::new(identity.channel()).list_api_keys(message).await.map(drop);
    let mut tickets = TicketsClient::new(crm.channel());
    let message = crm.ask(caller, ListTicketsRequest { min_position, ..Default::default() });
    let listed = tickets.list_tickets(message).await.map(drop);
    let message = crm.ask(caller, GetTicketRequest { number: 1001, min_position });
    let ticket = tickets.get_ticket(message).await.map(drop);
    let message = crm.ask(caller, GetFiguresRequest { min_position });
    let figures = tickets.get_figures(message).await.map(drop);
    let message = hub.ask(caller, GetBotRequest { campaign_id, min_position });
    let bot = BotsClient::new(hub.channel()).get_bot(message).await.map(drop);
    [
        ("ListCampaigns", list),
        ("GetCampaign", campaign),
        ("ListMembers", members),
        ("ListApiKeys", keys),
        ("ListTickets", listed),
        ("GetTicket", ticket),
        ("GetFigures", figures),
        ("GetBot", bot),
    ]
}

#[tokio::test]
async fn what_no_table_shows_yet_is_unavailable_and_never_answered_with_less() {
    let telegram = telegram().await;
    let ports = ["MEYDAN_IDENTITY_LISTEN", "MEYDAN_CRM_LISTEN", "MEYDAN_BOT_HUB_LISTEN"];
    let ports = ports.map(|name| (name, format!("127.0.0.1:{}", ports::free())));
    let office = Office::open_with(&telegram.url(), Reach::Polling, &ports).await;
    let keys = Assertions::from_file(&office.ground.data().join("secrets/assertion.pem"));
    let keys = keys.expect("the platform has made it");
    let dial = |(name, at): (&'static str, usize)| {
        let address: SocketAddr = ports[at].1.parse().expect("an address");
        Dial::new(name, address, keys.clone())
    };
    let dials = [(identity::NAME, 0), (crm::NAME, 1), (bot_hub::NAME, 2)].map(dial);
    let all = identity_domain::CATALOGUE.iter().map(|permission| permission.name.to_owned());
    let caller = Caller {
        who: Who::Account { id: Uuid::from_u128(7), session: Uuid::from_u128(8), admin: true },
        campaign: Some(Uuid::from_u128(9)),
        permissions: all.collect(),
        address: None,
        fresh_until: Some(i64::MAX),
    };

    let answers = ask(&dials, &caller).await;

    for (method, answer) in &answers {
        let refused = answer.as_ref().expect_err(method);
        assert_eq!(refused.code(), Code::Unavailable, "{method}: {refused:?}");
    }
    let asked = answers.iter().map(|(method, _)| (*method).to_owned()).collect();
    assert_eq!(methods(), asked, "each method that can be asked for a position is asked");
    for path in ["/c/tehran/inbox", "/c/tehran/team", "/admin/campaigns/tehran"] {
        let person = if path.starts_with("/admin") { &office.admin } else { &office.owner };
        let page = person.open(&format!("{path}?at={NEVER}")).await;
        assert_eq!(page.status, 503, "{path}");
        assert_eq!(person.open(path).await.status, 200, "{path}");
    }
    office.meydan.stop().await;
}
