//! What is asked of each method, as bytes, and how it has to answer.

use std::net::SocketAddr;

use meydan_rpc::{
    caller::{Assertions, Caller, Who},
    client::Dial,
    pb::{audit, bot_hub as hub, crm, identity as id},
};
use prost::{Message, bytes::Bytes};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{erase::database, methods::SERVICES, office::Office, raw::call};

/// How a method has to answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// Not at all.
    Is(Code),
    /// With the caller's own, and nothing of the other campaign's.
    Own,
    /// Not at all, whatever it says first.
    Refused,
    /// It is about the caller alone and names nothing, so there is nothing of another's to ask it for.
    Nameless,
}

/// Things of one campaign, and who asks for them from another one.
pub(crate) struct Foreign {
    /// Signs for whoever calls.
    pub(crate) keys: Assertions,
    dials: [Dial; 4],
    stranger: Caller,
    campaign: Uuid,
    number: i64,
    message: String,
    file: String,
    member: String,
    key: String,
    /// What must never be seen.
    marks: Vec<String>,
}

impl Foreign {
    /// Looks for them, as services of ours may.
    pub(super) async fn find(office: &Office, addresses: &[String; 4]) -> Self {
        let keys = Assertions::from_file(&office.ground.data().join("secrets/assertion.pem"));
        let keys = keys.expect("the platform has made it");
        let dials: [Dial; 4] = std::array::from_fn(|number| {
            let address: SocketAddr = addresses[number].parse().expect("an address");
            Dial::new(SERVICES[number].0, address, keys.clone())
        });
        let campaign = |slug: &'static str| {
            let (dial, demo) = (dials[0].clone(), Caller::service("demo", None));
            async move {
                let mut campaigns = id::campaigns_client::CampaignsClient::new(dial.channel());
                let request = dial.ask(&demo, id::ListCampaignsRequest::default());
                let all = campaigns.list_campaigns(request).await.expect("it answers").into_inner();
                let found = all.campaigns.into_iter().find(|campaign| campaign.slug == slug);
                found.expect("it was founded").campaign_id.parse::<Uuid>().expect("an id")
            }
        };
        let (tehran, isfahan) = (campaign("tehran").await, campaign("isfahan").await);
        let owners = member(tehran, Uuid::from_u128(9));
        let mut members = id::members_client::MembersClient::new(dials[0].channel());
        let request = dials[0].ask(&owners, id::ListMembersRequest::default());
        let team = members.list_members(request).await.expect("it answers").into_inner().members;
        let request =
            dials[0].ask(&member(isfahan, Uuid::from_u128(9)), id::ListMembersRequest::default());
        let own = members.list_members(request).await.expect("it answers").into_inner().members;
        let owner = at_work(office, member(tehran, account(&team[0]))).await;
        let key = key_of(&dials[0], &owner).await;
        let mut tickets = crm::tickets_client::TicketsClient::new(dials[1].channel());
        let request =
            dials[1].ask(&owners, crm::GetTicketRequest { number: 1001, min_position: 0 });
        let found = tickets.get_ticket(request).await.expect("the ticket is there").into_inner();
        let ticket = found.ticket.expect("the ticket is there");
        let message = found.messages[0].message_id.clone();
        let marks = vec![
            tehran.to_string(),
            team[0].member_id.clone(),
            team[0].email.clone(),
            ticket.ticket_id,
            ticket.citizen_id,
            message.clone(),
            key.clone(),
            "راز".to_owned(),
        ];
        Self {
            keys,
            dials,
            stranger: at_work(office, member(isfahan, account(&own[0]))).await,
            campaign: tehran,
            number: ticket.number,
            message,
            file: "AgACAgQAAxkBAAIB".to_owned(),
            member: team[0].member_id.clone(),
            key,
            marks,
        }
    }

    /// By which a service is called.
    pub(crate) fn dial(&self, service: &str) -> &Dial {
        let at = SERVICES.iter().position(|(name, _)| *name == service);
        &self.dials[at.expect("it is one of ours")]
    }

    /// Calls a method as the stranger.
    pub(super) async fn ask(
        &self,
        service: &str,
        path: &'static str,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, Status> {
        let dial = self.dial(service);
        let request = dial.command(&self.stranger, Uuid::now_v7(), Bytes::from(message));
        call(dial.channel(), path, request).await
    }

    /// The marks of the other campaign that an answer shows.
    pub(super) fn shown_in(&self, answer: &[u8]) -> Vec<&str> {
        let seen =
            |mark: &&String| answer.windows(mark.len()).any(|piece| piece == mark.as_bytes());
        self.marks.iter().filter(seen).map(String::as_str).collect()
    }

    /// An address with the other campaign's things in it, under a campaign's name.
    pub(crate) fn address(&self, path: &str, slug: &str) -> String {
        path.replace("{slug}", slug)
            .replace("{number}", &self.number.to_string())
            .replace("{member}", &self.member)
            .replace("{message}", &self.message)
            .replace("{key}", &self.key)
    }
}

/// Makes a key in the campaign of its owner; its id.
async fn key_of(dial: &Dial, owner: &Caller) -> String {
    let message = id::CreateApiKeyRequest {
        name: "report".to_owned(),
        permissions: vec!["crm:ticket.read".to_owned()],
        expires_at: None,
    };
    let mut keys = id::api_keys_client::ApiKeysClient::new(dial.channel());
    let request = dial.command(owner, Uuid::now_v7(), message);
    keys.create_api_key(request).await.expect("an owner may").into_inner().api_key_id
}

fn account(member: &id::Member) -> Uuid {
    member.account_id.parse().expect("an id")
}

/// The same with the session that they have, without which nobody changes anything.
async fn at_work(office: &Office, caller: Caller) -> Caller {
    let Who::Account { id, admin, .. } = caller.who else { panic!("they are a person") };
    let session = sqlx::query_scalar("SELECT session_id FROM sessions WHERE account_id = $1");
    let session = session.bind(id).fetch_one(&database(&office.ground, "identity").await).await;
    let session = session.expect("they are logged in");
    Caller { who: Who::Account { id, session, admin }, ..caller }
}

/// Somebody who may do everything in a campaign.
fn member(campaign: Uuid, account: Uuid) -> Caller {
    let all = identity_domain::CATALOGUE.iter().map(|permission| permission.name.to_owned());
    Caller {
        who: Who::Account { id: account, session: Uuid::from_u128(8), admin: false },
        campaign: Some(campaign),
        permissions: all.collect(),
        address: None,
        fresh_until: Some(i64::MAX),
    }
}

/// What to ask of a method, and how it has to answer a member. A method that has no case here is a failure.
pub(super) fn message(path: &str, foreign: &Foreign) -> (Vec<u8>, Answer) {
    let (service, method) = path.trim_start_matches('/').split_once('/').expect("a path");
    match service {
        "meydan.identity.v1.Members" => of_members(method, foreign),
        "meydan.identity.v1.Campaigns" => of_campaigns(method, foreign),
        "meydan.crm.v1.Tickets" => of_tickets(method, foreign),
        "meydan.bot_hub.v1.Bots" | "meydan.bot_hub.v1.Files" => of_bots(method, foreign),
        "meydan.audit.v1.Entries" => of_entries(method, foreign),
        "meydan.identity.v1.Accounts" => of_accounts(method),
        "meydan.identity.v1.ApiKeys" => match method {
            // Nothing is said of it, so nothing is made.
            "CreateApiKey" => (vec![], Answer::Is(Code::InvalidArgument)),
            "ListApiKeys" => (vec![], Answer::Own),
            "RevokeApiKey" => {
                let api_key_id = foreign.key.clone();
                (id::RevokeApiKeyRequest { api_key_id }.encode_to_vec(), NOT_FOUND)
            }
            _ => panic!("{path} has no case"),
        },
        "meydan.identity.v1.Records" => {
            let campaign_ids = vec![foreign.campaign.to_string()];
            let message =
                id::NoteReadingRequest { campaign_ids, exported: true, ..Default::default() };
            (message.encode_to_vec(), NOT_FOUND)
        }
        // Addresses, telephones, passkeys and their challenges are the caller's own.
        "meydan.identity.v1.Contacts" | "meydan.identity.v1.Passkeys" => (vec![], Answer::Nameless),
        // Services of ours alone, or admins.
        "meydan.identity.v1.Oversight"
        | "meydan.identity.v1.PasskeyLogins"
        | "meydan.identity.v1.Recovery"
        | "meydan.identity.v1.Sessions"
        | "meydan.crm.v1.Intake"
        | "meydan.bot_hub.v1.Hooks" => (vec![], Answer::Is(Code::PermissionDenied)),
        _ => panic!("{path} has no case"),
    }
}

const NOT_FOUND: Answer = Answer::Is(Code::NotFound);

fn of_accounts(method: &str) -> (Vec<u8>, Answer) {
    let factor_id = Uuid::from_u128(77).to_string();
    match method {
        "Join" => {
            let (token, password) = ("x".repeat(43), String::new());
            (id::JoinRequest { token, password }.encode_to_vec(), NOT_FOUND)
        }
        "ChangePassword" | "ProveAgain" | "BeginFactor" | "RenewRecoveryCodes" => {
            (vec![], Answer::Nameless)
        }
        "ListFactors" | "ListSessions" | "ListHistory" => (vec![], Answer::Own),
        "ConfirmFactor" => {
            let code = "000000".to_owned();
            (id::ConfirmFactorRequest { factor_id, code }.encode_to_vec(), Answer::Refused)
        }
        "RenameFactor" => {
            let name = "x".to_owned();
            (id::RenameFactorRequest { factor_id, name }.encode_to_vec(), NOT_FOUND)
        }
        "RemoveFactor" => (id::RemoveFactorRequest { factor_id }.encode_to_vec(), Answer::Refused),
        "NameAccounts" => (vec![], Answer::Is(Code::PermissionDenied)),
        // Neither is said, so nothing is set.
        "SetPreferences" => (vec![], Answer::Is(Code::InvalidArgument)),
        "EndSessions" => {
            let session_id = Uuid::from_u128(77).to_string();
            (id::EndSessionsRequest { session_id }.encode_to_vec(), NOT_FOUND)
        }
        "StopTrusting" => {
            let session_id = Uuid::from_u128(77).to_string();
            (id::StopTrustingRequest { session_id }.encode_to_vec(), NOT_FOUND)
        }
        _ => panic!("Accounts/{method} has no case"),
    }
}

fn of_members(method: &str, foreign: &Foreign) -> (Vec<u8>, Answer) {
    let member_id = foreign.member.clone();
    let message = match method {
        "ListMembers" | "ListPermissions" => return (vec![], Answer::Own),
        // Nobody is named, so nobody is asked.
        "InviteMember" => {
            let message = id::InviteMemberRequest { role: 2, ..Default::default() };
            return (message.encode_to_vec(), Answer::Is(Code::InvalidArgument));
        }
        // The last owner of their own campaign: the caller's own place is all that it can name.
        "Leave" => return (vec![], Answer::Is(Code::FailedPrecondition)),
        // The same; and whoever has no second factor demands none.
        "DemandFactor" => return (vec![], Answer::Refused),
        "ChangeRole" => id::ChangeRoleRequest { member_id, role: 2 }.encode_to_vec(),
        "ChangePermissions" => {
            id::ChangePermissionsRequest { member_id, ..Default::default() }.encode_to_vec()
        }
        "Deactivate" | "Reactivate" | "Remove" | "RenewInvitation" | "WithdrawInvitation" => {
            id::ChangeMemberRequest { member_id }.encode_to_vec()
        }
        _ => panic!("Members/{method} has no case"),
    };
    (message, NOT_FOUND)
}

fn of_campaigns(method: &str, foreign: &Foreign) -> (Vec<u8>, Answer) {
    let campaign_id = foreign.campaign.to_string();
    let message = match method {
        "GetCampaign" => {
            let which = Some(id::get_campaign_request::Which::CampaignId(campaign_id));
            id::GetCampaignRequest { which, min_position: 0 }.encode_to_vec()
        }
        "EditCampaign" => {
            id::EditCampaignRequest { campaign_id, ..Default::default() }.encode_to_vec()
        }
        "ChangeCampaignStatus" => {
            id::ChangeCampaignStatusRequest { campaign_id, status: 3 }.encode_to_vec()
        }
        "RequestDeletion" | "WithdrawDeletion" => {
            id::DeletionRequest { campaign_id }.encode_to_vec()
        }
        "CreateCampaign" | "ListCampaigns" => vec![],
        _ => panic!("Campaigns/{method} has no case"),
    };
    (message, NOT_FOUND)
}

fn of_tickets(method: &str, foreign: &Foreign) -> (Vec<u8>, Answer) {
    let number = foreign.number;
    let message = match method {
        "ListTickets" | "GetFigures" => return (vec![], Answer::Own),
        "GetTicket" => crm::GetTicketRequest { number, min_position: 0 }.encode_to_vec(),
        "Reply" => {
            let text = "x".to_owned();
            crm::ReplyRequest { number, text, ..Default::default() }.encode_to_vec()
        }
        "ChangeStatus" => crm::ChangeStatusRequest { number, status: 5, at: None }.encode_to_vec(),
        "GetAttachment" => {
            crm::GetAttachmentRequest { message_id: foreign.message.clone() }.encode_to_vec()
        }
        _ => panic!("Tickets/{method} has no case"),
    };
    (message, NOT_FOUND)
}

fn of_bots(method: &str, foreign: &Foreign) -> (Vec<u8>, Answer) {
    let campaign_id = foreign.campaign.to_string();
    let message = match method {
        "ConnectBot" => {
            let token = crate::office::TOKEN.to_owned();
            hub::ConnectBotRequest { campaign_id, token }.encode_to_vec()
        }
        "CheckBot" => hub::CheckBotRequest { campaign_id }.encode_to_vec(),
        "DisconnectBot" => hub::DisconnectBotRequest { campaign_id }.encode_to_vec(),
        "GetBot" => hub::GetBotRequest { campaign_id, min_position: 0 }.encode_to_vec(),
        "ListBots" => vec![],
        "FetchFile" => hub::FetchFileRequest { file_id: foreign.file.clone() }.encode_to_vec(),
        _ => panic!("bot hub's {method} has no case"),
    };
    (message, NOT_FOUND)
}

fn of_entries(method: &str, foreign: &Foreign) -> (Vec<u8>, Answer) {
    let campaign_id = foreign.campaign.to_string();
    let filter = Some(audit::Filter { campaign_id, ..Default::default() });
    let message = match method {
        "ListEntries" => {
            audit::ListEntriesRequest { filter, limit: 200, before: 0 }.encode_to_vec()
        }
        "ExportEntries" => audit::ExportEntriesRequest { filter }.encode_to_vec(),
        _ => panic!("the audit's {method} has no case"),
    };
    (message, NOT_FOUND)
}
