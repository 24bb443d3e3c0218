//! `ApiKeys`: the keys of the caller's campaign.

use meydan_rpc::{
    form::{Form, timestamp},
    guard::{caller, campaign},
    pb::identity::{self as pb, api_keys_server::ApiKeys},
};
use tonic::{Request, Response, Status};

use super::{accounts::holder, failure::status, id, meta, person};
use crate::app::{Identity, NewApiKey, SeenApiKey};

#[derive(Debug)]
pub(super) struct ApiKeysApi(pub(super) Identity);

#[tonic::async_trait]
impl ApiKeys for ApiKeysApi {
    async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Result<Response<pb::CreateApiKeyResponse>, Status> {
        let caller = caller(&request)?;
        let within = (campaign(&caller)?, holder(&request)?);
        let meta = meta(&request, &caller)?;
        let wire = request.into_inner();
        let mut form = Form::default();
        let expires_at = match wire.expires_at {
            Some(at) => form.instant("expires_at", Some(at)),
            None => None,
        };
        form.finish()?;
        let permissions = wire.permissions.into_iter().collect();
        let new = NewApiKey { name: wire.name, permissions, expires_at };
        let made = self.0.create_api_key(within, new, &meta).await.map_err(status)?;
        Ok(Response::new(pb::CreateApiKeyResponse {
            api_key_id: made.id.to_string(),
            key: made.secret,
            position: made.position,
        }))
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Result<Response<pb::ListApiKeysResponse>, Status> {
        let tenant = campaign(&caller(&request)?)?;
        let keys = self.0.api_keys(tenant, request.get_ref().min_position).await;
        let keys = keys.map_err(status)?.into_iter().map(key_out).collect();
        Ok(Response::new(pb::ListApiKeysResponse { keys }))
    }

    async fn revoke_api_key(
        &self,
        request: Request<pb::RevokeApiKeyRequest>,
    ) -> Result<Response<pb::RevokeApiKeyResponse>, Status> {
        let caller = caller(&request)?;
        let within = (campaign(&caller)?, person(&caller)?);
        let meta = meta(&request, &caller)?;
        let key = id("api_key_id", &request.get_ref().api_key_id)?;
        let revoked = self.0.revoke_api_key(within, key, &meta).await.map_err(status)?;
        Ok(Response::new(pb::RevokeApiKeyResponse { position: revoked.position }))
    }
}

fn key_out(SeenApiKey { row, name, permissions, closed }: SeenApiKey) -> pb::ApiKey {
    pb::ApiKey {
        api_key_id: row.key_id.to_string(),
        name: name.unwrap_or_default(),
        permissions: permissions.into_iter().map(ToOwned::to_owned).collect(),
        created_at: Some(timestamp(row.created_at)),
        expires_at: row.expires_at.map(timestamp),
        last_used_at: row.last_used_at.map(timestamp),
        revoked_at: row.revoked_at.map(timestamp),
        revoked_because: row.revoked_because.unwrap_or_default(),
        maker_lacks_factor: closed,
    }
}
