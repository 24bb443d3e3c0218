//! `Members`: the team of the caller's campaign.

use identity_domain::{CATALOGUE, MemberChange, Profile, Role};
use meydan_rpc::{
    caller::Who,
    form::{Form, timestamp},
    guard::{caller, campaign},
    pb::identity::{self as pb, members_server::Members},
};
use time::Time;
use tonic::{Request, Response, Status};

use super::{
    accounts::{holder, holder_unless_service},
    failure::status,
    id, meta, person,
};
use crate::{
    app::{Identity, TeamMember},
    tokens::Token,
};

/// What whoever runs the team holds.
const MANAGE: &str = "identity:member.manage";

#[derive(Debug)]
pub(super) struct MembersApi(pub(super) Identity);

impl MembersApi {
    /// Changes a member's place, as the caller of `request` wants it.
    async fn change<T>(
        &self,
        request: &Request<T>,
        member: &str,
        change: MemberChange,
    ) -> Result<Response<pb::ChangeMemberResponse>, Status> {
        let caller = caller(request)?;
        let within = (campaign(&caller)?, holder(request)?);
        let (meta, member) = (meta(request, &caller)?, id("member_id", member)?);
        let done = self.0.change_member(within, member, change, &meta).await.map_err(status)?;
        Ok(Response::new(pb::ChangeMemberResponse { position: done.position }))
    }
}

#[tonic::async_trait]
impl Members for MembersApi {
    async fn invite_member(
        &self,
        request: Request<pb::InviteMemberRequest>,
    ) -> Result<Response<pb::InviteMemberResponse>, Status> {
        let caller = caller(&request)?;
        let tenant = campaign(&caller)?;
        let by = holder_unless_service(&request)?;
        let meta = meta(&request, &caller)?;
        let wire = request.into_inner();
        let role = role_in(wire.role)?;
        let who = Profile { email: wire.email, display_name: wire.display_name };
        let (token, invited) =
            self.0.invite_member((tenant, by), &who, role, &meta).await.map_err(status)?;
        Ok(Response::new(pb::InviteMemberResponse {
            invitation_token: token.map(Token::into_text).unwrap_or_default(),
            position: invited.position,
            mailed: self.0.mails_links(),
        }))
    }

    async fn list_members(
        &self,
        request: Request<pb::ListMembersRequest>,
    ) -> Result<Response<pb::ListMembersResponse>, Status> {
        let caller = caller(&request)?;
        let tenant = campaign(&caller)?;
        let team = self.0.team(tenant, request.get_ref().min_position).await.map_err(status)?;
        let manages = caller.may(MANAGE);
        let members = team.into_iter().map(|member| member_out(member, manages)).collect();
        let factor_demanded = self.0.demands_factor(tenant).await.map_err(status)?;
        Ok(Response::new(pb::ListMembersResponse { members, factor_demanded }))
    }

    async fn change_role(
        &self,
        request: Request<pb::ChangeRoleRequest>,
    ) -> Result<Response<pb::ChangeMemberResponse>, Status> {
        let change = MemberChange::Role(role_in(request.get_ref().role)?);
        self.change(&request, &request.get_ref().member_id, change).await
    }

    async fn change_permissions(
        &self,
        request: Request<pb::ChangePermissionsRequest>,
    ) -> Result<Response<pb::ChangeMemberResponse>, Status> {
        let wire = request.get_ref();
        let change = MemberChange::Permissions {
            granted: wire.granted.iter().cloned().collect(),
            denied: wire.denied.iter().cloned().collect(),
        };
        self.change(&request, &wire.member_id, change).await
    }

    async fn deactivate(
        &self,
        request: Request<pb::ChangeMemberRequest>,
    ) -> Result<Response<pb::ChangeMemberResponse>, Status> {
        self.change(&request, &request.get_ref().member_id, MemberChange::Deactivate).await
    }

    async fn reactivate(
        &self,
        request: Request<pb::ChangeMemberRequest>,
    ) -> Result<Response<pb::ChangeMemberResponse>, Status> {
        self.change(&request, &request.get_ref().member_id, MemberChange::Reactivate).await
    }

    async fn remove(
        &self,
        request: Request<pb::ChangeMemberRequest>,
    ) -> Result<Response<pb::ChangeMemberResponse>, Status> {
        self.change(&request, &request.get_ref().member_id, MemberChange::Remove).await
    }

    async fn leave(
        &self,
        request: Request<pb::LeaveRequest>,
    ) -> Result<Response<pb::ChangeMemberResponse>, Status> {
        let caller = caller(&request)?;
        let meta = meta(&request, &caller)?;
        let left = self.0.leave(campaign(&caller)?, person(&caller)?, &meta).await;
        let position = left.map_err(status)?.position;
        Ok(Response::new(pb::ChangeMemberResponse { position }))
    }

    async fn renew_invitation(
        &self,
        request: Request<pb::ChangeMemberRequest>,
    ) -> Result<Response<pb::InviteMemberResponse>, Status> {
        let caller = caller(&request)?;
        let within = (campaign(&caller)?, holder(&request)?);
        let (meta, member) =
            (meta(&request, &caller)?, id("member_id", &request.get_ref().member_id)?);
        let (token, renewed) =
            self.0.renew_invitation(within, member, &meta).await.map_err(status)?;
        Ok(Response::new(pb::InviteMemberResponse {
            invitation_token: token.map(Token::into_text).unwrap_or_default(),
            position: renewed.position,
            mailed: self.0.mails_links(),
        }))
    }

    async fn withdraw_invitation(
        &self,
        request: Request<pb::ChangeMemberRequest>,
    ) -> Result<Response<pb::ChangeMemberResponse>, Status> {
        let change = MemberChange::WithdrawInvitation;
        self.change(&request, &request.get_ref().member_id, change).await
    }

    async fn demand_factor(
        &self,
        request: Request<pb::DemandFactorRequest>,
    ) -> Result<Response<pb::DemandFactorResponse>, Status> {
        let caller = caller(&request)?;
        let meta = meta(&request, &caller)?;
        let Who::Account { id, session, .. } = caller.who else {
            return Err(Status::permission_denied("only a person does this"));
        };
        let by = (campaign(&caller)?, id, session);
        let done = self.0.demand_factor(by, request.get_ref().demanded, &meta).await;
        let position = done.map_err(status)?.position;
        Ok(Response::new(pb::DemandFactorResponse { position }))
    }

    async fn list_permissions(
        &self,
        _request: Request<pb::ListPermissionsRequest>,
    ) -> Result<Response<pb::ListPermissionsResponse>, Status> {
        let permissions = CATALOGUE.iter().map(|permission| {
            let roles = Role::ALL.into_iter().filter(|role| permission.is_of(*role));
            pb::Permission {
                name: permission.name.to_owned(),
                text: permission.text.to_owned(),
                roles: roles.map(|role| role_out(role).into()).collect(),
            }
        });
        Ok(Response::new(pb::ListPermissionsResponse { permissions: permissions.collect() }))
    }
}

fn role_in(wire: i32) -> Result<Role, Status> {
    Ok(match pb::Role::try_from(wire).unwrap_or_default() {
        pb::Role::Owner => Role::Owner,
        pb::Role::Manager => Role::Manager,
        pb::Role::Staff => Role::Staff,
        pb::Role::SocialMedia => Role::SocialMedia,
        pb::Role::Content => Role::Content,
        pb::Role::Support => Role::Support,
        pb::Role::Unspecified => {
            let mut form = Form::default();
            form.reject("role", "must be a role");
            return Err(form.finish().expect_err("a field was rejected"));
        }
    })
}

pub(super) const fn role_out(role: Role) -> pb::Role {
    match role {
        Role::Owner => pb::Role::Owner,
        Role::Manager => pb::Role::Manager,
        Role::Staff => pb::Role::Staff,
        Role::SocialMedia => pb::Role::SocialMedia,
        Role::Content => pb::Role::Content,
        Role::Support => pb::Role::Support,
    }
}

/// A member as the team sees them. Who has a second factor is told to those who run the team.
fn member_out(member: TeamMember, manages: bool) -> pb::Member {
    let (email, display_name) =
        member.profile.map(|profile| (profile.email, profile.display_name)).unwrap_or_default();
    let role = Role::named(&member.row.role).map_or(pb::Role::Unspecified, role_out);
    // Nothing tells the team before somebody joined whether their address was known: no id, and no session
    // that they have elsewhere. Of somebody who joined it learns the day: the hour may be another campaign's.
    let joined = member.row.joined_at.is_some();
    let seen = member.row.last_seen_at.filter(|_| joined);
    pb::Member {
        member_id: member.member_id.to_string(),
        account_id: if joined { member.row.account_id.to_string() } else { String::new() },
        display_name,
        email,
        role: role.into(),
        invited: !joined,
        joined_at: member.row.joined_at.map(timestamp),
        deactivated: member.row.deactivated,
        granted: member.row.granted,
        denied: member.row.denied,
        second_factor: joined && manages && member.second_factor,
        last_seen_on: seen.map(|at| timestamp(at.replace_time(Time::MIDNIGHT))),
        link_ends_at: member.row.link_ends_at.filter(|_| !joined).map(timestamp),
    }
}
