//! Whether an address or a telephone is theirs: a code of six digits, and for addresses a link.
//!
//! A code is good for five tries, and a newer one takes the older's place, at most once a minute and ten times a day.
//! Trying counts and judges in one statement, so that a hundred at once are worth as much as a hundred in turn.

mod telephone;

use identity_domain::AccountEvent;
use meydan_event_log::{ExecuteError, PLATFORM};
use meydan_keyring::{Place, Sealed};
use time::Duration;
use uuid::Uuid;

use self::telephone::phone;
use super::{AppError, Guest, Identity, Result, acts::Act, addresses::taken, email, quotas::Quota};
use crate::{
    letters::{Letter, Locale, Notice},
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

    /// What brings a code, and to an address the link of the token.
    fn letter(self, token: &Token, code: &str) -> Letter {
        let code = code.to_owned();
        match self {
            Self::Email => Letter::EmailProof { code, token: token.clone().into_text() },
            Self::Phone => Letter::PhoneProof { code },
        }
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
    /// Whether mail reaches people here.
    pub mailed: bool,
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
            mailed: self.post.mail.reaches_people(),
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

    /// Sends a code and a link to an address. Another address than the present one asks for the password, and of an
    /// account with a second factor for a fresh proof.
    ///
    /// # Errors
    ///
    /// `identity.password.wrong`, also when it was changed this moment; `identity.proof.needed`;
    /// `identity.proof.too_soon` within a minute, and after ten a day; [`AppError::NotFound`] when the session has
    /// ended.
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
        let hash = if target.eq_ignore_ascii_case(&profile.email) {
            None
        } else {
            self.fresh_factor((account, session)).await?;
            Some(self.confirm((account, session), password, guest).await?)
        };
        self.ask_proof((account, session), Kind::Email, (target, locale), hash.as_deref()).await
    }

    /// Sends a code to a telephone.
    ///
    /// # Errors
    ///
    /// [`AppError::Malformed`] for what is no number; `identity.proof.needed`; `identity.proof.too_soon` within a
    /// minute, and after ten a day.
    pub async fn ask_phone(
        &self,
        (account, session): (Uuid, Uuid),
        typed: &str,
        locale: Locale,
    ) -> Result<()> {
        let target = phone(typed)
            .map_err(|problem| AppError::Malformed(vec![("phone", problem.to_owned())]))?;
        self.fresh((account, session)).await?;
        self.ask_proof((account, session), Kind::Phone, (target, locale), None).await
    }

    /// Sends a code to a target, for the holder of a session who has shown the password where there is its `hash`.
    async fn ask_proof(
        &self,
        (account, session): (Uuid, Uuid),
        kind: Kind,
        (target, locale): (String, Locale),
        hash: Option<&str>,
    ) -> Result<()> {
        let (token, code) = (Token::fresh(), fresh_code());
        let letter = kind.letter(&token, &code);
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let sealed: Sealed<String> = sealer.seal(&kind.place(account), &target);
        let code = self.code_mac(account, kind, &code).await?;
        let letter = self.letter((Uuid::now_v7(), account), (target, locale), letter).await?;
        let per_day = self.counted(PER_DAY, &account.to_string()).await?;
        let mut act = self.act_of(account).await?;
        act.confirmed((account, session), hash).await?;
        let now = act.at;
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
        .execute(act.db())
        .await?;
        if kept.rows_affected() == 0 || !self.within(act.db(), &per_day).await? {
            return Err(AppError::Refused(
                "identity.proof.too_soon",
                "wait before asking for another",
            ));
        }
        act.letter(&letter).await?;
        act.done().await?;
        Ok(())
    }

    /// Proves an address. When it is another than before, it takes the old one's place, which is told.
    ///
    /// # Errors
    ///
    /// `identity.proof.wrong` for a code that is wrong, used, too old or tried too often; [`AppError::NotFound`] for
    /// such a link, and for another account's; `identity.email.taken` when somebody else has proved the address.
    pub async fn prove_email(&self, account: Uuid, proof: &AddressProof) -> Result<i64> {
        let shown = match proof {
            AddressProof::Code(code) => self.shown_code(account, Kind::Email, code).await?,
            AddressProof::Token(token) => self.shown_link(account, token).await?,
        };
        let (row, profile) = self.account(account).await?;
        let moves = !shown.target.eq_ignore_ascii_case(&profile.email);
        let letter = if moves && !profile.email.is_empty() {
            Some(self.notice_to(&row, profile.email, Notice::EmailChanged).await?)
        } else {
            None
        };
        let address = self.proof_of(account, &shown.target).await?;
        let mut act = self.act_of(account).await?;
        act.use_proof(account, Kind::Email, shown).await?;
        act.prove(account, address).await?;
        act.letters(letter.as_slice()).await?;
        let done = match act.done().await {
            Err(ExecuteError::KeyTaken) => return Err(taken()),
            done => done?,
        };
        self.show(done.position).await;
        Ok(done.position)
    }

    /// Proves a telephone.
    ///
    /// # Errors
    ///
    /// `identity.proof.wrong` for a code that is wrong, used, too old or tried too often.
    pub async fn prove_phone(&self, account: Uuid, code: &str) -> Result<i64> {
        let shown = self.shown_code(account, Kind::Phone, code).await?;
        let (before, profile) = self.account(account).await?;
        let letter = match before.phone_sealed {
            Some(_) => Some(self.notice_to(&before, profile.email, Notice::PhoneChanged).await?),
            None => None,
        };
        let sealer = self.keyring.sealer(PLATFORM, account).await?;
        let phone = sealer.seal(&phone_place(account), &shown.target);
        let mut act = self.act_of(account).await?;
        let at = act.at;
        act.use_proof(account, Kind::Phone, shown).await?;
        act.record(account, AccountEvent::PhoneVerified { phone, at });
        act.letters(letter.as_slice()).await?;
        let done = act.done().await?;
        self.show(done.position).await;
        Ok(done.position)
    }

    /// Takes the telephone away from an account, and a code that is under way for another one. The holder is told.
    ///
    /// # Errors
    ///
    /// `identity.proof.needed`; [`AppError::NotFound`] when there is no telephone.
    pub async fn remove_phone(&self, (account, session): (Uuid, Uuid)) -> Result<i64> {
        self.fresh((account, session)).await?;
        let (row, profile) = self.account(account).await?;
        if row.phone_sealed.is_none() {
            return Err(AppError::NotFound);
        }
        let letter = self.notice_to(&row, profile.email, Notice::PhoneRemoved).await?;
        let mut act = self.act_of(account).await?;
        let at = act.at;
        sqlx::query!("DELETE FROM proofs WHERE account_id = $1 AND kind = 'phone'", account)
            .execute(act.db())
            .await?;
        act.record(account, AccountEvent::PhoneRemoved { at });
        act.letter(&letter).await?;
        let done = act.done().await?;
        self.show(done.position).await;
        Ok(done.position)
    }

    /// Judges a code: what it proves. A wrong one costs a try, and so does a right one that is not used up after all.
    async fn shown_code(&self, account: Uuid, kind: Kind, code: &str) -> Result<Shown> {
        let wrong = AppError::Refused("identity.proof.wrong", "the code is wrong or too old");
        let code = code.chars().filter_map(totp::digit).collect::<String>();
        let mac = self.code_mac(account, kind, &code).await?;
        let counted = sqlx::query!(
            r#"
            UPDATE proofs SET tries = tries + 1
            WHERE account_id = $1 AND kind = $2 AND expires_at > $3 AND tries < $4
            RETURNING code_mac = $5 AS "right!", token_sha256, target_sealed
            "#,
            account,
            kind.name(),
            self.clock.now(),
            TRIES,
            mac,
        )
        .fetch_optional(self.log.pool())
        .await?;
        let Some(counted) = counted.filter(|counted| counted.right) else { return Err(wrong) };
        let target = self.revealed(&counted.target_sealed, &kind.place(account)).await?;
        let target = target.ok_or(AppError::NotFound)?;
        Ok(Shown { target, token_sha256: counted.token_sha256, used: wrong })
    }

    /// The address that a link proves.
    async fn shown_link(&self, account: Uuid, token: &str) -> Result<Shown> {
        let token_sha256 = tokens::hash(token);
        let sealed = sqlx::query_scalar!(
            r#"
            SELECT target_sealed FROM proofs
            WHERE account_id = $1 AND kind = 'email' AND token_sha256 = $2 AND expires_at > $3
            "#,
            account,
            token_sha256,
            self.clock.now(),
        )
        .fetch_optional(self.log.pool())
        .await?;
        let sealed = sealed.ok_or(AppError::NotFound)?;
        let target = self.revealed(&sealed, &Kind::Email.place(account)).await?;
        let target = target.ok_or(AppError::NotFound)?;
        Ok(Shown { target, token_sha256, used: AppError::NotFound })
    }

    async fn code_mac(&self, account: Uuid, kind: Kind, code: &str) -> Result<Vec<u8>> {
        let text = format!("{account}|{}|{code}", kind.name());
        Ok(self.keyring.blind_index(PLATFORM, "proof.code", text.as_bytes()).await?.to_vec())
    }
}

/// A code or a link that is right, and still has to be used up.
struct Shown {
    /// What it proves.
    target: String,
    token_sha256: Vec<u8>,
    /// What is said when it was used.
    used: AppError,
}

impl Act<'_> {
    /// Uses a code or a link up. Of several at once, one takes the row away.
    async fn use_proof(&mut self, account: Uuid, kind: Kind, shown: Shown) -> Result<()> {
        let taken = sqlx::query!(
            "DELETE FROM proofs WHERE account_id = $1 AND kind = $2 AND token_sha256 = $3",
            account,
            kind.name(),
            shown.token_sha256,
        )
        .execute(self.db())
        .await?;
        if taken.rows_affected() == 1 { Ok(()) } else { Err(shown.used) }
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
