//! What the last action did, said once on the next page.

/// What the last action did, said once on the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A campaign was created.
    CampaignCreated,
    /// A change was saved.
    Saved,
    /// A bot's token was accepted and the bot is being connected.
    BotConnecting,
    /// A bot was disconnected.
    BotDisconnected,
    /// An answer was accepted and will be sent.
    ReplyQueued,
    /// The status of a conversation was changed.
    StatusChanged,
    /// A member was invited.
    MemberInvited,
    /// The viewer left a team.
    MemberLeft,
    /// A member was taken out of the team.
    MemberRemoved,
    /// An invitation was withdrawn.
    InvitationWithdrawn,
    /// A key was made by a form that came again; what it is was shown then.
    KeyMade,
    /// A key was revoked.
    KeyRevoked,
    /// A campaign will be deleted.
    DeletionRequested,
    /// A campaign stays after all.
    DeletionWithdrawn,
    /// The password was changed and other sessions ended.
    PasswordChanged,
    /// The password was set anew; the person logs in with it.
    Recovered,
    /// A code is under way.
    CodeSent,
    /// The address was proved.
    EmailProved,
    /// The telephone was proved.
    PhoneProved,
    /// The telephone was taken away.
    PhoneRemoved,
    /// The person logged out.
    LoggedOut,
    /// The session has ended.
    SessionEnded,
    /// A second factor works.
    FactorAdded,
    /// A second factor is gone.
    FactorRemoved,
    /// A second factor stays: it is the last one of an admin.
    FactorLast,
    /// A campaign demands a second factor.
    FactorDemanded,
    /// An account was closed.
    AccountSuspended,
    /// An account was opened again.
    AccountReactivated,
    /// The viewer became an admin, and logs in as one.
    AdminAppointed,
    /// The role was taken from an admin.
    AdminDismissed,
    /// All sessions of an account were ended.
    SessionsEnded,
    /// An admin looks no more as a member.
    ImpersonationEnded,
    /// Somebody came in with their last recovery code.
    CodesUsedUp,
    /// Another session was ended.
    SessionClosed,
    /// A login waited too long for its second factor.
    ChallengeOver,
    /// Whoever asked for a copy of the record has proved themselves, and may take it.
    CopyReady,
}

impl Notice {
    /// Every notice.
    pub const ALL: [Self; 36] = [
        Self::CampaignCreated,
        Self::Saved,
        Self::BotConnecting,
        Self::BotDisconnected,
        Self::ReplyQueued,
        Self::StatusChanged,
        Self::MemberInvited,
        Self::MemberLeft,
        Self::MemberRemoved,
        Self::InvitationWithdrawn,
        Self::KeyMade,
        Self::KeyRevoked,
        Self::DeletionRequested,
        Self::DeletionWithdrawn,
        Self::PasswordChanged,
        Self::Recovered,
        Self::CodeSent,
        Self::EmailProved,
        Self::PhoneProved,
        Self::PhoneRemoved,
        Self::LoggedOut,
        Self::SessionEnded,
        Self::FactorAdded,
        Self::FactorRemoved,
        Self::FactorLast,
        Self::FactorDemanded,
        Self::AccountSuspended,
        Self::AccountReactivated,
        Self::AdminAppointed,
        Self::AdminDismissed,
        Self::SessionsEnded,
        Self::ImpersonationEnded,
        Self::CodesUsedUp,
        Self::SessionClosed,
        Self::ChallengeOver,
        Self::CopyReady,
    ];

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::CampaignCreated => "notice-campaign-created",
            Self::Saved => "notice-saved",
            Self::BotConnecting => "notice-bot-connecting",
            Self::BotDisconnected => "notice-bot-disconnected",
            Self::ReplyQueued => "notice-reply-queued",
            Self::StatusChanged => "notice-status-changed",
            Self::MemberInvited => "notice-member-invited",
            Self::MemberLeft => "notice-member-left",
            Self::MemberRemoved => "notice-member-removed",
            Self::InvitationWithdrawn => "notice-invitation-withdrawn",
            Self::KeyMade => "notice-key-made",
            Self::KeyRevoked => "notice-key-revoked",
            Self::DeletionRequested => "notice-deletion-requested",
            Self::DeletionWithdrawn => "notice-deletion-withdrawn",
            Self::PasswordChanged => "notice-password-changed",
            Self::Recovered => "notice-recovered",
            Self::CodeSent => "notice-code-sent",
            Self::EmailProved => "notice-email-proved",
            Self::PhoneProved => "notice-phone-proved",
            Self::PhoneRemoved => "notice-phone-removed",
            Self::LoggedOut => "notice-logged-out",
            Self::SessionEnded => "notice-session-ended",
            Self::FactorAdded => "notice-factor-added",
            Self::FactorRemoved => "notice-factor-removed",
            Self::FactorLast => "notice-factor-last",
            Self::FactorDemanded => "notice-factor-demanded",
            Self::AccountSuspended => "notice-account-suspended",
            Self::AccountReactivated => "notice-account-reactivated",
            Self::AdminAppointed => "notice-admin-appointed",
            Self::AdminDismissed => "notice-admin-dismissed",
            Self::SessionsEnded => "notice-sessions-ended",
            Self::ImpersonationEnded => "notice-impersonation-ended",
            Self::CodesUsedUp => "notice-codes-used-up",
            Self::SessionClosed => "notice-session-closed",
            Self::ChallengeOver => "notice-challenge-over",
            Self::CopyReady => "notice-copy-ready",
        }
    }

    /// A short name for a cookie or a query: the last part of the text's key.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.key().trim_start_matches("notice-")
    }

    /// The notice of a code, or `None` when there is no such notice.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.code() == code)
    }
}
