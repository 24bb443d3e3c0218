//! `meydan.identity.v1`: parse, ask, answer. Nothing is decided here.

mod accounts;
mod campaigns;
mod contact;
mod failure;
mod members;
mod sessions;

use meydan_event_log::{Actor, Meta};
use meydan_rpc::{
    caller::{Caller, Who},
    guard::{Need, Policies, command_id},
    pb::identity::{
        accounts_server::AccountsServer, campaigns_server::CampaignsServer,
        contacts_server::ContactsServer, members_server::MembersServer,
        recovery_server::RecoveryServer, sessions_server::SessionsServer,
    },
};
use tonic::{Request, Status, service::Routes};

use crate::app::Identity;

/// Who may call what.
pub const POLICIES: Policies = &[
    ("/meydan.identity.v1.Sessions/InviteFirstAdmin", Need::Service(&["meydan"])),
    ("/meydan.identity.v1.Sessions/GetInvitation", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/AcceptInvitation", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/LogIn", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/ProveFactor", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/LogOut", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/Authenticate", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Accounts/Join", Need::Account),
    ("/meydan.identity.v1.Accounts/ChangePassword", Need::Account),
    ("/meydan.identity.v1.Accounts/ProveAgain", Need::Account),
    ("/meydan.identity.v1.Accounts/ListFactors", Need::Account),
    ("/meydan.identity.v1.Accounts/BeginFactor", Need::Account),
    ("/meydan.identity.v1.Accounts/ConfirmFactor", Need::Account),
    ("/meydan.identity.v1.Accounts/RenameFactor", Need::Account),
    ("/meydan.identity.v1.Accounts/RemoveFactor", Need::Account),
    ("/meydan.identity.v1.Accounts/RenewRecoveryCodes", Need::Account),
    ("/meydan.identity.v1.Accounts/ListSessions", Need::Account),
    ("/meydan.identity.v1.Accounts/EndSessions", Need::Account),
    ("/meydan.identity.v1.Accounts/ListHistory", Need::Account),
    ("/meydan.identity.v1.Contacts/GetContact", Need::Account),
    ("/meydan.identity.v1.Contacts/AskEmail", Need::Account),
    ("/meydan.identity.v1.Contacts/ProveEmail", Need::Account),
    ("/meydan.identity.v1.Contacts/AskPhone", Need::Account),
    ("/meydan.identity.v1.Contacts/ProvePhone", Need::Account),
    ("/meydan.identity.v1.Recovery/AskRecovery", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Recovery/GetRecovery", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Recovery/FinishRecovery", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Campaigns/CreateCampaign", Need::AdminOrService(&["demo"])),
    ("/meydan.identity.v1.Campaigns/EditCampaign", Need::Admin),
    ("/meydan.identity.v1.Campaigns/ChangeCampaignStatus", Need::Admin),
    ("/meydan.identity.v1.Campaigns/ListCampaigns", Need::AdminOrService(&["demo"])),
    ("/meydan.identity.v1.Campaigns/GetCampaign", Need::AdminOr("crm:ticket.read")),
    (
        "/meydan.identity.v1.Members/InviteMember",
        Need::PermissionOrService("identity:member.invite", &["demo"]),
    ),
    ("/meydan.identity.v1.Members/ListMembers", Need::Permission("identity:member.read")),
];

/// The services, ready to be guarded and served.
#[must_use]
pub fn routes(identity: Identity) -> Routes {
    Routes::new(SessionsServer::new(sessions::SessionsApi(identity.clone())))
        .add_service(AccountsServer::new(accounts::AccountsApi(identity.clone())))
        .add_service(ContactsServer::new(contact::ContactsApi(identity.clone())))
        .add_service(RecoveryServer::new(contact::RecoveryApi(identity.clone())))
        .add_service(CampaignsServer::new(campaigns::CampaignsApi(identity.clone())))
        .add_service(MembersServer::new(members::MembersApi(identity)))
}

/// The origin of a command that `caller` gives.
fn meta<T>(request: &Request<T>, caller: &Caller) -> Result<Meta, Status> {
    let actor = match &caller.who {
        Who::Account { id, session, .. } => Actor::Account { id: *id, session: Some(*session) },
        Who::Service { name } => Actor::Service { name: name.clone() },
    };
    Ok(Meta::new(command_id(request)?, actor))
}
