//! Whether an address or a telephone is theirs: a code of six digits, and for addresses a link.
//!
//! A code is good for five tries, and a newer one takes the older's place, at most once a minute and ten times a day.
//! Trying counts and judges in one statement, so that a hundred at once are worth as much as a hundred in turn.

use identity_domain::{Account, AccountCommand, AccountEvent};
use meydan_event_log::{PLATFORM, Target};
use meydan_keyring::{Place, Sealed};
use time::Duration;
use uuid::Uuid;

use super::{AppError, Guest, Identity, Result, email, login::person, quotas::Quota};
use crate::{
    letters::{self, Letter, Locale, Notice},
    tokens::{self, Token},
    totp,
};

/// How soon another one may be asked for.
const PAUSE: Duration = Duration::minutes(1);
/// Tries that a code bears.
const TRIES: i32 = 5;
const PER_DAY: Quota = Quota { of: "proof", most: 10, window: Duration::days(1) };

/// What is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Email,
    Phone,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    const fn good(self) -> Duration {
        match self {
            Self::Email => Duration::minutes(15),
            Self::Phone => Duration::minutes(5),
        }
    }

    fn place(self, account: Uuid) -> Place {
        Place::new(PLATFORM, "proof", account, self.name())
    }
}

/// With what an address is proved.
#[derive(Debug, Clone)]
pub enum AddressProof {
    /// The six digits.
    Code(String),
    /// The secret part of the link.
    Token(String),
}

/// Where a person is reached.
#[derive(Debug, Default)]
pub struct Contact {
    /// The address of the account.
    pub email: String,
    /// Whether it is proved.
    pub email_proved: bool,
    /// The telephone, which is proved.
    pub phone: Option<String>,
    /// An address for which a code is under way.
    pub pending_email: Option<String>,
    /// A telephone for which a code is under way.
    pub pending_phone: Option<String>,
}

impl Identity {
    /// Where an account's holder is reached.
    ///
    /// # Errors
    ///
    /// See [`AppError`].
    pub async fn contact(&self, account: Uuid) -> Result<Contact> {
        let (row, profile) = self.account(account).await?;
        let phone = match row.phone_sealed {
            Some(sealed) => self.revealed(&sealed, &phone_place(account)).await?,
            None => None,
        };
        Ok(Contact {
            email: profile.email,
            email_proved: row.email_proved_at.is_some(),
            phone,
            pending_email: self.pending(account, Kind::Email).await?,
            pending_phone: self.pending(account, Kind::Phone).await?,
        })
    }

    async fn pending(&self, account: Uuid, kind: Kind) -> Result<Option<String>> {
        let sealed = sqlx::query_scalar!(
            r#"
            SELECT target_sealed FROM proofs
            WHERE account_id = $1 AND kind = $2 AND expires_at > $3 AND tries < $4
            "#,
            account,
            kind.name(),
            self.clock.now(),
            TRIES,
        )
        .fetch_optional(self.log.pool())
        .await?;
        match sealed {
            Some(sealed) => self.revealed(&sealed, &kind.place(account)).await,
            None => Ok(None),
        }
    }

    /// Sends a code and a link to an address. Another address than the present one asks for the password.
    ///
    /// # Errors
    ///
    /// `identity.password.wrong`; `identity.proof.too_soon` within a minute, and after ten a day.
    pub async fn ask_email(
        &self,
        (account, session): (Uuid, Uuid),
        (typed, locale): (&str, Locale),
        password: String,
        guest: &Guest,
    ) -> Result<()> {
        let (_, profile) = self.account(account).await?;
        let target = if typed.trim().is_empty() { &profile.email } else { typed };
        let target = email(target)
            .map_err(|problem| AppError::Malformed(vec![("email", problem.to_owned())]))?;
        if !target.eq_ignore_ascii_case(&profile.email) {
            self.confirm((account, session), password, guest).await?;
        }
        let (token, code) = (Token::fresh(), fresh_code());
        let letter = Letter::EmailProof { code: code.clone(), token: token.clone().into_text() };
        self.ask_proof((account, Kind::Email), (target, locale), (&token, &code), letter).await
    }

    /// Sends a code to a telephone.
    ///
    /// # Errors
    ///
    /// [`AppError::Malformed`] for what is no number; `identity.proof.too_soon` within a minute, and after ten a day.
    pub async fn ask_phone(&self, account: Uuid, typed: &str, locale: Locale) -> Result<()> {
        let target = phone(typed)
            .map_err(|problem| AppError::Malformed(vec![("phone", problem.to_owned())]))?;
        let (token, code) = (Token::fresh(), fresh_code());
        let letter = Letter::PhoneProof { code: code.clone() };
        self.ask_proof((account, Kind::Phone), (target, locale), (&token, &code), letter).await
    }

    async fn ask_proof(
        &self,
        (account, kind): (Uuid, Kind),
        (target, locale): (String, Locale),
        (token, code): (&Token, &str),
        letter: Letter,
    ) -> Result<()> {
        let too_soon =
            || AppError::Refused("identity.proof.too_soon", "wait before asking for another");
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let sealed: Sealed<String> = sealer.seal(&kind.place(account), &target);
        let code = self.code_mac(account, kind, code).await?;
        let letter = self.letter((Uuid::now_v7(), account), (target, locale), letter).await?;
        let now = self.clock.now();
        let mut tx = self.log.pool().begin().await?;
        let kept = sqlx::query!(
            r#"
            INSERT INTO proofs AS p (account_id, kind, target_sealed, token_sha256, code_mac, asked_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (account_id, kind) DO UPDATE SET
              target_sealed = $3, token_sha256 = $4, code_mac = $5, tries = 0, asked_at = $6, expires_at = $7
            WHERE p.asked_at <= $8
            "#,
            account,
            kind.name(),
            sealed.to_string(),
            token.hash(),
            code,
            now,
            now + kind.good(),
            now - PAUSE,
        )
        .execute(&mut *tx)
        .await?;
        if kept.rows_affected() == 0 || !self.within(&mut tx, PER_DAY, &account.to_string()).await?
        {
            tx.rollback().await?;
            return Err(too_soon());
        }
        letters::write(&mut tx, &letter).await?;
        tx.commit().await?;
        self.written.notify_one();
        Ok(())
    }

    /// Proves an address. When it is another than before, it takes the old one's place, which is told.
    ///
    /// # Errors
    ///
    /// `identity.proof.wrong` for a code that is wrong, used, too old or tried too often; [`AppError::NotFound`] for
    /// such a link, and for another account's; `identity.email.taken` when somebody else has proved the address.
    pub async fn prove_email(&self, account: Uuid, proof: &AddressProof) -> Result<i64> {
        let target = match proof {
            AddressProof::Code(code) => self.take_code(account, Kind::Email, code).await?,
            AddressProof::Token(token) => self.take_link(account, token).await?,
        };
        let (row, profile) = self.account(account).await?;
        let position = self.email_is_proved(account, &target).await?;
        if !target.eq_ignore_ascii_case(&profile.email) {
            let locale = self.locale_of(&row).await?;
            let letter = Letter::Notice(Notice::EmailChanged);
            let names = (Uuid::now_v7(), account);
            let letter = self.letter(names, (profile.email, locale), letter).await?;
            self.send(&letter).await?;
        }
        Ok(position)
    }

    /// Proves a telephone.
    ///
    /// # Errors
    ///
    /// `identity.proof.wrong` for a code that is wrong, used, too old or tried too often.
    pub async fn prove_phone(&self, account: Uuid, code: &str) -> Result<i64> {
        let target = self.take_code(account, Kind::Phone, code).await?;
        let (before, _) = self.account(account).await?;
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let phone = sealer.seal(&phone_place(account), &target);
        let command =
            AccountCommand::Record(AccountEvent::PhoneVerified { phone, at: self.clock.now() });
        let at = Target { tenant: PLATFORM, id: account };
        let done =
            self.log.execute::<Account>(at, command, &person(account, Uuid::now_v7())).await?;
        self.reach(done.position).await?;
        if before.phone_sealed.is_some() {
            self.notify(account, Notice::PhoneChanged).await?;
        }
        Ok(done.position)
    }

    /// Takes the telephone away from an account, and a code that is under way for another one. The holder is told.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`; [`AppError::NotFound`] when there is no telephone.
    pub async fn remove_phone(&self, (account, session): (Uuid, Uuid)) -> Result<i64> {
        self.fresh((account, session)).await?;
        let (row, _) = self.account(account).await?;
        row.phone_sealed.ok_or(AppError::NotFound)?;
        sqlx::query!("DELETE FROM proofs WHERE account_id = $1 AND kind = 'phone'", account)
            .execute(self.log.pool())
            .await?;
        let fact = AccountEvent::PhoneRemoved { at: self.clock.now() };
        let (at, command) =
            (Target { tenant: PLATFORM, id: account }, AccountCommand::Record(fact));
        let done =
            self.log.execute::<Account>(at, command, &person(account, Uuid::now_v7())).await?;
        self.reach(done.position).await?;
        self.notify(account, Notice::PhoneRemoved).await?;
        Ok(done.position)
    }

    /// Uses a code up: what it proves. A wrong one costs a try.
    async fn take_code(&self, account: Uuid, kind: Kind, code: &str) -> Result<String> {
        let wrong = || AppError::Refused("identity.proof.wrong", "the code is wrong or too old");
        let code = code.chars().filter_map(totp::digit).collect::<String>();
        let mac = self.code_mac(account, kind, &code).await?;
        let pool = self.log.pool();
        let counted = sqlx::query!(
            r#"
            UPDATE proofs SET tries = tries + 1
            WHERE account_id = $1 AND kind = $2 AND expires_at > $3 AND tries < $4
            RETURNING code_mac = $5 AS "right!", token_sha256
            "#,
            account,
            kind.name(),
            self.clock.now(),
            TRIES,
            mac,
        )
        .fetch_optional(pool)
        .await?;
        let counted = counted.filter(|counted| counted.right).ok_or_else(wrong)?;
        // Of several with the right code at once, one takes the row away.
        let sealed = sqlx::query_scalar!(
            r#"
            DELETE FROM proofs WHERE account_id = $1 AND kind = $2 AND token_sha256 = $3
            RETURNING target_sealed
            "#,
            account,
            kind.name(),
            counted.token_sha256,
        )
        .fetch_optional(pool)
        .await?;
        let target = self.revealed(&sealed.ok_or_else(wrong)?, &kind.place(account)).await?;
        target.ok_or(AppError::NotFound)
    }

    /// Uses a link up: the address that it proves.
    async fn take_link(&self, account: Uuid, token: &str) -> Result<String> {
        let sealed = sqlx::query_scalar!(
            r#"
            DELETE FROM proofs
            WHERE account_id = $1 AND kind = 'email' AND token_sha256 = $2 AND expires_at > $3
            RETURNING target_sealed
            "#,
            account,
            tokens::hash(token),
            self.clock.now(),
        )
        .fetch_optional(self.log.pool())
        .await?;
        let sealed = sealed.ok_or(AppError::NotFound)?;
        self.revealed(&sealed, &Kind::Email.place(account)).await?.ok_or(AppError::NotFound)
    }

    async fn code_mac(&self, account: Uuid, kind: Kind, code: &str) -> Result<Vec<u8>> {
        let text = format!("{account}|{}|{code}", kind.name());
        Ok(self.keyring.blind_index(PLATFORM, "proof.code", text.as_bytes()).await?.to_vec())
    }
}

fn phone_place(account: Uuid) -> Place {
    Place::new(PLATFORM, "account", account, "phone")
}

/// Six digits, each code as likely as any other.
fn fresh_code() -> String {
    const CODES: u32 = 1_000_000;
    // Numbers above the last whole multiple are thrown away, or small codes would be likelier.
    const FAIR: u32 = u32::MAX - u32::MAX % CODES;
    loop {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).expect("the operating system has randomness");
        let number = u32::from_le_bytes(bytes);
        if number < FAIR {
            return format!("{:06}", number % CODES);
        }
    }
}

/// A telephone number as E.164 writes it: a plus and 8 to 15 digits. One that begins with a single zero is Iranian.
fn phone(text: &str) -> std::result::Result<String, &'static str> {
    const PROBLEM: &str = "must be a telephone number";
    let text = text.trim();
    if text.is_empty() {
        return Err("must not be empty");
    }
    let plain = |letter: char| letter.is_numeric() || matches!(letter, ' ' | '-' | '(' | ')');
    if !text.strip_prefix('+').unwrap_or(text).chars().all(plain) {
        return Err(PROBLEM);
    }
    let number = text.chars().filter_map(totp::digit).collect::<String>();
    let number = match (text.starts_with('+'), number.strip_prefix("00"), number.strip_prefix('0'))
    {
        (true, _, _) => number.clone(),
        (false, Some(rest), _) => rest.to_owned(),
        (false, None, Some(rest)) => format!("98{rest}"),
        (false, None, None) => return Err(PROBLEM),
    };
    if (8..=15).contains(&number.len()) && !number.starts_with('0') {
        Ok(format!("+{number}"))
    } else {
        Err(PROBLEM)
    }
}
