//! Keys of a campaign's own programs: made, used, revoked. Of the secret only the SHA-256 is kept, beside the
//! log.

use std::collections::BTreeSet;

use identity_domain::{
    ApiKey, ApiKeyCommand, Member, MemberRefusal, RevokedBecause, Role, effective, permission_named,
};
use meydan_event_log::{Committed, Meta, PLATFORM, Target};
use meydan_keyring::Place;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    AppError, Identity, Result, certain::By, demands::factor_needed, name, places::refused, step,
};
use crate::{
    projections::api_keys::{self, ApiKeyRow},
    tokens::{self, Token},
};

/// What every key begins with: whoever finds one knows what it is.
pub const PREFIX: &str = "mk_";
/// What whoever makes and ends keys must be allowed.
const MANAGE: &str = "identity:api_key.manage";

/// How long a key that was revoked is shown.
const SHOWN: Duration = Duration::days(30);

/// Keys that somebody made.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    /// Who.
    pub by: Uuid,
    /// In which campaign; `None` for all.
    pub within: Option<Uuid>,
    /// Until when.
    pub until: OffsetDateTime,
}

/// A key as its campaign sees it.
#[derive(Debug, Clone)]
pub struct SeenApiKey {
    /// As stored.
    pub row: ApiKeyRow,
    /// What it is called, unless whoever made it was erased.
    pub name: Option<String>,
    /// What it may do now: no more than whoever made it.
    pub permissions: Vec<&'static str>,
    /// Whether it opens nothing now, because whoever made it lacks the second factor that the campaign demands.
    pub closed: bool,
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub permissions: BTreeSet<String>,
    /// When it ends by itself.
    pub expires_at: Option<OffsetDateTime>,
}

/// A key that was made.
#[derive(Debug)]
pub struct MadeApiKey {
    /// Names it.
    pub id: Uuid,
    /// The secret, to be shown once.
    pub secret: String,
    /// The position that its fact reached.
    pub position: i64,
}

/// What a key opens.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The key.
    pub id: Uuid,
    /// The campaign whose it is.
    pub campaign: Uuid,
    /// What it may do there.
    pub permissions: Vec<&'static str>,
}

fn name_place(key: Uuid) -> Place {
    Place::new(PLATFORM, "api_key", key, "name")
}

/// The key that a command makes. Others come to know its id: it names no key of another campaign's.
fn key_of(campaign: Uuid, command: Uuid) -> Uuid {
    Uuid::new_v5(&campaign, &[b"api_key".as_slice(), command.as_bytes()].concat())
}

/// Whether a key may ever have a permission: never one over people, or over keys.
fn may_be_keyed(permission: &str) -> bool {
    permission_named(permission).is_some() && !permission.starts_with("identity:")
}

impl Identity {
    /// Makes a key. Sent again under the same command, it makes no second key: whoever made it gets a new secret, as long
    /// as nobody has used the one before.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; `identity.member.not_held` for a permission that whoever makes it does not hold;
    /// `identity.api_key.made` when the command made a key of somebody else's, or one that was used or revoked;
    /// [`AppError::Unavailable`] while the tables are late to show the key that it made.
    pub async fn create_api_key(
        &self,
        (campaign, holder): (Uuid, (Uuid, Uuid)),
        new: NewApiKey,
        meta: &Meta,
    ) -> Result<MadeApiKey> {
        let at = self.clock.now();
        let mut wrong = Vec::new();
        let called = name(&new.name).map_err(|problem| wrong.push(("name", problem.to_owned())));
        if new.permissions.is_empty() {
            wrong.push(("permissions", "must not be empty".to_owned()));
        }
        if !new.permissions.iter().all(|permission| may_be_keyed(permission)) {
            wrong.push(("permissions", "must be those that a key can have".to_owned()));
        }
        if new.expires_at.is_some_and(|expires_at| expires_at <= at) {
            wrong.push(("expires_at", "must be to come".to_owned()));
        }
        let (Ok(called), true) = (called, wrong.is_empty()) else {
            return Err(AppError::Malformed(wrong));
        };
        let by = holder.0;
        let place = self.keeper(campaign, by).await?;
        let own = place.permissions();
        if !new.permissions.iter().all(|permission| own.contains(&permission.as_str())) {
            return Err(MemberRefusal::NotHeld.into());
        }
        let id = key_of(campaign, meta.command_id);
        let sealer = self.keyring.sealer(PLATFORM, by).await?;
        let command = ApiKeyCommand::Create {
            name: sealer.seal(&name_place(id), &called),
            permissions: new.permissions,
            created_by: by,
            expires_at: new.expires_at,
            at,
        };
        let target = Target { tenant: campaign, id };
        let secret = format!("{PREFIX}{}", Token::fresh().into_text());
        let hash = tokens::hash(&secret);
        // Whoever is removed meanwhile makes none: their keys were looked for when they went.
        let by_them = By::Member { campaign, holder, place };
        let mut act = self.act_on(&[by], &by_them, meta.clone()).await?;
        api_keys::keep_secret(act.db(), id, &hash).await?;
        act.ask::<ApiKey>(target, command);
        let created = act.done().await.map_err(refused)?;
        if created.repeated {
            self.renew_secret((id, by), &hash, created.position).await?;
        } else {
            self.show(created.position).await;
        }
        Ok(MadeApiKey { id, secret, position: created.position })
    }

    /// Gives a key that was made at `position` another secret. Whose it is, and that it was not revoked, the tables
    /// tell: before they show the key nobody is told that it is somebody else's.
    ///
    /// It is not on record by itself. The key stays whose it was, and may what it might, as the fact says that made it;
    /// the secret before has opened nothing, and never will.
    async fn renew_secret(
        &self,
        (key, by): (Uuid, Uuid),
        hash: &[u8],
        position: i64,
    ) -> Result<()> {
        self.reach(position).await?;
        if api_keys::renew_secret(self.log.pool(), (key, by), hash).await? {
            return Ok(());
        }
        Err(AppError::Refused(
            "identity.api_key.made",
            "the key was made, and its secret is shown once",
        ))
    }

    /// The place of somebody who may make and end keys now.
    async fn keeper(&self, campaign: Uuid, by: Uuid) -> Result<Member> {
        let place = self.actor(campaign, by).await?;
        if place.permissions().contains(&MANAGE) {
            return Ok(place);
        }
        Err(MemberRefusal::NotHeld.into())
    }

    /// Ends a key, at once.
    ///
    /// # Errors
    ///
    /// See [`AppError`]; another campaign's key is not found.
    pub async fn revoke_api_key(
        &self,
        (campaign, by): (Uuid, Uuid),
        key: Uuid,
        meta: &Meta,
    ) -> Result<Committed> {
        self.keeper(campaign, by).await?;
        let revoked = self.revoke((campaign, key), None, meta.clone()).await?;
        self.show(revoked.position).await;
        Ok(revoked)
    }

    /// Ends a key. Its secret goes with the fact: however late the tables are, it opens nothing from then on.
    async fn revoke(
        &self,
        (campaign, key): (Uuid, Uuid),
        because: Option<RevokedBecause>,
        meta: Meta,
    ) -> Result<Committed> {
        let mut act = self.act(meta, &[]).await?;
        let (at, target) = (act.at, Target { tenant: campaign, id: key });
        // Of another campaign's key the fact is refused, and its secret stays.
        api_keys::wipe_secret(act.db(), key).await?;
        act.ask::<ApiKey>(target, ApiKeyCommand::Revoke { because, at });
        Ok(act.done().await?)
    }

    /// Ends the keys that somebody made, because of what happened to them at `position`. Who lost a permission and
    /// may have keys all the same keeps them: a key may never more than whoever made it.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn revoke_keys_of(
        &self,
        made: Made,
        because: RevokedBecause,
        (position, meta): (i64, &Meta),
    ) -> Result<()> {
        self.reach(position).await?;
        if let (RevokedBecause::MakerLostPermission, Some(campaign)) = (because, made.within)
            && self.place(campaign, made.by).await?.permissions().contains(&MANAGE)
        {
            return Ok(());
        }
        for (campaign, id) in api_keys::made_by(self.log.pool(), made).await? {
            self.revoke((campaign, id), Some(because), step(meta, &id.to_string())).await?;
        }
        Ok(())
    }

    /// The keys of a campaign, with those that were revoked within the last month.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn api_keys(&self, campaign: Uuid, min_position: i64) -> Result<Vec<SeenApiKey>> {
        self.reach(min_position).await?;
        let mut keys = Vec::new();
        let (since, demanded) = (self.clock.now() - SHOWN, self.demands_factor(campaign).await?);
        for row in api_keys::of_campaign(self.log.pool(), campaign, since).await? {
            let name = self.revealed(&row.name_sealed, &name_place(row.key_id)).await?;
            let role = row.maker_role.as_deref().and_then(Role::named);
            let mut permissions = role
                .map(|role| effective(role, &row.maker_granted, &row.maker_denied))
                .unwrap_or_default();
            permissions.retain(|held| row.permissions.iter().any(|allowed| allowed == held));
            let closed = row.revoked_at.is_none() && self.lacks(demanded, row.created_by).await?;
            keys.push(SeenApiKey { row, name, permissions, closed });
        }
        Ok(keys)
    }

    /// What a key opens now: never more than whoever made it may do now.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when it opens nothing; `identity.factor.needed` of a good one whose maker lacks what the
    /// campaign demands.
    pub async fn open_with(&self, secret: &str) -> Result<Opened> {
        if !secret.starts_with(PREFIX) {
            return Err(AppError::NotFound);
        }
        let (pool, hash, now) = (self.log.pool(), tokens::hash(secret), self.clock.now());
        let made = api_keys::good(pool, &hash, now).await?.ok_or(AppError::NotFound)?;
        self.settled(made.created_by).await?;
        let found = api_keys::good(pool, &hash, now).await?.ok_or(AppError::NotFound)?;
        if self.lacks(found.factor_demanded, found.created_by).await? {
            return Err(factor_needed());
        }
        let role = Role::named(&found.role).ok_or(AppError::NotFound)?;
        let mut permissions = effective(role, &found.granted, &found.denied);
        permissions.retain(|held| found.permissions.iter().any(|allowed| allowed == held));
        api_keys::note_use(pool, found.key_id, now).await?;
        Ok(Opened { id: found.key_id, campaign: found.campaign_id, permissions })
    }
}
