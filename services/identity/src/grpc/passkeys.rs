//! `PasskeyLogins` and `Passkeys`: coming in with passkeys, and one's own.

use meydan_rpc::{
    form::timestamp,
    guard::caller,
    pb::identity::{self as pb, passkey_logins_server::PasskeyLogins, passkeys_server::Passkeys},
};
use tonic::{Request, Response, Status};

use super::{
    accounts::{self, holder, id},
    failure::status,
    sessions::{self, entered},
};
use crate::{
    app::{Asked, Confirmed, Identity, Signed},
    tokens::Given,
};

#[derive(Debug)]
pub(super) struct PasskeyLoginsApi(pub(super) Identity);

#[derive(Debug)]
pub(super) struct PasskeysApi(pub(super) Identity);

fn asked(asked: Asked) -> Response<pb::PasskeyChallenge> {
    let Asked { token, options } = asked;
    Response::new(pb::PasskeyChallenge { token: token.into_text(), options })
}

#[tonic::async_trait]
impl PasskeyLogins for PasskeyLoginsApi {
    async fn get_waiting(
        &self,
        request: Request<pb::GetWaitingRequest>,
    ) -> Result<Response<pb::GetWaitingResponse>, Status> {
        let ways = self.0.ways(&request.get_ref().challenge_token).await.map_err(status)?;
        Ok(Response::new(pb::GetWaitingResponse { code: ways.code, passkey: ways.passkey }))
    }

    async fn ask_passkey(
        &self,
        request: Request<pb::AskPasskeyRequest>,
    ) -> Result<Response<pb::PasskeyChallenge>, Status> {
        let wire = request.into_inner();
        let challenge =
            Some(wire.challenge_token.as_str()).filter(|challenge| !challenge.is_empty());
        self.0.ask_passkey(challenge, &wire.address).await.map(asked).map_err(status)
    }

    async fn enter_with_passkey(
        &self,
        request: Request<pb::EnterWithPasskeyRequest>,
    ) -> Result<Response<pb::LogInResponse>, Status> {
        let wire = request.into_inner();
        let from = sessions::guest(wire.guest);
        let signed = Signed { token: &wire.token, credential: &wire.credential };
        let proved = if wire.challenge_token.is_empty() {
            self.0.log_in_with_passkey(signed, &from, wire.trusted).await
        } else {
            let challenge = &wire.challenge_token;
            self.0.prove_with_passkey(challenge, signed, &from, wire.trusted).await
        };
        proved.map(entered).map_err(status)
    }
}

#[tonic::async_trait]
impl Passkeys for PasskeysApi {
    async fn begin_passkey(
        &self,
        request: Request<pb::BeginPasskeyRequest>,
    ) -> Result<Response<pb::BeginPasskeyResponse>, Status> {
        let begun = self.0.begin_passkey(holder(&request)?, &request.get_ref().name).await;
        let (factor_id, options) = begun.map_err(status)?;
        Ok(Response::new(pb::BeginPasskeyResponse { factor_id: factor_id.to_string(), options }))
    }

    async fn confirm_passkey(
        &self,
        request: Request<pb::ConfirmPasskeyRequest>,
    ) -> Result<Response<pb::ConfirmPasskeyResponse>, Status> {
        let (holder, wire) = (holder(&request)?, request.get_ref());
        let shown = self.0.confirm_passkey(holder, id(&wire.factor_id)?, &wire.credential).await;
        let Confirmed { codes, given } = shown.map_err(status)?;
        Ok(Response::new(pb::ConfirmPasskeyResponse {
            session_token: given.token.into_text(),
            recovery_codes: codes,
            keep_until: given.keep_until.map(timestamp),
        }))
    }

    async fn ask_proof(
        &self,
        request: Request<pb::AskProofRequest>,
    ) -> Result<Response<pb::PasskeyChallenge>, Status> {
        self.0.ask_passkey_proof(holder(&request)?).await.map(asked).map_err(status)
    }

    async fn prove_with_passkey(
        &self,
        request: Request<pb::ProveWithPasskeyRequest>,
    ) -> Result<Response<pb::ProveWithPasskeyResponse>, Status> {
        let (holder, from) = (holder(&request)?, accounts::guest(caller(&request)?));
        let wire = request.into_inner();
        let signed = Signed { token: &wire.token, credential: &wire.credential };
        let renewed = self.0.prove_again_with_passkey(holder, signed, &from).await;
        let Given { token, keep_until } = renewed.map_err(status)?;
        Ok(Response::new(pb::ProveWithPasskeyResponse {
            session_token: token.into_text(),
            keep_until: keep_until.map(timestamp),
        }))
    }
}
