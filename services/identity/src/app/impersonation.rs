//! An admin looks at a campaign as one of its members, for fifteen minutes, and changes nothing.
//!
//! The campaign's record, the account's, the letter and the row by which the session looks come to be together: nobody
//! looks unseen.

use identity_domain::{
    Account, AccountCommand, AccountEvent, CampaignStatus, Member, MemberCommand, Profile, Role,
    effective,
};
use meydan_event_log::{Actor, Meta, PLATFORM, Target};
use meydan_keyring::{Place, Sealed};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{AppError, Identity, Result, acts::Looks, certain::By, member_of, step};
use crate::{
    letters::Letter,
    projections::{
        accounts::AccountRow,
        members::{self, PlaceRow},
    },
};

/// How long an admin looks, at most.
const LASTS: Duration = Duration::minutes(15);
/// The longest name of a page.
const LONGEST_PAGE: usize = 40;

/// As whom a session of an admin looks.
#[derive(Debug, Clone)]
pub struct Impersonated {
    /// The member's account.
    pub subject: Uuid,
    /// What they are called.
    pub profile: Profile,
    /// When it ends by itself.
    pub ends_at: OffsetDateTime,
    /// The one campaign, and as what they work there.
    pub place: (PlaceRow, Role),
}

impl Impersonated {
    /// What is shown: what the member may read, and nothing that they may do.
    #[must_use]
    pub fn permissions(&self) -> Vec<&'static str> {
        let (place, role) = &self.place;
        let mut may = effective(*role, &place.granted, &place.denied);
        may.retain(|permission| permission.rsplit('.').next() == Some("read"));
        may
    }
}

/// Why, in 10 to 500 characters.
fn reasoned(text: &str) -> Result<String> {
    let wrong = |problem: &str| AppError::Malformed(vec![("reason", problem.to_owned())]);
    let text = text.trim();
    match text.chars().count() {
        0 => Err(wrong("must not be empty")),
        1..10 => Err(wrong("must have at least 10 characters")),
        10..=500 => Ok(text.to_owned()),
        _ => Err(wrong("must have at most 500 characters")),
    }
}

/// The name of a page: small letters, dots and dashes.
pub(super) fn page_named(page: String) -> Result<String> {
    let named = (1..=LONGEST_PAGE).contains(&page.len())
        && page.bytes().all(|byte| byte.is_ascii_lowercase() || b".-".contains(&byte));
    if named { Ok(page) } else { Err(AppError::Malformed(vec![("page", "is no page".to_owned())])) }
}

impl Identity {
    /// Lets the session of an admin look at a campaign as a member of it; the campaign's name in addresses.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`; `identity.account.oneself`; `identity.impersonation.` and why nothing would be seen;
    /// [`AppError::NotFound`] when there is no such account.
    pub async fn impersonate(
        &self,
        (admin, session): (Uuid, Uuid),
        (subject, campaign): (Uuid, Uuid),
        reason: &str,
        meta: &Meta,
    ) -> Result<String> {
        let reason = reasoned(reason)?;
        self.fresh((admin, session)).await?;
        if subject == admin {
            return Err(AppError::Refused("identity.account.oneself", "that is oneself"));
        }
        let (row, profile) = self.account(subject).await?;
        self.settled(subject).await?;
        let (found, _) = self.place_to_see(&row, campaign).await?;
        // Each look is one of its own: a form that is sent again must not look without being seen.
        let meta = Meta { on_behalf_of: Some(subject), command_id: Uuid::now_v7(), ..meta.clone() };
        let sealer = self.keyring.sealer(PLATFORM, subject).await?;
        let place = Place::new(PLATFORM, "account", subject, "impersonation");
        let sealed: Sealed<String> = sealer.seal(&place, reason.as_str());
        let to = (profile.email, self.locale_of(&row).await?);
        let says = Letter::Impersonation { candidate: found.candidate_name, reason };
        let names = (step(&meta, "letter").command_id, subject);
        let letter = self.letter(names, to, says).await?;
        let mut act = self.act_on(&[subject], &By::Admin((admin, session)), meta).await?;
        let (at, until) = (act.at, act.at + LASTS);
        let target = Target { tenant: campaign, id: member_of(campaign, subject) };
        act.ask::<Member>(target, MemberCommand::Impersonate { account_id: subject, until, at });
        let (admin_id, campaign_id) = (admin, campaign);
        let fact = AccountEvent::Impersonated { admin_id, campaign_id, reason: sealed, until, at };
        act.record(subject, fact);
        sqlx::query!(
            r#"
            INSERT INTO impersonations (session_id, subject_id, campaign_id, ends_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (session_id) DO UPDATE SET subject_id = $2, campaign_id = $3, ends_at = $4
            "#,
            session,
            subject,
            campaign,
            until,
        )
        .execute(act.db())
        .await?;
        sqlx::query!(
            r#"
            DELETE FROM impersonations WHERE session_id IN (
              SELECT session_id FROM impersonations WHERE ends_at <= $1 FOR UPDATE SKIP LOCKED)
            "#,
            at,
        )
        .execute(act.db())
        .await?;
        act.letter(&letter).await?;
        act.done().await?;
        self.changes.tell(admin).await;
        Ok(found.slug)
    }

    /// As whom a session looks now; `None` when it looks as itself. Whatever took the member's place away, or
    /// closed their account or the campaign, has ended it.
    pub(super) async fn impersonated(&self, session: Uuid) -> Result<Option<Impersonated>> {
        let pool = self.log.pool();
        let found = sqlx::query!(
            "SELECT subject_id, campaign_id, ends_at FROM impersonations WHERE session_id = $1 AND ends_at > $2",
            session,
            self.clock.now(),
        )
        .fetch_optional(pool)
        .await?;
        let Some(found) = found else { return Ok(None) };
        self.settled(found.subject_id).await?;
        let (row, profile) = match self.account(found.subject_id).await {
            Err(AppError::NotFound) => return Ok(None),
            other => other?,
        };
        let place = match self.place_to_see(&row, found.campaign_id).await {
            Err(AppError::Refused(..)) => return Ok(None),
            other => other?,
        };
        let subject = found.subject_id;
        Ok(Some(Impersonated { subject, profile, ends_at: found.ends_at, place }))
    }

    /// Where a look as the holder of an account shows something of a campaign.
    ///
    /// # Errors
    ///
    /// `identity.impersonation.suspended`, `.no_place`, `.stopped`, and `.factor` when the campaign demands a second
    /// factor that they lack: they could do nothing there either.
    async fn place_to_see(&self, row: &AccountRow, campaign: Uuid) -> Result<(PlaceRow, Role)> {
        let nothing = |code, why| Err(AppError::Refused(code, why));
        if row.suspended_at.is_some() {
            return nothing("identity.impersonation.suspended", "the account is suspended");
        }
        let places = members::of_account(self.log.pool(), row.account_id).await?;
        let place = places.into_iter().find(|place| place.campaign_id == campaign);
        let place = place.and_then(|place| Some((Role::named(&place.role)?, place)));
        let Some((role, place)) = place else {
            return nothing("identity.impersonation.no_place", "they do not work there");
        };
        if place.status != CampaignStatus::Active.name() {
            return nothing("identity.impersonation.stopped", "the campaign does not run");
        }
        if self.lacks(place.factor_demanded, row.account_id).await? {
            return nothing("identity.impersonation.factor", "they need a second factor first");
        }
        Ok((place, role))
    }

    /// Puts on record that the session of a token, which looks as a member, opens a page. However often that is said of
    /// one look, by whichever gateway, it is one fact of the campaign and one of the account.
    ///
    /// # Errors
    ///
    /// [`AppError::NotFound`] when the session does not look as anybody, or not any more.
    pub async fn note_look(&self, token: &str, page: String) -> Result<()> {
        let page = page_named(page)?;
        let found = sqlx::query!(
            r#"
            SELECT i.session_id, i.subject_id, i.campaign_id, i.ends_at, s.account_id
            FROM impersonations i JOIN sessions s ON s.session_id = i.session_id
            WHERE s.token_sha256 = $1 AND i.ends_at > $2
            "#,
            crate::tokens::hash(token),
            self.clock.now(),
        )
        .fetch_optional(self.log.pool())
        .await?;
        let look = found.ok_or(AppError::NotFound)?;
        let (subject, campaign, at) = (look.subject_id, look.campaign_id, self.clock.now());
        let named = format!("{subject}|{campaign}|{}|{page}", look.ends_at);
        let actor = Actor::Account { id: look.account_id, session: Some(look.session_id) };
        let meta = Meta::new(Uuid::new_v5(&look.session_id, named.as_bytes()), actor);
        let meta = Meta { on_behalf_of: Some(subject), ..meta };
        let opened = MemberCommand::LookAt { account_id: subject, page: page.clone(), at };
        let fact = AccountEvent::LookedAt { campaign_id: campaign, page, at };
        let mut group = self.log.group(campaign);
        let target = Target { tenant: campaign, id: member_of(campaign, subject) };
        group.add::<Member>(target, opened, (&[], None));
        let target = Target { tenant: PLATFORM, id: subject };
        group.add::<Account>(target, AccountCommand::Record(fact), (&[], None));
        group.execute(&meta).await?;
        Ok(())
    }

    /// Ends the impersonation of a token's session, if it has one.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn end_impersonation(&self, token: &str) -> Result<()> {
        let Some(session) = crate::tokens::session(self.log.pool(), token).await? else {
            return Ok(());
        };
        let (id, session) = (session.account_id, session.session_id);
        let actor = Actor::Account { id, session: Some(session) };
        let mut act = self.act(Meta::new(Uuid::now_v7(), actor), &[]).await?;
        let sessions = Some(vec![session]);
        act.end_looks(Looks { sessions, ..Looks::default() }).await?;
        act.done().await?;
        self.changes.tell(id).await;
        Ok(())
    }
}
