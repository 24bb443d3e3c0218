//! Accounts, as the admins' pages show them.

use meydan_rpc::{form::instant as known, pb::identity as pb};
use meydan_web::pages::{
    accounts::{AccountPlace, AccountRow, AccountStatus, WhichAccounts},
    security::{Happened, Session},
};
use time::OffsetDateTime;

use super::{
    campaign::{role_in, standing},
    instant,
};
use crate::routes::browser;

/// An account as it stands now.
#[must_use]
pub fn row(account: pb::Account, now: OffsetDateTime) -> AccountRow {
    AccountRow {
        status: match account.status() {
            pb::AccountStatus::Suspended => AccountStatus::Suspended,
            pb::AccountStatus::Active => AccountStatus::Active,
            pb::AccountStatus::Invited | pb::AccountStatus::Unspecified => AccountStatus::Invited,
        },
        id: account.account_id,
        name: account.display_name,
        email: account.email,
        admin: account.is_admin,
        asked_at: account.admin_asked_at.and_then(known),
        locked_until: account.locked_until.and_then(known),
        factor_locked: account.factor_locked_at.is_some(),
        second_factor: account.second_factor,
        created_at: instant(account.created_at),
        last_login_at: account.last_login_at.and_then(known),
        places: account.places.into_iter().map(|of| place(of, now)).collect(),
    }
}

/// Which accounts are asked for.
#[must_use]
pub const fn which_out(which: WhichAccounts) -> pb::WhichAccounts {
    match which {
        WhichAccounts::All => pb::WhichAccounts::Unspecified,
        WhichAccounts::Suspended => pb::WhichAccounts::Suspended,
        WhichAccounts::Locked => pb::WhichAccounts::Locked,
        WhichAccounts::WithoutFactor => pb::WhichAccounts::WithoutFactor,
    }
}

fn place(place: pb::AccountPlace, now: OffsetDateTime) -> AccountPlace {
    AccountPlace {
        role: role_in(place.role()).unwrap_or_default(),
        standing: standing((place.invited, place.deactivated), place.link_ends_at, now),
        campaign_id: place.campaign_id,
        slug: place.slug,
        name: place.candidate_name,
    }
}

/// A session, and what is known of its address.
#[must_use]
pub fn session(session: pb::Session, place: impl Fn(&str) -> Option<String>) -> Option<Session> {
    Some(Session {
        place: place(&session.address),
        id: session.session_id,
        created_at: session.created_at.and_then(known)?,
        last_seen_at: session.last_seen_at.and_then(known)?,
        address: session.address,
        browser: browser(&session.user_agent),
        trusted: session.trusted,
        present: session.present,
    })
}

/// Something that happened, and what is known of the address that it came from.
#[must_use]
pub fn happened(entry: pb::Happened, place: impl Fn(&str) -> Option<String>) -> Option<Happened> {
    Some(Happened {
        place: place(&entry.address),
        at: entry.at.and_then(known)?,
        kind: entry.kind,
        proof: entry.proof,
        page: entry.page,
        address: entry.address,
        browser: browser(&entry.user_agent),
    })
}

#[cfg(test)]
mod tests {
    use meydan_rpc::{form::timestamp, pb::identity as pb};
    use meydan_web::pages::team::Standing;
    use time::{Duration, macros::datetime};

    use super::place;

    #[test]
    fn whose_link_works_no_more_is_not_called_invited() {
        let now = datetime!(2026-11-21 12:00 UTC);
        let invited = |link_ends_at| pb::AccountPlace {
            invited: true,
            link_ends_at,
            ..pb::AccountPlace::default()
        };
        let ends = |after| invited(Some(timestamp(now + after)));

        assert_eq!(place(ends(Duration::SECOND), now).standing, Standing::Invited);
        assert_eq!(place(ends(Duration::ZERO), now).standing, Standing::Expired);
        assert_eq!(place(invited(None), now).standing, Standing::Expired);
    }
}
