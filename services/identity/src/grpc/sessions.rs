//! `Sessions`: coming in and going out.

use identity_domain::{Preferences, Profile, effective};
use meydan_rpc::{
    form::timestamp,
    pb::identity::{self as pb, sessions_server::Sessions},
};
use tonic::{Request, Response, Status};

use super::{accounts::id, failure::status};
use crate::{
    app::{Entered, Entrance, Guest, Held, Identity, Impersonated, is_running},
    tokens::Given,
};

#[derive(Debug)]
pub(super) struct SessionsApi(pub(super) Identity);

pub(super) fn entered(entered: Entered) -> Response<pb::LogInResponse> {
    let Entered { given: Given { token, keep_until }, device } = entered;
    Response::new(pb::LogInResponse {
        session_token: token.into_text(),
        device_token: device.into_text(),
        challenge_token: String::new(),
        keep_until: keep_until.map(timestamp),
    })
}

pub(super) fn guest(wire: Option<pb::Guest>) -> Guest {
    let pb::Guest { address, user_agent, device_token, outside, session_token } =
        wire.unwrap_or_default();
    let device = Some(device_token).filter(|token| !token.is_empty());
    let session = Some(session_token).filter(|token| !token.is_empty());
    Guest { address, user_agent, device, session, outside }
}

#[tonic::async_trait]
impl Sessions for SessionsApi {
    async fn invite_first_admin(
        &self,
        _request: Request<pb::InviteFirstAdminRequest>,
    ) -> Result<Response<pb::InviteFirstAdminResponse>, Status> {
        let token = self.0.invite_first_admin().await.map_err(status)?;
        Ok(Response::new(pb::InviteFirstAdminResponse { token: token.into_text() }))
    }

    async fn import_account(
        &self,
        request: Request<pb::ImportAccountRequest>,
    ) -> Result<Response<pb::ImportAccountResponse>, Status> {
        let pb::ImportAccountRequest { email, display_name, hash } = request.into_inner();
        let account = self.0.import(&Profile { email, display_name }, &hash).await;
        let account_id = account.map_err(status)?.to_string();
        Ok(Response::new(pb::ImportAccountResponse { account_id }))
    }

    async fn get_invitation(
        &self,
        request: Request<pb::GetInvitationRequest>,
    ) -> Result<Response<pb::GetInvitationResponse>, Status> {
        let entry = self.0.entry(&request.get_ref().token).await.map_err(status)?;
        let is_admin = entry.admin;
        let (email, display_name) =
            entry.profile.map(|profile| (profile.email, profile.display_name)).unwrap_or_default();
        let candidate_name = entry.candidate_name.unwrap_or_default();
        let account_id = entry.account.map(|id| id.to_string()).unwrap_or_default();
        let answer = pb::GetInvitationResponse {
            email,
            display_name,
            is_admin,
            candidate_name,
            begun: entry.begun,
            account_id,
        };
        Ok(Response::new(answer))
    }

    async fn accept_invitation(
        &self,
        request: Request<pb::AcceptInvitationRequest>,
    ) -> Result<Response<pb::LogInResponse>, Status> {
        let wire = request.into_inner();
        let said = Profile { email: wire.email, display_name: wire.display_name };
        let accepted = self.0.accept(&wire.token, &said, wire.password, &guest(wire.guest)).await;
        accepted.map(entered).map_err(status)
    }

    async fn log_in(
        &self,
        request: Request<pb::LogInRequest>,
    ) -> Result<Response<pb::LogInResponse>, Status> {
        let wire = request.into_inner();
        let from = guest(wire.guest);
        let proved = self.0.log_in(&wire.email, wire.password, &from, wire.trusted).await;
        Ok(match proved.map_err(status)? {
            Entrance::Entered(session) => entered(session),
            Entrance::Challenged(token) => Response::new(pb::LogInResponse {
                challenge_token: token.into_text(),
                ..pb::LogInResponse::default()
            }),
        })
    }

    async fn prove_factor(
        &self,
        request: Request<pb::ProveFactorRequest>,
    ) -> Result<Response<pb::LogInResponse>, Status> {
        let pb::ProveFactorRequest { challenge_token, code, trusted, guest: from } =
            request.into_inner();
        let proved = self.0.prove_factor(&challenge_token, &code, &guest(from), trusted).await;
        proved.map(entered).map_err(status)
    }

    async fn log_out(
        &self,
        request: Request<pb::LogOutRequest>,
    ) -> Result<Response<pb::LogOutResponse>, Status> {
        self.0.log_out(&request.get_ref().session_token).await.map_err(status)?;
        Ok(Response::new(pb::LogOutResponse {}))
    }

    async fn authenticate(
        &self,
        request: Request<pb::AuthenticateRequest>,
    ) -> Result<Response<pb::AuthenticateResponse>, Status> {
        let held = self.0.authenticate(&request.get_ref().session_token).await;
        held.map(|held| Response::new(held_out(held))).map_err(status)
    }

    async fn authenticate_session(
        &self,
        request: Request<pb::AuthenticateSessionRequest>,
    ) -> Result<Response<pb::AuthenticateResponse>, Status> {
        let pb::AuthenticateSessionRequest { account_id, session_id } = request.into_inner();
        let session = (id(&account_id)?, id(&session_id)?);
        let held = self.0.authenticate_session(session).await;
        held.map(|held| Response::new(held_out(held))).map_err(status)
    }

    async fn renew_token(
        &self,
        request: Request<pb::RenewTokenRequest>,
    ) -> Result<Response<pb::RenewTokenResponse>, Status> {
        let renewed = self.0.renew_token(&request.get_ref().session_token).await.map_err(status)?;
        let answer = renewed.map(|Given { token, keep_until }| pb::RenewTokenResponse {
            session_token: token.into_text(),
            keep_until: keep_until.map(timestamp),
        });
        Ok(Response::new(answer.unwrap_or_default()))
    }

    async fn end_impersonation(
        &self,
        request: Request<pb::EndImpersonationRequest>,
    ) -> Result<Response<pb::EndImpersonationResponse>, Status> {
        self.0.end_impersonation(&request.get_ref().session_token).await.map_err(status)?;
        Ok(Response::new(pb::EndImpersonationResponse {}))
    }

    async fn note_look(
        &self,
        request: Request<pb::NoteLookRequest>,
    ) -> Result<Response<pb::NoteLookResponse>, Status> {
        let pb::NoteLookRequest { session_token, page } = request.into_inner();
        self.0.note_look(&session_token, page).await.map_err(status)?;
        Ok(Response::new(pb::NoteLookResponse {}))
    }

    async fn authenticate_key(
        &self,
        request: Request<pb::AuthenticateKeyRequest>,
    ) -> Result<Response<pb::AuthenticateKeyResponse>, Status> {
        let opened = self.0.open_with(&request.get_ref().key).await.map_err(status)?;
        Ok(Response::new(pb::AuthenticateKeyResponse {
            api_key_id: opened.id.to_string(),
            campaign_id: opened.campaign.to_string(),
            permissions: opened.permissions.iter().map(ToString::to_string).collect(),
        }))
    }
}

/// An admin who looks as a member is that member and no admin, and may read.
fn impersonated_out(
    held: pb::AuthenticateResponse,
    seen: Impersonated,
) -> pb::AuthenticateResponse {
    let permissions = seen.permissions().iter().map(ToString::to_string).collect();
    let (place, role) = seen.place;
    let membership = pb::Membership {
        campaign_id: place.campaign_id.to_string(),
        slug: place.slug,
        candidate_name: place.candidate_name,
        role: super::members::role_out(role).into(),
        permissions,
        status: super::campaigns::status_out(&place.status).into(),
        needs_factor: false,
        deletion_due_at: None,
    };
    let impersonation = pb::Impersonation {
        account_id: seen.subject.to_string(),
        display_name: seen.profile.display_name,
        ends_at: Some(timestamp(seen.ends_at)),
    };
    pb::AuthenticateResponse {
        is_admin: false,
        memberships: vec![membership],
        impersonation: Some(impersonation),
        ..held
    }
}

fn preferences_out(chosen: Preferences) -> pb::Preferences {
    pb::Preferences { locale: chosen.locale, time_zone: chosen.time_zone }
}

fn held_out(held: Held) -> pb::AuthenticateResponse {
    let own_factor = held.needs_factor();
    let impersonated = held.impersonated;
    let preferences = held.preferences.map(preferences_out);
    let memberships = held.places.into_iter().map(|(place, role)| {
        let needs_factor = place.factor_demanded && !held.has_factor;
        let open = is_running(&place.status) && !needs_factor && !held.needs_codes;
        let permissions =
            if open { effective(role, &place.granted, &place.denied) } else { vec![] };
        pb::Membership {
            campaign_id: place.campaign_id.to_string(),
            slug: place.slug,
            candidate_name: place.candidate_name,
            role: super::members::role_out(role).into(),
            permissions: permissions.iter().map(ToString::to_string).collect(),
            status: super::campaigns::status_out(&place.status).into(),
            needs_factor,
            deletion_due_at: place.deletion_due_at.map(timestamp),
        }
    });
    let own = pb::AuthenticateResponse {
        account_id: held.session.account_id.to_string(),
        session_id: held.session.session_id.to_string(),
        display_name: held.profile.display_name,
        email: held.profile.email,
        is_admin: held.admin,
        memberships: memberships.collect(),
        needs_factor: own_factor,
        fresh_until: Some(timestamp(Identity::fresh_until(&held.session))),
        impersonation: None,
        needs_codes: held.needs_codes,
        preferences,
        renew: held.session.renew,
    };
    match impersonated {
        // Without the second factor or the codes that they need they look at nothing.
        Some(seen) if !own.needs_factor && !own.needs_codes => impersonated_out(own, seen),
        _ => own,
    }
}
