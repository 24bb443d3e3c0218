//! What is dangerous needs a proof of a moment ago, here as well as at the gateway.

use identity::grpc::POLICIES;
use meydan_rpc::{
    caller::Caller,
    guard::{Need, PROOF_NEEDED},
    outcome::Failure,
    pb::identity::{
        AskEmailRequest, AskPhoneRequest, ChangeAccountRequest, ChangeMemberRequest,
        ChangePermissionsRequest, ChangeRoleRequest, CreateApiKeyRequest, DeletionRequest,
        DemandFactorRequest, EndSessionsRequest, ImpersonateRequest, InviteAdminRequest,
        RemovePhoneRequest, ResendInvitationRequest, Role, api_keys_client::ApiKeysClient,
        campaigns_client::CampaignsClient, contacts_client::ContactsClient,
        members_client::MembersClient, oversight_client::OversightClient,
    },
};
use time::Duration;
use uuid::Uuid;

use crate::{
    harness::{Identity, PASSWORD, admin, member},
    team::Team,
};

const DANGEROUS: [&str; 15] = [
    "/meydan.identity.v1.Oversight/SuspendAccount",
    "/meydan.identity.v1.Oversight/ReactivateAccount",
    "/meydan.identity.v1.Oversight/ResendInvitation",
    "/meydan.identity.v1.Oversight/InviteAdmin",
    "/meydan.identity.v1.Oversight/DismissAdmin",
    "/meydan.identity.v1.Oversight/Impersonate",
    "/meydan.identity.v1.Contacts/AskPhone",
    "/meydan.identity.v1.Contacts/RemovePhone",
    "/meydan.identity.v1.Campaigns/RequestDeletion",
    "/meydan.identity.v1.Members/ChangeRole",
    "/meydan.identity.v1.Members/ChangePermissions",
    "/meydan.identity.v1.Members/Reactivate",
    "/meydan.identity.v1.Members/Remove",
    "/meydan.identity.v1.Members/DemandFactor",
    "/meydan.identity.v1.ApiKeys/CreateApiKey",
];

/// How the method of a path answers a caller.
async fn ask(identity: &Identity, path: &str, caller: &Caller) -> Result<(), Failure> {
    let (channel, id) = (identity.dial.channel(), Uuid::now_v7());
    let mut members = MembersClient::new(channel.clone());
    match path.rsplit('/').next().expect("a path") {
        "AskPhone" => {
            let request = identity.dial.command(caller, id, AskPhoneRequest::default());
            ContactsClient::new(channel).ask_phone(request).await?;
        }
        "RemovePhone" => {
            let request = identity.dial.command(caller, id, RemovePhoneRequest {});
            ContactsClient::new(channel).remove_phone(request).await?;
        }
        "DemandFactor" => {
            let request = identity.dial.command(caller, id, DemandFactorRequest::default());
            members.demand_factor(request).await?;
        }
        "RequestDeletion" => {
            let request = identity.dial.command(caller, id, DeletionRequest::default());
            CampaignsClient::new(channel).request_deletion(request).await?;
        }
        "ChangeRole" => {
            let request = identity.dial.command(caller, id, ChangeRoleRequest::default());
            members.change_role(request).await?;
        }
        "ChangePermissions" => {
            let request = identity.dial.command(caller, id, ChangePermissionsRequest::default());
            members.change_permissions(request).await?;
        }
        "Reactivate" => {
            let request = identity.dial.command(caller, id, ChangeMemberRequest::default());
            members.reactivate(request).await?;
        }
        "Remove" => {
            let request = identity.dial.command(caller, id, ChangeMemberRequest::default());
            members.remove(request).await?;
        }
        "CreateApiKey" => {
            let request = identity.dial.command(caller, id, CreateApiKeyRequest::default());
            ApiKeysClient::new(channel).create_api_key(request).await?;
        }
        _ => ask_staff(identity, path, caller).await?,
    }
    Ok(())
}

/// The same of a method of the platform's staff.
async fn ask_staff(identity: &Identity, path: &str, caller: &Caller) -> Result<(), Failure> {
    let (mut oversight, id) = (OversightClient::new(identity.dial.channel()), Uuid::now_v7());
    match path.rsplit('/').next().expect("a path") {
        "SuspendAccount" => {
            let request = identity.dial.command(caller, id, ChangeAccountRequest::default());
            oversight.suspend_account(request).await?;
        }
        "ReactivateAccount" => {
            let request = identity.dial.command(caller, id, ChangeAccountRequest::default());
            oversight.reactivate_account(request).await?;
        }
        "ResendInvitation" => {
            let request = identity.dial.command(caller, id, ResendInvitationRequest::default());
            oversight.resend_invitation(request).await?;
        }
        "InviteAdmin" => {
            let request = identity.dial.command(caller, id, InviteAdminRequest::default());
            oversight.invite_admin(request).await?;
        }
        "DismissAdmin" => {
            let request = identity.dial.command(caller, id, ChangeAccountRequest::default());
            oversight.dismiss_admin(request).await?;
        }
        "Impersonate" => {
            let request = identity.dial.command(caller, id, ImpersonateRequest::default());
            oversight.impersonate(request).await?;
        }
        other => panic!("{other} has no case"),
    }
    Ok(())
}

#[tokio::test]
async fn every_dangerous_method_refuses_whoever_proved_nothing_for_a_while() {
    let fresh = POLICIES.iter().filter(|(_, need)| matches!(need, Need::Fresh(_)));
    assert_eq!(fresh.map(|(path, _)| *path).collect::<Vec<_>>(), DANGEROUS);
    let identity = Identity::start().await;
    let all = ["identity:member.manage", "identity:api_key.manage"];

    for path in DANGEROUS {
        let admins = path.contains("Oversight") || path.ends_with("RequestDeletion");
        let may = if admins { admin() } else { member(Uuid::from_u128(9), &all) };
        for fresh_until in [None, Some(0)] {
            let stale = Caller { fresh_until, ..may.clone() };
            let refused = Err(Failure::Refused(PROOF_NEEDED.to_owned()));
            assert_eq!(ask(&identity, path, &stale).await, refused, "{path}");
        }
        let answered = ask(&identity, path, &may).await;
        assert_ne!(answered, Err(Failure::Refused(PROOF_NEEDED.to_owned())), "{path}");
    }
}

/// What identity says of whom a proof is missing.
fn needed<T>() -> Result<T, Failure> {
    Err(Failure::Refused(PROOF_NEEDED.to_owned()))
}

#[tokio::test]
async fn an_owner_is_made_by_whoever_has_just_proved_who_they_are_and_others_are_asked_as_ever() {
    let team = Team::start().await;
    team.invite(&team.owner, "omid", Role::Owner).await.expect("the owner came in a moment ago");
    let asked = team.identity.team(team.campaign).await;
    let asked = asked.into_iter().find(|member| member.invited).expect("the invitation is open");
    let renew = async || {
        let message = ChangeMemberRequest { member_id: asked.member_id.clone() };
        let request = team.identity.dial.command(&team.owner.caller, Uuid::now_v7(), message);
        team.members().renew_invitation(request).await.map(|_| ()).map_err(Failure::from)
    };
    assert_eq!(renew().await, Ok(()));
    team.identity.advance(Duration::minutes(5) + Duration::SECOND);

    let owner = team.invite(&team.owner, "sara", Role::Owner).await;
    assert_eq!(owner, needed(), "whatever the assertion says: the session proved nothing since");
    assert_eq!(renew().await, needed());
    let manager = team.invite(&team.owner, "reza", Role::Manager).await;
    assert!(manager.is_ok(), "{manager:?}");
    assert_eq!(team.identity.facts("member.invited").await, 3, "the first owner, Omid and Reza");
}

#[tokio::test]
async fn another_address_asks_for_the_second_factor_where_there_is_one() {
    let team = Team::start().await;
    let sara = team.identity.enrol(&team.owner.session).await;
    let ask = async |email: &str| {
        let caller = team.identity.holder(&sara.session).await;
        let message = AskEmailRequest {
            email: email.to_owned(),
            current_password: PASSWORD.to_owned(),
            locale: "fa".to_owned(),
        };
        let mut contacts = ContactsClient::new(team.identity.dial.channel());
        let asked = contacts.ask_email(team.identity.dial.ask(&caller, message)).await;
        asked.map(|_| ()).map_err(Failure::from)
    };
    assert_eq!(ask("new@meydan.example").await, Ok(()), "she showed a code a moment ago");
    team.identity.advance(Duration::minutes(5) + Duration::SECOND);

    assert_eq!(ask("other@meydan.example").await, needed(), "the password alone is not enough");
    assert_eq!(ask("").await, Ok(()), "to prove the present address nothing is asked for");
}

#[tokio::test]
async fn a_session_that_lies_open_ends_no_other_one() {
    let identity = Identity::start().await;
    let (_, link) = identity.campaign("tehran", Uuid::now_v7()).await.expect("it is free");
    let open = identity.accept(&link, "").await.expect("the link is good");
    identity.advance(Duration::minutes(6));
    let other = identity.log_in("tehran@meydan.example", PASSWORD, "192.0.2.1").await;
    let other = other.expect("the password is right");
    let session_id = identity.held(&other).await.session_id;
    let end = async |by: &str, session_id: &str| {
        let message = EndSessionsRequest { session_id: session_id.to_owned() };
        let request = identity.dial.ask(&identity.holder(by).await, message);
        identity.accounts().end_sessions(request).await.map(|_| ()).map_err(Failure::from)
    };

    let refused = Err(Failure::Refused(PROOF_NEEDED.to_owned()));
    assert_eq!(end(&open, &session_id).await, refused);
    assert_eq!(end(&open, "").await, refused, "nor all of them");
    assert!(identity.is_known(&other).await);
    assert_eq!(end(&other, "").await, Ok(()), "whoever has just come in may");
    assert!(!identity.is_known(&open).await);
}
