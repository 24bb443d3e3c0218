//! What the hub tells citizens by itself, in the language of the campaign.

/// Words of the hub's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// The campaign takes nothing for a while, in Persian.
    PausedFa,
    /// The same in English.
    PausedEn,
    /// The campaign is over, in Persian.
    ClosedFa,
    /// The same in English.
    ClosedEn,
}

impl Own {
    const ALL: [Self; 4] = [Self::PausedFa, Self::PausedEn, Self::ClosedFa, Self::ClosedEn];

    /// What the bot of a campaign says that does not run: for a while, or because it is `over`.
    #[must_use]
    pub fn of(over: bool, locale: &str) -> Self {
        match (over, locale) {
            (false, "en") => Self::PausedEn,
            (false, _) => Self::PausedFa,
            (true, "en") => Self::ClosedEn,
            (true, _) => Self::ClosedFa,
        }
    }

    /// Name in the ledger.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::PausedFa => "paused-fa",
            Self::PausedEn => "paused-en",
            Self::ClosedFa => "closed-fa",
            Self::ClosedEn => "closed-en",
        }
    }

    /// The words of a name in the ledger.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.name() == name)
    }

    /// What it says.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::PausedFa => {
                "این ستاد فعلاً پیام نمی‌گیرد و پیام شما به دست آن نرسید. لطفاً چند روز دیگر دوباره بنویسید."
            }
            Self::PausedEn => {
                "This campaign takes no messages for now, and yours did not reach it. Please write again in a few days."
            }
            Self::ClosedFa => {
                "این ستاد به کار خود پایان داده است و دیگر پیام نمی‌گیرد. پیام شما به دست آن نرسید."
            }
            Self::ClosedEn => {
                "This campaign has closed and takes no messages any more. Yours did not reach it."
            }
        }
    }
}
