//! When somebody is out of a team, or may not have keys there any more, or their account is suspended or erased, the
//! keys of programs that they made are revoked. They open nothing from the first moment, because a key may never more
//! than whoever made it; revoked they stay so when that person comes back, and the campaign reads that it happened.

use identity_domain::{AccountEvent, MemberEvent, RevokedBecause};
use meydan_erasure::SubjectEvent;
use meydan_event_log::{Meta, Outcome, PLATFORM, Policy, Recorded, Unreadable};

use crate::app::{AppError, Identity, Made};

/// The policy.
#[derive(Debug)]
pub struct WhenMakerGoesRevokeKeys(pub Identity);

impl Policy for WhenMakerGoesRevokeKeys {
    const NAME: &'static str = "when_maker_goes_revoke_keys";
    const SERVICE: &'static str = crate::NAME;

    async fn react(&self, event: &Recorded, meta: Meta) -> Outcome {
        let (made, because) = match keys_of(event) {
            Ok(Some(found)) => found,
            Ok(None) => return Outcome::Ignored,
            Err(error) => return Outcome::Park(error.to_string()),
        };
        match self.0.revoke_keys_of(made, because, (event.position, &meta)).await {
            Ok(()) => Outcome::Done,
            Err(error @ AppError::Damaged(_)) => Outcome::Park(error.to_string()),
            Err(error) => Outcome::Retry(error.to_string()),
        }
    }
}

/// Whose keys a fact ends, and why.
fn keys_of(event: &Recorded) -> Result<Option<(Made, RevokedBecause)>, Unreadable> {
    let made = |by, within, until| Made { by, within, until };
    let here = Some(event.tenant);
    Ok(match event.aggregate_type.as_str() {
        "account" => match event.decode_one()? {
            Some(AccountEvent::Suspended { at }) => {
                Some((made(event.aggregate_id, None, at), RevokedBecause::MakerSuspended))
            }
            _ => None,
        },
        "subject" if event.tenant == PLATFORM => {
            event.decode_one()?.map(|SubjectEvent::Erased { at }| {
                (made(event.aggregate_id, None, at), RevokedBecause::MakerErased)
            })
        }
        "member" => match event.decode_one()? {
            Some(MemberEvent::Removed { account_id, at }) => {
                Some((made(account_id, here, at), RevokedBecause::MakerLeft))
            }
            Some(MemberEvent::Deactivated { account_id, at }) => {
                Some((made(account_id, here, at), RevokedBecause::MakerDeactivated))
            }
            Some(
                MemberEvent::RoleChanged { account_id, at, .. }
                | MemberEvent::PermissionsChanged { account_id, at, .. },
            ) => Some((made(account_id, here, at), RevokedBecause::MakerLostPermission)),
            _ => None,
        },
        _ => None,
    })
}
