//! `Members`: the team of the caller's campaign.

use identity_domain::{Profile, Role};
use meydan_rpc::{
    form::{Form, timestamp},
    guard::{caller, campaign},
    pb::identity::{self as pb, members_server::Members},
};
use tonic::{Request, Response, Status};

use super::{failure::status, meta};
use crate::{
    app::{Identity, TeamMember},
    tokens::Token,
};

#[derive(Debug)]
pub(super) struct MembersApi(pub(super) Identity);

#[tonic::async_trait]
impl Members for MembersApi {
    async fn invite_member(
        &self,
        request: Request<pb::InviteMemberRequest>,
    ) -> Result<Response<pb::InviteMemberResponse>, Status> {
        let caller = caller(&request)?;
        let tenant = campaign(&caller)?;
        let meta = meta(&request, &caller)?;
        let wire = request.into_inner();
        let role = match pb::Role::try_from(wire.role).unwrap_or_default() {
            pb::Role::Owner => Role::Owner,
            pb::Role::Staff => Role::Staff,
            pb::Role::Unspecified => {
                let mut form = Form::default();
                form.reject("role", "must be a role");
                return Err(form.finish().expect_err("a field was rejected"));
            }
        };
        let who = Profile { email: wire.email, display_name: wire.display_name };
        let (token, invited) =
            self.0.invite_member(tenant, &who, role, &meta).await.map_err(status)?;
        Ok(Response::new(pb::InviteMemberResponse {
            invitation_token: token.map(Token::into_text).unwrap_or_default(),
            position: invited.position,
        }))
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        let tenant = campaign(&caller(&request)?)?;
        let team = self.0.team(tenant, request.get_ref().min_position).await.map_err(status)?;
        let members = team.into_iter().map(member_out).collect();
        Ok(Response::new(pb::ListMembersResponse { members }))
    }
}

pub(super) const fn role_out(role: Role) -> pb::Role {
    match role {
        Role::Owner => pb::Role::Owner,
        Role::Staff => pb::Role::Staff,
    }
}

fn member_out(member: TeamMember) -> pb::Member {
    let (email, display_name) =
        member.profile.map(|profile| (profile.email, profile.display_name)).unwrap_or_default();
    let role = Role::named(&member.row.role).map_or(pb::Role::Unspecified, role_out);
    // Nothing tells the team before somebody joined whether their address was known, not even an id.
    let joined = member.row.joined_at.is_some();
    pb::Member {
        account_id: if joined { member.row.account_id.to_string() } else { String::new() },
        display_name,
        email,
        role: role.into(),
        invited: !joined,
        joined_at: member.row.joined_at.map(timestamp),
    }
}
