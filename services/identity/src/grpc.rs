//! `meydan.identity.v1`: parse, ask, answer. Nothing is decided here.

mod accounts;
mod api_keys;
mod campaigns;
mod contact;
mod failure;
mod members;
mod oversight;
mod passkeys;
mod records;
mod sessions;

use meydan_event_log::Meta;
use meydan_rpc::{
    caller::{Caller, Who},
    form::Form,
    guard::{Need, Policies, command_id},
    pb::identity::{
        accounts_server::AccountsServer, api_keys_server::ApiKeysServer,
        campaigns_server::CampaignsServer, contacts_server::ContactsServer,
        members_server::MembersServer, oversight_server::OversightServer,
        passkey_logins_server::PasskeyLoginsServer, passkeys_server::PasskeysServer,
        records_server::RecordsServer, recovery_server::RecoveryServer,
        sessions_server::SessionsServer,
    },
};
use tonic::{Request, Status, service::Routes};
use uuid::Uuid;

use crate::app::Identity;

/// Who may call what.
pub const POLICIES: Policies = &[
    ("/meydan.identity.v1.Sessions/InviteFirstAdmin", Need::Service(&["meydan"])),
    ("/meydan.identity.v1.Sessions/ImportAccount", Need::Service(&["meydan"])),
    ("/meydan.identity.v1.Sessions/GetInvitation", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/AcceptInvitation", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/LogIn", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/ProveFactor", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/LogOut", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/Authenticate", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/AuthenticateSession", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/RenewToken", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/EndImpersonation", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/NoteLook", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Sessions/AuthenticateKey", Need::Service(&["gateway"])),
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
    ("/meydan.identity.v1.Accounts/StopTrusting", Need::Account),
    ("/meydan.identity.v1.Accounts/ListHistory", Need::Account),
    ("/meydan.identity.v1.Accounts/SetPreferences", Need::Account),
    ("/meydan.identity.v1.Accounts/NameAccounts", Need::Admin),
    ("/meydan.identity.v1.PasskeyLogins/GetWaiting", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.PasskeyLogins/AskPasskey", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.PasskeyLogins/EnterWithPasskey", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Passkeys/BeginPasskey", Need::Account),
    ("/meydan.identity.v1.Passkeys/ConfirmPasskey", Need::Account),
    ("/meydan.identity.v1.Passkeys/AskProof", Need::Account),
    ("/meydan.identity.v1.Passkeys/ProveWithPasskey", Need::Account),
    ("/meydan.identity.v1.Oversight/ListAccounts", Need::Admin),
    ("/meydan.identity.v1.Oversight/GetAccount", Need::Admin),
    ("/meydan.identity.v1.Oversight/SuspendAccount", Need::Fresh(&Need::Admin)),
    ("/meydan.identity.v1.Oversight/ReactivateAccount", Need::Fresh(&Need::Admin)),
    ("/meydan.identity.v1.Oversight/EndAccountSessions", Need::Admin),
    ("/meydan.identity.v1.Oversight/ResendInvitation", Need::Fresh(&Need::Admin)),
    ("/meydan.identity.v1.Oversight/InviteAdmin", Need::Fresh(&Need::Admin)),
    ("/meydan.identity.v1.Oversight/WithdrawAdminInvitation", Need::Admin),
    ("/meydan.identity.v1.Oversight/DismissAdmin", Need::Fresh(&Need::Admin)),
    ("/meydan.identity.v1.Oversight/Impersonate", Need::Fresh(&Need::Admin)),
    ("/meydan.identity.v1.Contacts/GetContact", Need::Account),
    ("/meydan.identity.v1.Contacts/AskEmail", Need::Account),
    ("/meydan.identity.v1.Contacts/ProveEmail", Need::Account),
    ("/meydan.identity.v1.Contacts/AskPhone", Need::Fresh(&Need::Account)),
    ("/meydan.identity.v1.Contacts/ProvePhone", Need::Account),
    ("/meydan.identity.v1.Contacts/RemovePhone", Need::Fresh(&Need::Account)),
    ("/meydan.identity.v1.Recovery/AskRecovery", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Recovery/GetRecovery", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Recovery/FinishRecovery", Need::Service(&["gateway"])),
    ("/meydan.identity.v1.Campaigns/CreateCampaign", Need::AdminOrService(&["demo"])),
    ("/meydan.identity.v1.Campaigns/EditCampaign", Need::Admin),
    ("/meydan.identity.v1.Campaigns/ChangeCampaignStatus", Need::Admin),
    ("/meydan.identity.v1.Campaigns/ListCampaigns", Need::AdminOrService(&["demo"])),
    (
        "/meydan.identity.v1.Campaigns/GetCampaign",
        Need::KeyOr("crm:ticket.read", &Need::AdminOr("crm:ticket.read")),
    ),
    ("/meydan.identity.v1.Campaigns/RequestDeletion", Need::Fresh(&Need::Admin)),
    ("/meydan.identity.v1.Campaigns/WithdrawDeletion", Need::Admin),
    (
        "/meydan.identity.v1.Members/InviteMember",
        Need::PermissionOrService("identity:member.invite", &["demo"]),
    ),
    ("/meydan.identity.v1.Members/ListMembers", Need::Permission("identity:member.read")),
    (
        "/meydan.identity.v1.Members/ChangeRole",
        Need::Fresh(&Need::Permission("identity:member.manage")),
    ),
    (
        "/meydan.identity.v1.Members/ChangePermissions",
        Need::Fresh(&Need::Permission("identity:member.manage")),
    ),
    ("/meydan.identity.v1.Members/Deactivate", Need::Permission("identity:member.manage")),
    (
        "/meydan.identity.v1.Members/Reactivate",
        Need::Fresh(&Need::Permission("identity:member.manage")),
    ),
    (
        "/meydan.identity.v1.Members/Remove",
        Need::Fresh(&Need::Permission("identity:member.manage")),
    ),
    ("/meydan.identity.v1.Members/Leave", Need::Account),
    ("/meydan.identity.v1.Members/RenewInvitation", Need::Permission("identity:member.invite")),
    ("/meydan.identity.v1.Members/WithdrawInvitation", Need::Permission("identity:member.invite")),
    (
        "/meydan.identity.v1.Members/DemandFactor",
        Need::Fresh(&Need::Permission("identity:member.manage")),
    ),
    ("/meydan.identity.v1.Members/ListPermissions", Need::Person),
    (
        "/meydan.identity.v1.ApiKeys/CreateApiKey",
        Need::Fresh(&Need::Permission("identity:api_key.manage")),
    ),
    ("/meydan.identity.v1.ApiKeys/ListApiKeys", Need::Permission("identity:api_key.manage")),
    ("/meydan.identity.v1.ApiKeys/RevokeApiKey", Need::Permission("identity:api_key.manage")),
    ("/meydan.identity.v1.Records/NoteReading", Need::AdminOr("identity:audit.read")),
];

/// The services, ready to be guarded and served.
#[must_use]
pub fn routes(identity: Identity) -> Routes {
    Routes::new(SessionsServer::new(sessions::SessionsApi(identity.clone())))
        .add_service(AccountsServer::new(accounts::AccountsApi(identity.clone())))
        .add_service(PasskeyLoginsServer::new(passkeys::PasskeyLoginsApi(identity.clone())))
        .add_service(PasskeysServer::new(passkeys::PasskeysApi(identity.clone())))
        .add_service(OversightServer::new(oversight::OversightApi(identity.clone())))
        .add_service(ContactsServer::new(contact::ContactsApi(identity.clone())))
        .add_service(RecoveryServer::new(contact::RecoveryApi(identity.clone())))
        .add_service(CampaignsServer::new(campaigns::CampaignsApi(identity.clone())))
        .add_service(MembersServer::new(members::MembersApi(identity.clone())))
        .add_service(RecordsServer::new(records::RecordsApi(identity.clone())))
        .add_service(ApiKeysServer::new(api_keys::ApiKeysApi(identity)))
}

/// The account that acts.
fn person(caller: &Caller) -> Result<Uuid, Status> {
    match caller.who {
        Who::Account { id, .. } => Ok(id),
        Who::Impersonator { .. } | Who::ApiKey { .. } | Who::Service { .. } => {
            Err(Status::permission_denied("only a person does this"))
        }
    }
}

/// An id of the wire, which a caller calls `field`.
fn id(field: &str, text: &str) -> Result<Uuid, Status> {
    let mut form = Form::default();
    let id = form.id(field, text);
    form.finish()?;
    id.ok_or_else(|| Status::internal("a field was neither read nor rejected"))
}

/// The origin of a command that `caller` gives.
fn meta<T>(request: &Request<T>, caller: &Caller) -> Result<Meta, Status> {
    let meta = Meta::new(command_id(request)?, caller.actor());
    Ok(Meta { on_behalf_of: caller.on_behalf_of(), ..meta })
}
