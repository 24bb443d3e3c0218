//! `Oversight`: accounts, for admins.

use identity_domain::Profile;
use meydan_rpc::{
    form::timestamp,
    guard::caller,
    outcome::not_found,
    pb::identity::{self as pb, oversight_server::Oversight},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    accounts::{happened, holder, session},
    failure::status,
    members::role_out,
    meta,
};
use crate::{
    app::{Identity, SeenAccount, Wanted},
    projections::{accounts::Which, members::AnyPlaceRow},
    tokens::Token,
};

#[derive(Debug)]
pub(super) struct OversightApi(pub(super) Identity);

/// An id of an address. One that is none leads nowhere.
fn id(text: &str) -> Result<Uuid, Status> {
    Uuid::try_parse(text).map_err(|_| not_found("identity.not_found"))
}

impl OversightApi {
    async fn suspend(
        &self,
        request: &Request<pb::ChangeAccountRequest>,
        suspended: bool,
    ) -> Result<Response<pb::ChangeAccountResponse>, Status> {
        let meta = meta(request, &caller(request)?)?;
        let (by, account) = (holder(request)?, id(&request.get_ref().account_id)?);
        let done = self.0.suspend(by, account, suspended, &meta).await;
        done.map(|()| Response::new(pb::ChangeAccountResponse {})).map_err(status)
    }
}

#[tonic::async_trait]
impl Oversight for OversightApi {
    async fn list_accounts(
        &self,
        request: Request<pb::ListAccountsRequest>,
    ) -> Result<Response<pb::ListAccountsResponse>, Status> {
        let wire = request.get_ref();
        let which = match wire.which() {
            pb::WhichAccounts::Unspecified => Which::All,
            pb::WhichAccounts::Suspended => Which::Suspended,
            pb::WhichAccounts::Locked => Which::Locked,
            pb::WhichAccounts::WithoutFactor => Which::WithoutFactor,
        };
        let wanted = match (wire.email.trim(), wire.after.as_str()) {
            _ if wire.staff => Wanted::Staff,
            ("", "") => Wanted::After(which, None),
            ("", last) => Wanted::After(which, Some(id(last)?)),
            (email, _) => Wanted::Address(email),
        };
        let (accounts, more) = self.0.accounts(wanted).await.map_err(status)?;
        let accounts = accounts.into_iter().map(account_out).collect();
        Ok(Response::new(pb::ListAccountsResponse { accounts, more }))
    }

    async fn get_account(
        &self,
        request: Request<pb::GetAccountRequest>,
    ) -> Result<Response<pb::AccountDetail>, Status> {
        let wire = request.get_ref();
        let account = id(&wire.account_id)?;
        let before = Some(wire.before).filter(|before| *before > 0);
        let seen = self.0.seen_account(account).await.map_err(status)?;
        let sessions = self.0.sessions(account).await.map_err(status)?;
        let history = self.0.history(account, before).await.map_err(status)?;
        Ok(Response::new(pb::AccountDetail {
            account: Some(account_out(seen)),
            sessions: sessions.into_iter().map(|seen| session(seen, Uuid::nil())).collect(),
            history: history.into_iter().map(happened).collect(),
        }))
    }

    async fn suspend_account(
        &self,
        request: Request<pb::ChangeAccountRequest>,
    ) -> Result<Response<pb::ChangeAccountResponse>, Status> {
        self.suspend(&request, true).await
    }

    async fn reactivate_account(
        &self,
        request: Request<pb::ChangeAccountRequest>,
    ) -> Result<Response<pb::ChangeAccountResponse>, Status> {
        self.suspend(&request, false).await
    }

    async fn end_account_sessions(
        &self,
        request: Request<pb::ChangeAccountRequest>,
    ) -> Result<Response<pb::ChangeAccountResponse>, Status> {
        let meta = meta(&request, &caller(&request)?)?;
        let (by, account) = (holder(&request)?, id(&request.get_ref().account_id)?);
        let done = self.0.end_sessions_of(by, account, &meta).await;
        done.map(|()| Response::new(pb::ChangeAccountResponse {})).map_err(status)
    }

    async fn resend_invitation(
        &self,
        request: Request<pb::ResendInvitationRequest>,
    ) -> Result<Response<pb::InviteMemberResponse>, Status> {
        let meta = meta(&request, &caller(&request)?)?;
        let wire = request.get_ref();
        let (by, asked) = (holder(&request)?, (id(&wire.account_id)?, id(&wire.campaign_id)?));
        let sent = self.0.resend_invitation(by, asked, &meta).await;
        let (token, position) = sent.map_err(status)?;
        let invitation_token = token.map(Token::into_text).unwrap_or_default();
        let mailed = self.0.mails_links();
        Ok(Response::new(pb::InviteMemberResponse { invitation_token, position, mailed }))
    }

    async fn invite_admin(
        &self,
        request: Request<pb::InviteAdminRequest>,
    ) -> Result<Response<pb::InviteAdminResponse>, Status> {
        let meta = meta(&request, &caller(&request)?)?;
        let by = holder(&request)?;
        let pb::InviteAdminRequest { email, display_name } = request.into_inner();
        let invited = self.0.invite_admin(by, &Profile { email, display_name }, &meta).await;
        let (account, token) = invited.map_err(status)?;
        let invitation_token = token.map(Token::into_text).unwrap_or_default();
        let account_id = account.to_string();
        let mailed = self.0.mails_links();
        Ok(Response::new(pb::InviteAdminResponse { account_id, invitation_token, mailed }))
    }

    async fn withdraw_admin_invitation(
        &self,
        request: Request<pb::ChangeAccountRequest>,
    ) -> Result<Response<pb::ChangeAccountResponse>, Status> {
        let meta = meta(&request, &caller(&request)?)?;
        let (by, account) = (holder(&request)?, id(&request.get_ref().account_id)?);
        let done = self.0.withdraw_admin(by, account, &meta).await;
        done.map(|()| Response::new(pb::ChangeAccountResponse {})).map_err(status)
    }

    async fn dismiss_admin(
        &self,
        request: Request<pb::ChangeAccountRequest>,
    ) -> Result<Response<pb::ChangeAccountResponse>, Status> {
        let meta = meta(&request, &caller(&request)?)?;
        let (by, account) = (holder(&request)?, id(&request.get_ref().account_id)?);
        let done = self.0.dismiss_admin(by, account, &meta).await;
        done.map(|()| Response::new(pb::ChangeAccountResponse {})).map_err(status)
    }

    async fn impersonate(
        &self,
        request: Request<pb::ImpersonateRequest>,
    ) -> Result<Response<pb::ImpersonateResponse>, Status> {
        let meta = meta(&request, &caller(&request)?)?;
        let (by, wire) = (holder(&request)?, request.get_ref());
        let whom = (id(&wire.account_id)?, id(&wire.campaign_id)?);
        let slug = self.0.impersonate(by, whom, &wire.reason, &meta).await.map_err(status)?;
        Ok(Response::new(pb::ImpersonateResponse { slug }))
    }
}

fn account_out(seen: SeenAccount) -> pb::Account {
    let state = match (seen.row.suspended_at, seen.begun) {
        (Some(_), _) => pb::AccountStatus::Suspended,
        (None, true) => pb::AccountStatus::Active,
        (None, false) => pb::AccountStatus::Invited,
    };
    pb::Account {
        account_id: seen.row.account_id.to_string(),
        display_name: seen.profile.display_name,
        email: seen.profile.email,
        is_admin: seen.row.admin,
        status: state.into(),
        second_factor: seen.second_factor,
        created_at: Some(timestamp(seen.row.created_at)),
        last_login_at: seen.last_login_at.map(timestamp),
        places: seen.places.into_iter().map(place_out).collect(),
        admin_asked_at: seen.row.admin_asked_at.map(timestamp),
        locked_until: seen.row.locked_until.map(timestamp),
        factor_locked_at: seen.row.factor_locked_at.map(timestamp),
    }
}

fn place_out(place: AnyPlaceRow) -> pb::AccountPlace {
    let role = identity_domain::Role::named(&place.role).map_or(pb::Role::Unspecified, role_out);
    let invited = place.joined_at.is_none();
    pb::AccountPlace {
        campaign_id: place.campaign_id.to_string(),
        slug: place.slug,
        candidate_name: place.candidate_name,
        role: role.into(),
        invited,
        deactivated: place.deactivated,
        link_ends_at: place.link_ends_at.filter(|_| invited).map(timestamp),
    }
}
