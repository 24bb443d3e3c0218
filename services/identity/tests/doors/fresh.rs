//! What is dangerous needs a proof of a moment ago, here as well as at the gateway.

use identity::grpc::POLICIES;
use meydan_rpc::{
    caller::Caller,
    guard::{Need, PROOF_NEEDED},
    outcome::Failure,
    pb::identity::{
        ChangeAccountRequest, ChangeMemberRequest, ChangePermissionsRequest, ChangeRoleRequest,
        CreateApiKeyRequest, DeletionRequest, DemandFactorRequest, ImpersonateRequest,
        InviteAdminRequest, RemovePhoneRequest, api_keys_client::ApiKeysClient,
        campaigns_client::CampaignsClient, contacts_client::ContactsClient,
        members_client::MembersClient, oversight_client::OversightClient,
    },
};
use uuid::Uuid;

use crate::harness::{Identity, admin, member};

const DANGEROUS: [&str; 12] = [
    "/meydan.identity.v1.Oversight/SuspendAccount",
    "/meydan.identity.v1.Oversight/ReactivateAccount",
    "/meydan.identity.v1.Oversight/InviteAdmin",
    "/meydan.identity.v1.Oversight/DismissAdmin",
    "/meydan.identity.v1.Oversight/Impersonate",
    "/meydan.identity.v1.Contacts/RemovePhone",
    "/meydan.identity.v1.Campaigns/RequestDeletion",
    "/meydan.identity.v1.Members/ChangeRole",
    "/meydan.identity.v1.Members/ChangePermissions",
    "/meydan.identity.v1.Members/Remove",
    "/meydan.identity.v1.Members/DemandFactor",
    "/meydan.identity.v1.ApiKeys/CreateApiKey",
];

/// How the method of a path answers a caller.
async fn ask(identity: &Identity, path: &str, caller: &Caller) -> Result<(), Failure> {
    let (channel, id) = (identity.dial.channel(), Uuid::now_v7());
    let mut members = MembersClient::new(channel.clone());
    let mut oversight = OversightClient::new(channel.clone());
    match path.rsplit('/').next().expect("a path") {
        "SuspendAccount" => {
            let request = identity.dial.command(caller, id, ChangeAccountRequest::default());
            oversight.suspend_account(request).await?;
        }
        "ReactivateAccount" => {
            let request = identity.dial.command(caller, id, ChangeAccountRequest::default());
            oversight.reactivate_account(request).await?;
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
        "Remove" => {
            let request = identity.dial.command(caller, id, ChangeMemberRequest::default());
            members.remove(request).await?;
        }
        "CreateApiKey" => {
            let request = identity.dial.command(caller, id, CreateApiKeyRequest::default());
            ApiKeysClient::new(channel).create_api_key(request).await?;
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
