//! `Accounts`: a person's own account.

use identity_domain::Preferences;
use meydan_rpc::{
    caller::{Caller, Who},
    form::{Form, timestamp},
    guard::caller,
    pb::identity::{self as pb, accounts_server::Accounts},
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::failure::status;
use crate::{
    app::{Confirmed, Factor, Guest, Happened, Identity, SeenSession},
    tokens::Given,
};

#[derive(Debug)]
pub(super) struct AccountsApi(pub(super) Identity);

/// The account and the session of whoever calls.
pub(super) fn holder<T>(request: &Request<T>) -> Result<(Uuid, Uuid), Status> {
    match caller(request)?.who {
        Who::Account { id, session, .. } => Ok((id, session)),
        Who::Impersonator { .. } | Who::ApiKey { .. } | Who::Service { .. } => {
            Err(Status::permission_denied("only a person has an account"))
        }
    }
}

/// The same of a caller who may be a service, which has neither.
pub(super) fn holder_unless_service<T>(
    request: &Request<T>,
) -> Result<Option<(Uuid, Uuid)>, Status> {
    match caller(request)?.who {
        Who::Service { .. } => Ok(None),
        _ => holder(request).map(Some),
    }
}

/// From where a caller comes. Whoever has a session is counted by that.
pub(super) fn guest(caller: Caller) -> Guest {
    Guest { address: caller.address.unwrap_or_default(), ..Guest::default() }
}

pub(super) fn id(text: &str) -> Result<Uuid, Status> {
    Uuid::try_parse(text).map_err(|_| Status::not_found("there is no such thing"))
}

fn factor(factor: Factor) -> pb::Factor {
    pb::Factor {
        factor_id: factor.factor_id.to_string(),
        name: factor.name,
        created_at: Some(timestamp(factor.created_at)),
        last_used_at: factor.last_used_at.map(timestamp),
        passkey: factor.passkey,
    }
}

pub(super) fn session(seen: SeenSession, present: Uuid) -> pb::Session {
    pb::Session {
        session_id: seen.row.session_id.to_string(),
        created_at: Some(timestamp(seen.row.created_at)),
        last_seen_at: Some(timestamp(seen.row.last_seen_at)),
        address: seen.origin.address,
        user_agent: seen.origin.user_agent,
        trusted: seen.row.trusted,
        present: seen.row.session_id == present,
    }
}

pub(super) fn happened(happened: Happened) -> pb::Happened {
    let (address, user_agent) =
        happened.origin.map(|origin| (origin.address, origin.user_agent)).unwrap_or_default();
    pb::Happened {
        position: happened.row.position,
        at: Some(timestamp(happened.row.at)),
        kind: happened.row.kind,
        proof: happened.row.proof.unwrap_or_default(),
        page: happened.row.page.unwrap_or_default(),
        address,
        user_agent,
    }
}

#[tonic::async_trait]
impl Accounts for AccountsApi {
    async fn join(
        &self,
        request: Request<pb::JoinRequest>,
    ) -> Result<Response<pb::JoinResponse>, Status> {
        let (holder, from) = (holder(&request)?, guest(caller(&request)?));
        let pb::JoinRequest { token, password } = request.into_inner();
        let position = self.0.join(holder, &token, password, &from).await.map_err(status)?;
        Ok(Response::new(pb::JoinResponse { position }))
    }

    async fn change_password(
        &self,
        request: Request<pb::ChangePasswordRequest>,
    ) -> Result<Response<pb::ChangePasswordResponse>, Status> {
        let (holder, from) = (holder(&request)?, guest(caller(&request)?));
        let wire = request.into_inner();
        let passwords = (wire.current_password, wire.new_password);
        let changed = self.0.change_password(holder, passwords, &from).await;
        changed.map(|()| Response::new(pb::ChangePasswordResponse {})).map_err(status)
    }

    async fn prove_again(
        &self,
        request: Request<pb::ProveAgainRequest>,
    ) -> Result<Response<pb::ProveAgainResponse>, Status> {
        let (holder, from) = (holder(&request)?, guest(caller(&request)?));
        let renewed = self.0.prove_again(holder, request.into_inner().secret, &from).await;
        let Given { token, keep_until } = renewed.map_err(status)?;
        Ok(Response::new(pb::ProveAgainResponse {
            session_token: token.into_text(),
            keep_until: keep_until.map(timestamp),
        }))
    }

    async fn list_factors(
        &self,
        request: Request<pb::ListFactorsRequest>,
    ) -> Result<Response<pb::ListFactorsResponse>, Status> {
        let (factors, recovery_codes) =
            self.0.factors(holder(&request)?.0).await.map_err(status)?;
        let factors = factors.into_iter().map(factor).collect();
        Ok(Response::new(pb::ListFactorsResponse { factors, recovery_codes }))
    }

    async fn begin_factor(
        &self,
        request: Request<pb::BeginFactorRequest>,
    ) -> Result<Response<pb::BeginFactorResponse>, Status> {
        let begun = self.0.begin_factor(holder(&request)?, &request.get_ref().name).await;
        let begun = begun.map_err(status)?;
        Ok(Response::new(pb::BeginFactorResponse {
            factor_id: begun.factor_id.to_string(),
            secret: begun.secret,
            url: begun.url,
        }))
    }

    async fn confirm_factor(
        &self,
        request: Request<pb::ConfirmFactorRequest>,
    ) -> Result<Response<pb::ConfirmFactorResponse>, Status> {
        let (holder, wire) = (holder(&request)?, request.get_ref());
        let confirmed = self.0.confirm_factor(holder, id(&wire.factor_id)?, &wire.code).await;
        let Confirmed { codes, given } = confirmed.map_err(status)?;
        Ok(Response::new(pb::ConfirmFactorResponse {
            session_token: given.token.into_text(),
            recovery_codes: codes,
            keep_until: given.keep_until.map(timestamp),
        }))
    }

    async fn rename_factor(
        &self,
        request: Request<pb::RenameFactorRequest>,
    ) -> Result<Response<pb::RenameFactorResponse>, Status> {
        let ((account, _), wire) = (holder(&request)?, request.get_ref());
        let renamed = self.0.rename_factor(account, id(&wire.factor_id)?, &wire.name).await;
        renamed.map(|()| Response::new(pb::RenameFactorResponse {})).map_err(status)
    }

    async fn remove_factor(
        &self,
        request: Request<pb::RemoveFactorRequest>,
    ) -> Result<Response<pb::RemoveFactorResponse>, Status> {
        let (holder, wire) = (holder(&request)?, request.get_ref());
        let removed = self.0.remove_factor(holder, id(&wire.factor_id)?).await;
        removed.map(|()| Response::new(pb::RemoveFactorResponse {})).map_err(status)
    }

    async fn renew_recovery_codes(
        &self,
        request: Request<pb::RenewRecoveryCodesRequest>,
    ) -> Result<Response<pb::RenewRecoveryCodesResponse>, Status> {
        let recovery_codes = self.0.renew_codes(holder(&request)?).await.map_err(status)?;
        Ok(Response::new(pb::RenewRecoveryCodesResponse { recovery_codes }))
    }

    async fn list_sessions(
        &self,
        request: Request<pb::ListSessionsRequest>,
    ) -> Result<Response<pb::ListSessionsResponse>, Status> {
        let (account, present) = holder(&request)?;
        let sessions = self.0.sessions(account).await.map_err(status)?;
        let sessions = sessions.into_iter().map(|seen| session(seen, present)).collect();
        Ok(Response::new(pb::ListSessionsResponse { sessions }))
    }

    async fn end_sessions(
        &self,
        request: Request<pb::EndSessionsRequest>,
    ) -> Result<Response<pb::EndSessionsResponse>, Status> {
        let (holder, wire) = (holder(&request)?, request.get_ref());
        let ended = if wire.session_id.is_empty() {
            self.0.end_other_sessions(holder).await
        } else {
            self.0.end_session(holder, id(&wire.session_id)?).await
        };
        ended.map(|()| Response::new(pb::EndSessionsResponse {})).map_err(status)
    }

    async fn stop_trusting(
        &self,
        request: Request<pb::StopTrustingRequest>,
    ) -> Result<Response<pb::StopTrustingResponse>, Status> {
        let ((account, _), session) = (holder(&request)?, id(&request.get_ref().session_id)?);
        let stopped = self.0.stop_trusting(account, session).await;
        stopped.map(|()| Response::new(pb::StopTrustingResponse {})).map_err(status)
    }

    async fn list_history(
        &self,
        request: Request<pb::ListHistoryRequest>,
    ) -> Result<Response<pb::ListHistoryResponse>, Status> {
        let ((account, _), before) = (holder(&request)?, request.get_ref().before);
        let entries = self.0.history(account, Some(before).filter(|before| *before > 0)).await;
        let entries = entries.map_err(status)?.into_iter().map(happened).collect();
        Ok(Response::new(pb::ListHistoryResponse { entries }))
    }

    async fn set_preferences(
        &self,
        request: Request<pb::SetPreferencesRequest>,
    ) -> Result<Response<pb::SetPreferencesResponse>, Status> {
        let (account, _) = holder(&request)?;
        let said = request.into_inner().preferences.unwrap_or_default();
        let said = Preferences { locale: said.locale, time_zone: said.time_zone };
        let set = self.0.set_preferences(account, &said).await;
        set.map(|()| Response::new(pb::SetPreferencesResponse {})).map_err(status)
    }

    async fn name_accounts(
        &self,
        request: Request<pb::NameAccountsRequest>,
    ) -> Result<Response<pb::NameAccountsResponse>, Status> {
        let mut form = Form::default();
        let wire = request.into_inner().account_ids;
        let ids: Option<Vec<_>> = wire.iter().map(|id| form.id("account_ids", id)).collect();
        form.finish()?;
        let names = self.0.names(&ids.unwrap_or_default()).await.map_err(status)?;
        let names = names.into_iter().map(|(id, name)| (id.to_string(), name)).collect();
        Ok(Response::new(pb::NameAccountsResponse { names }))
    }
}
