//! `Contacts` and `Recovery`: where a person is reached, and how that lets them in again.

use meydan_rpc::{
    caller::Who,
    form::{Form, timestamp},
    guard::caller,
    pb::identity::{
        self as pb, contacts_server::Contacts, prove_email_request, recovery_server::Recovery,
    },
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{accounts::holder, failure::status};
use crate::{
    app::{AddressProof, Guest, Identity},
    letters::Locale,
};

#[derive(Debug)]
pub(super) struct ContactsApi(pub(super) Identity);

#[derive(Debug)]
pub(super) struct RecoveryApi(pub(super) Identity);

/// The account of a person who calls.
fn own<T>(request: &Request<T>) -> Result<Uuid, Status> {
    match caller(request)?.who {
        Who::Account { id, .. } => Ok(id),
        Who::Impersonator { .. } | Who::ApiKey { .. } | Who::Service { .. } => Err(nobody()),
    }
}

fn nobody() -> Status {
    Status::permission_denied("only a person has an address")
}

#[tonic::async_trait]
impl Contacts for ContactsApi {
    async fn get_contact(
        &self,
        request: Request<pb::GetContactRequest>,
    ) -> Result<Response<pb::Contact>, Status> {
        let contact = self.0.contact(own(&request)?).await.map_err(status)?;
        Ok(Response::new(pb::Contact {
            email: contact.email,
            email_proved: contact.email_proved,
            phone: contact.phone.unwrap_or_default(),
            pending_email: contact.pending_email.unwrap_or_default(),
            pending_phone: contact.pending_phone.unwrap_or_default(),
            mailed: contact.mailed,
        }))
    }

    async fn ask_email(
        &self,
        request: Request<pb::AskEmailRequest>,
    ) -> Result<Response<pb::AskEmailResponse>, Status> {
        let caller = caller(&request)?;
        let Who::Account { id, session, .. } = caller.who else { return Err(nobody()) };
        let guest = Guest { address: caller.address.unwrap_or_default(), ..Guest::default() };
        let wire = request.into_inner();
        let says = (wire.email.as_str(), Locale::from_code(&wire.locale));
        let asked = self.0.ask_email((id, session), says, wire.current_password, &guest).await;
        asked.map(|()| Response::new(pb::AskEmailResponse {})).map_err(status)
    }

    async fn prove_email(
        &self,
        request: Request<pb::ProveEmailRequest>,
    ) -> Result<Response<pb::ProveEmailResponse>, Status> {
        let account = own(&request)?;
        let proof = match request.into_inner().proof {
            Some(prove_email_request::Proof::Code(code)) => AddressProof::Code(code),
            Some(prove_email_request::Proof::Token(token)) => AddressProof::Token(token),
            None => {
                let mut form = Form::default();
                form.reject("code", "must not be empty");
                return Err(form.finish().expect_err("a field was rejected"));
            }
        };
        let position = self.0.prove_email(account, &proof).await.map_err(status)?;
        Ok(Response::new(pb::ProveEmailResponse { position }))
    }

    async fn ask_phone(
        &self,
        request: Request<pb::AskPhoneRequest>,
    ) -> Result<Response<pb::AskPhoneResponse>, Status> {
        let holder = holder(&request)?;
        let wire = request.into_inner();
        let asked = self.0.ask_phone(holder, &wire.phone, Locale::from_code(&wire.locale)).await;
        asked.map(|()| Response::new(pb::AskPhoneResponse {})).map_err(status)
    }

    async fn remove_phone(
        &self,
        request: Request<pb::RemovePhoneRequest>,
    ) -> Result<Response<pb::RemovePhoneResponse>, Status> {
        let position = self.0.remove_phone(holder(&request)?).await.map_err(status)?;
        Ok(Response::new(pb::RemovePhoneResponse { position }))
    }

    async fn prove_phone(
        &self,
        request: Request<pb::ProvePhoneRequest>,
    ) -> Result<Response<pb::ProvePhoneResponse>, Status> {
        let account = own(&request)?;
        let position =
            self.0.prove_phone(account, &request.get_ref().code).await.map_err(status)?;
        Ok(Response::new(pb::ProvePhoneResponse { position }))
    }
}

#[tonic::async_trait]
impl Recovery for RecoveryApi {
    async fn ask_recovery(
        &self,
        request: Request<pb::AskRecoveryRequest>,
    ) -> Result<Response<pb::AskRecoveryResponse>, Status> {
        let wire = request.into_inner();
        let locale = Locale::from_code(&wire.locale);
        let device = Some(wire.device_token).filter(|token| !token.is_empty());
        let guest = Guest { address: wire.address, device, ..Guest::default() };
        let asked = self.0.ask_recovery(&wire.email, &guest, locale).await;
        asked.map(|()| Response::new(pb::AskRecoveryResponse {})).map_err(status)
    }

    async fn get_recovery(
        &self,
        request: Request<pb::GetRecoveryRequest>,
    ) -> Result<Response<pb::GetRecoveryResponse>, Status> {
        let found = self.0.recovery(&request.get_ref().token).await.map_err(status)?;
        Ok(Response::new(pb::GetRecoveryResponse {
            email: found.email,
            is_admin: found.admin,
            expires_at: Some(timestamp(found.expires_at)),
            removes_factors: found.removes_factors,
        }))
    }

    async fn finish_recovery(
        &self,
        request: Request<pb::FinishRecoveryRequest>,
    ) -> Result<Response<pb::FinishRecoveryResponse>, Status> {
        let wire = request.into_inner();
        let device = self.0.finish_recovery(&wire.token, wire.new_password).await;
        let device_token = device.map_err(status)?.into_text();
        Ok(Response::new(pb::FinishRecoveryResponse { device_token }))
    }
}
