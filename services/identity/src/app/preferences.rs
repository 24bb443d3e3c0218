//! In what language and time zone somebody works: what pages and letters speak, and where times are told.

use identity_domain::{Account, AccountCommand, AccountEvent, Preferences};
use jiff::tz::TimeZone;
use meydan_event_log::{PLATFORM, Target};
use meydan_keyring::Place;
use uuid::Uuid;

use super::{AppError, Identity, Result, login::person};
use crate::{
    letters::Locale,
    projections::{accounts::AccountRow, campaigns},
};

impl Identity {
    /// Sets in what language and time zone the holder of an account works. Nothing is written when that is so already.
    ///
    /// # Errors
    ///
    /// [`AppError::Malformed`] for a language other than `fa` and `en`, and for a time zone that nobody knows.
    pub async fn set_preferences(&self, account: Uuid, said: &Preferences) -> Result<()> {
        let chosen = known(said)?;
        let (row, _) = self.account(account).await?;
        if self.preferences(&row).await?.as_ref() == Some(&chosen) {
            return Ok(());
        }
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let preferences = sealer.seal(&preferences_place(account), &chosen);
        let fact = AccountEvent::PreferencesSet { preferences, at: self.clock.now() };
        let (target, command) =
            (Target { tenant: PLATFORM, id: account }, AccountCommand::Record(fact));
        let by = person(account, Uuid::now_v7());
        let done = self.log.execute::<Account>(target, command, &by).await?;
        self.show(done.position).await;
        Ok(())
    }

    /// What the holder of an account chose; `None` when they never did.
    pub(super) async fn preferences(&self, row: &AccountRow) -> Result<Option<Preferences>> {
        match &row.preferences_sealed {
            Some(sealed) => self.revealed(sealed, &preferences_place(row.account_id)).await,
            None => Ok(None),
        }
    }

    /// The language in which somebody is written to when no page says it: the one they chose, or that of the first
    /// campaign they joined.
    pub(super) async fn locale_of(&self, row: &AccountRow) -> Result<Locale> {
        if let Some(chosen) = self.preferences(row).await? {
            return Ok(Locale::from_code(&chosen.locale));
        }
        let code = campaigns::first_locale(self.log.pool(), row.account_id).await?;
        Ok(code.map_or_else(Locale::default, |code| Locale::from_code(&code)))
    }
}

/// What was said, in the spelling of the table of time zones.
fn known(said: &Preferences) -> Result<Preferences> {
    let mut wrong = Vec::new();
    if !matches!(said.locale.as_str(), "fa" | "en") {
        wrong.push(("locale", "must be fa or en".to_owned()));
    }
    let zone = TimeZone::get(&said.time_zone).ok();
    match zone.as_ref().and_then(TimeZone::iana_name) {
        Some(name) if wrong.is_empty() => {
            Ok(Preferences { locale: said.locale.clone(), time_zone: name.to_owned() })
        }
        name => {
            if name.is_none() {
                let words = "must be the name of a time zone, such as Asia/Tehran";
                wrong.push(("time_zone", words.to_owned()));
            }
            Err(AppError::Malformed(wrong))
        }
    }
}

/// Where what somebody chose belongs.
fn preferences_place(account: Uuid) -> Place {
    Place::new(PLATFORM, "account", account, "preferences")
}
