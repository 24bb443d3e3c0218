//! Whoever is an admin no more does nothing that admins do, though the gateway has called them one a moment ago.

use identity::grpc::POLICIES;
use meydan_rpc::{
    caller::{Caller, Who},
    guard::Need,
    outcome::Failure,
    pb::identity::{
        CampaignStatus, ChangeAccountRequest, ChangeCampaignStatusRequest, CreateCampaignRequest,
        DeletionRequest, EditCampaignRequest, ImpersonateRequest, InviteAdminRequest,
        ResendInvitationRequest, Role, campaigns_client::CampaignsClient,
    },
};
use uuid::Uuid;

use crate::{harness::Identity, oversight::id, team::Team};

/// What admins look at, as far as its name does not say that it shows something.
const LOOKS: [&str; 1] = ["NameAccounts"];

/// The methods that are for admins and change something.
fn commands() -> Vec<&'static str> {
    let admins = |need: &Need| {
        matches!(need, Need::Admin | Need::AdminOrService(_))
            || matches!(need, Need::Fresh(Need::Admin | Need::AdminOrService(_)))
    };
    let methods = POLICIES.iter().filter(|(_, need)| admins(need));
    let names = methods.map(|(path, _)| path.rsplit('/').next().expect("a path"));
    let changes = |name: &&str| {
        !name.starts_with("Get") && !name.starts_with("List") && !LOOKS.contains(name)
    };
    names.filter(changes).collect()
}

/// A team, and people whom admins do something about. An admin may give all commands, in the order of the policies.
struct Scene {
    team: Team,
    /// Asked to join the team.
    sara: Uuid,
    /// Asked to become an admin.
    reza: Uuid,
    /// An admin.
    nima: Uuid,
}

impl Scene {
    async fn set(admin: &Caller, team: Team) -> Self {
        let identity = &team.identity;
        team.invite(&team.owner, "sara", Role::Staff).await.expect("an owner may");
        identity.ask_admin(admin, "reza@meydan.example").await.expect("an admin may");
        let (nima, _) = identity.colleague(admin, "nima@meydan.example").await;
        let found = async |email: &str| {
            let (found, _) = identity.listed(admin, email, "").await;
            found[0].account_id.parse::<Uuid>().expect("an id")
        };
        let (sara, reza) = (found("sara@meydan.example").await, found("reza@meydan.example").await);
        Self { sara, reza, nima: id(&nima), team }
    }

    /// How a command answers a caller.
    async fn give(&self, command: &str, by: &Caller) -> Result<(), Failure> {
        let (team, dial) = (&self.team, &self.team.identity.dial);
        let (owner, campaign_id) = (team.owner.account, team.campaign.to_string());
        let mut oversight = team.identity.oversight();
        let about = |account: Uuid| {
            let message = ChangeAccountRequest { account_id: account.to_string() };
            dial.command(by, Uuid::now_v7(), message)
        };
        match command {
            "SuspendAccount" => {
                oversight.suspend_account(about(owner)).await?;
            }
            "ReactivateAccount" => {
                oversight.reactivate_account(about(owner)).await?;
            }
            "EndAccountSessions" => {
                oversight.end_account_sessions(about(owner)).await?;
            }
            "WithdrawAdminInvitation" => {
                oversight.withdraw_admin_invitation(about(self.reza)).await?;
            }
            "DismissAdmin" => {
                oversight.dismiss_admin(about(self.nima)).await?;
            }
            "ResendInvitation" => {
                let account_id = self.sara.to_string();
                let message = ResendInvitationRequest { account_id, campaign_id };
                let request = dial.command(by, Uuid::now_v7(), message);
                oversight.resend_invitation(request).await?;
            }
            "InviteAdmin" => {
                let (email, display_name) = ("mina@meydan.example".to_owned(), "Mina".to_owned());
                let message = InviteAdminRequest { email, display_name };
                oversight.invite_admin(dial.command(by, Uuid::now_v7(), message)).await?;
            }
            "Impersonate" => {
                let reason = "The owner asked why the inbox is empty.".to_owned();
                let account_id = owner.to_string();
                let message = ImpersonateRequest { account_id, campaign_id, reason };
                oversight.impersonate(dial.command(by, Uuid::now_v7(), message)).await?;
            }
            _ => self.give_campaign(command, by).await?,
        }
        Ok(())
    }

    /// The same of a command about a campaign.
    async fn give_campaign(&self, command: &str, by: &Caller) -> Result<(), Failure> {
        let (dial, id) = (&self.team.identity.dial, Uuid::now_v7());
        let mut campaigns = CampaignsClient::new(dial.channel());
        let campaign_id = self.team.campaign.to_string();
        match command {
            "CreateCampaign" => {
                let message = CreateCampaignRequest {
                    slug: "isfahan".to_owned(),
                    candidate_name: "نرگس".to_owned(),
                    office: "شورا".to_owned(),
                    constituency: "اصفهان".to_owned(),
                    locale: "fa".to_owned(),
                    home_region: String::new(),
                    owner_name: "Owner".to_owned(),
                    owner_email: "isfahan@meydan.example".to_owned(),
                };
                campaigns.create_campaign(dial.command(by, id, message)).await?;
            }
            "EditCampaign" => {
                let message = EditCampaignRequest {
                    campaign_id,
                    candidate_name: "مریم".to_owned(),
                    office: "شورا".to_owned(),
                    constituency: "تهران".to_owned(),
                    locale: "fa".to_owned(),
                    home_region: String::new(),
                };
                campaigns.edit_campaign(dial.command(by, id, message)).await?;
            }
            "ChangeCampaignStatus" => {
                let status = CampaignStatus::Archived.into();
                let message = ChangeCampaignStatusRequest { campaign_id, status };
                campaigns.change_campaign_status(dial.command(by, id, message)).await?;
            }
            "RequestDeletion" => {
                let request = dial.command(by, id, DeletionRequest { campaign_id });
                campaigns.request_deletion(request).await?;
            }
            "WithdrawDeletion" => {
                let request = dial.command(by, id, DeletionRequest { campaign_id });
                campaigns.withdraw_deletion(request).await?;
            }
            other => panic!("{other} has no case"),
        }
        Ok(())
    }
}

impl Identity {
    /// How many facts there are of anything.
    async fn all_facts(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM es.events");
        count.fetch_one(&self.database().await).await.expect("it answers")
    }
}

#[tokio::test]
async fn whom_only_the_gateway_calls_an_admin_does_nothing_that_admins_do() {
    let team = Team::start().await;
    let (admin, _) = team.identity.staff().await;
    let mut member = team.join("mahsa", Role::Staff).await.caller;
    let Who::Account { admin: is_admin, .. } = &mut member.who else { panic!("a person") };
    *is_admin = true;
    let scene = Scene::set(&admin, team).await;
    let identity = &scene.team.identity;
    let (out, _) = identity.colleague(&admin, "out@meydan.example").await;
    let message = ChangeAccountRequest { account_id: id(&out).to_string() };
    let request = identity.dial.command(&admin, Uuid::now_v7(), message);
    identity.oversight().end_account_sessions(request).await.expect("an admin may");
    let (dismissed, _) = identity.colleague(&admin, "dismissed@meydan.example").await;
    identity.dismiss(&admin, id(&dismissed)).await.expect("an admin may");
    let before = identity.all_facts().await;

    for command in commands() {
        let callers = [("never one", &member), ("logged out", &out), ("dismissed", &dismissed)];
        for (who, caller) in callers {
            let answer = scene.give(command, caller).await;
            assert_eq!(answer, Err(Failure::NotFound), "{command}: {who}");
            assert_eq!(identity.all_facts().await, before, "{command}: {who}");
        }
    }

    for command in commands() {
        assert_eq!(scene.give(command, &admin).await, Ok(()), "{command}: an admin");
    }
}
