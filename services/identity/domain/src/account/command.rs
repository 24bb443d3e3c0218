//! What may be asked of an account.

use meydan_keyring::Sealed;
use time::OffsetDateTime;

use super::{AccountEvent, Profile};

/// What may be asked of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountCommand {
    /// Begin it.
    Register {
        /// Who.
        profile: Sealed<Profile>,
        /// Platform staff.
        admin: bool,
        /// When.
        at: OffsetDateTime,
    },
    /// Close it, or open it again.
    Suspend {
        /// Whether it is closed.
        suspended: bool,
        /// When.
        at: OffsetDateTime,
    },
    /// Ask its holder to become an admin, once more if they were asked before.
    AskToAdminister {
        /// Who, as whoever asks says.
        said: Sealed<Profile>,
        /// When.
        at: OffsetDateTime,
    },
    /// Ask them no more.
    WithdrawAsking {
        /// When.
        at: OffsetDateTime,
    },
    /// Make its holder an admin, who was asked; or an admin a member like others.
    Administer {
        /// Whether they become one.
        admin: bool,
        /// When.
        at: OffsetDateTime,
    },
    /// Its holder asks something of somebody else, as an admin: nothing changes.
    StandAsAdmin,
    /// Note that its password was set.
    SetPassword {
        /// Whether it was judged as an admin's, of whom more is asked.
        by_admin: bool,
        /// When.
        at: OffsetDateTime,
    },
    /// Note what happened to it: what proves an account lies beside the log, and is judged there.
    Record(AccountEvent),
}
