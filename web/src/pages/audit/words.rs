//! Events, targets and their words in the panel's languages.

use crate::{pages::team::permission_key, shell::Shell};

/// Every event that is recorded, with the key of its text.
pub const ACTIONS: &[(&str, &str)] = &[
    ("account.registered", "act-account-registered"),
    ("account.password_set", "act-account-password-set"),
    ("account.logged_in", "act-account-logged-in"),
    ("account.logged_out", "act-account-logged-out"),
    ("account.session_expired", "act-account-session-expired"),
    ("account.log_in_failed", "act-account-log-in-failed"),
    ("account.locked", "act-account-locked"),
    ("account.factor_locked", "act-account-factor-locked"),
    ("account.suspended", "act-account-suspended"),
    ("account.reactivated", "act-account-reactivated"),
    ("account.admin_invited", "act-account-admin-invited"),
    ("account.admin_invitation_withdrawn", "act-account-admin-invitation-withdrawn"),
    ("account.admin_appointed", "act-account-admin-appointed"),
    ("account.admin_dismissed", "act-account-admin-dismissed"),
    ("account.impersonated", "act-account-impersonated"),
    ("account.looked_at", "act-looked-at"),
    ("account.impersonation_ended", "act-account-impersonation-ended"),
    ("account.recovered", "act-account-recovered"),
    ("account.code_replayed", "act-account-code-replayed"),
    ("account.challenged", "act-account-challenged"),
    ("account.proved_again", "act-account-proved-again"),
    ("account.factor_added", "act-account-factor-added"),
    ("account.factor_removed", "act-account-factor-removed"),
    ("account.passkey_doubted", "act-account-passkey-doubted"),
    ("account.recovery_codes_made", "act-account-recovery-codes-made"),
    ("account.email_verified", "act-account-email-verified"),
    ("account.email_lost", "act-account-email-lost"),
    ("account.phone_verified", "act-account-phone-verified"),
    ("account.phone_removed", "act-account-phone-removed"),
    ("account.preferences_set", "act-account-preferences-set"),
    ("campaign.created", "act-campaign-created"),
    ("campaign.edited", "act-campaign-edited"),
    ("campaign.status_changed", "act-campaign-status-changed"),
    ("campaign.factor_demanded", "act-campaign-factor-demanded"),
    ("campaign.factor_waived", "act-campaign-factor-waived"),
    ("campaign.deletion_requested", "act-campaign-deletion-requested"),
    ("campaign.deletion_withdrawn", "act-campaign-deletion-withdrawn"),
    ("campaign.deleted", "act-campaign-deleted"),
    ("member.invited", "act-member-invited"),
    ("member.joined", "act-member-joined"),
    ("member.role_changed", "act-member-role-changed"),
    ("member.permissions_changed", "act-member-permissions-changed"),
    ("member.deactivated", "act-member-deactivated"),
    ("member.reactivated", "act-member-reactivated"),
    ("member.impersonated", "act-member-impersonated"),
    ("member.looked_at", "act-looked-at"),
    ("member.removed", "act-member-removed"),
    ("member.invitation_renewed", "act-member-invitation-renewed"),
    ("member.invitation_withdrawn", "act-member-invitation-withdrawn"),
    ("team.owners_changed", "act-team-owners-changed"),
    ("api_key.created", "act-api-key-created"),
    ("api_key.revoked", "act-api-key-revoked"),
    ("network.closed", "act-network-closed"),
    ("subject.erased", "act-subject-erased"),
    ("record.opened", "act-record-opened"),
    ("record.exported", "act-record-exported"),
    ("operation.checkpoints_let_go", "act-operation-checkpoints-let-go"),
    ("operation.first_link_made", "act-operation-first-link-made"),
    ("operation.keys_rotated", "act-operation-keys-rotated"),
    ("operation.log_repaired", "act-operation-log-repaired"),
    ("operation.stream_discarded", "act-operation-stream-discarded"),
    ("operation.tables_exchanged", "act-operation-tables-exchanged"),
    ("bot.token_given", "act-bot-token-given"),
    ("bot.identified", "act-bot-identified"),
    ("bot.went_live", "act-bot-went-live"),
    ("bot.failed", "act-bot-failed"),
    ("bot.troubled", "act-bot-troubled"),
    ("bot.recovered", "act-bot-recovered"),
    ("bot.revoked", "act-bot-revoked"),
    ("bot.check_asked", "act-bot-check-asked"),
    ("bot.disconnected", "act-bot-disconnected"),
    ("bot.left", "act-bot-left"),
    ("dialogue.started", "act-dialogue-started"),
    ("dialogue.citizen_acted", "act-dialogue-citizen-acted"),
    ("dialogue.reply_sent", "act-dialogue-reply-sent"),
    ("dialogue.reply_failed", "act-dialogue-reply-failed"),
    ("dialogue.reply_in_doubt", "act-dialogue-reply-in-doubt"),
    ("citizen.met", "act-citizen-met"),
    ("citizen.changed", "act-citizen-changed"),
    ("citizen.phone_shared", "act-citizen-phone-shared"),
    ("citizen.came_from", "act-citizen-came-from"),
    ("citizen.blocked_bot", "act-citizen-blocked-bot"),
    ("citizen.unblocked_bot", "act-citizen-unblocked-bot"),
    ("ticket.opened", "act-ticket-opened"),
    ("ticket.message_received", "act-ticket-message-received"),
    ("ticket.message_edited", "act-ticket-message-edited"),
    ("ticket.reopened", "act-ticket-reopened"),
    ("ticket.status_changed", "act-ticket-status-changed"),
    ("ticket.reply_written", "act-ticket-reply-written"),
    ("ticket.reply_sent", "act-ticket-reply-sent"),
    ("ticket.reply_failed", "act-ticket-reply-failed"),
    ("ticket.reply_in_doubt", "act-ticket-reply-in-doubt"),
];

/// What things are done to, with the key of its text, in the order in which one looks for them.
pub const AREAS: &[(&str, &str)] = &[
    ("ticket", "target-ticket"),
    ("citizen", "target-citizen"),
    ("dialogue", "target-dialogue"),
    ("bot", "target-bot"),
    ("member", "target-member"),
    ("team", "target-team"),
    ("api_key", "target-api-key"),
    ("campaign", "target-campaign"),
    ("account", "target-account"),
    ("network", "target-network"),
    ("subject", "target-subject"),
    ("record", "target-record"),
    ("operation", "target-operation"),
];

/// Words of payloads: the name of the field (empty for any), the word, and the key of its text.
const WORDS: &[(&str, &str, &str)] = &[
    ("role", "owner", "role-owner"),
    ("role", "staff", "role-staff"),
    ("role", "manager", "role-manager"),
    ("role", "social_media", "role-social-media"),
    ("role", "content", "role-content"),
    ("role", "support", "role-support"),
    ("admin", "true", "detail-admin"),
    ("kind", "text", "kind-text"),
    ("kind", "photo", "kind-photo"),
    ("kind", "voice", "kind-voice"),
    ("kind", "video", "kind-video"),
    ("kind", "audio", "kind-audio"),
    ("kind", "document", "kind-document"),
    ("kind", "location", "kind-location"),
    ("kind", "contact", "kind-contact"),
    ("kind", "sticker", "kind-sticker"),
    ("mode", "webhook", "detail-webhook"),
    ("mode", "polling", "detail-polling"),
    ("did", "start", "did-start"),
    ("did", "write", "did-write"),
    ("did", "edit", "did-edit"),
    ("did", "press", "did-press"),
    ("did", "block", "did-block"),
    ("did", "unblock", "did-unblock"),
    ("failure", "blocked", "failure-blocked"),
    ("failure", "chat_not_found", "failure-chat-not-found"),
    ("failure", "bot_revoked", "failure-bot-revoked"),
    ("failure", "rejected", "failure-rejected"),
    ("failure", "gave_up", "failure-gave-up"),
    ("problem", "wrong_token", "detail-wrong-token"),
    ("problem", "unreachable", "detail-unreachable"),
    ("problem", "used_elsewhere", "detail-used-elsewhere"),
    ("problem", "webhook_refused", "detail-webhook-refused"),
    ("page", "home", "page-home"),
    ("page", "inbox", "page-inbox"),
    ("page", "inbox.number", "page-ticket"),
    ("page", "files.message", "page-file"),
    ("page", "team", "page-team"),
    ("page", "team.member", "page-member"),
    ("page", "team.permissions", "page-permissions"),
    ("page", "audit", "page-audit"),
    ("page", "audit.export.csv", "page-audit-export"),
    ("page", "audit.request", "page-audit-request"),
    ("page", "security", "page-security"),
    ("kind", "identity", "log-identity"),
    ("kind", "crm", "log-crm"),
    ("kind", "bot_hub", "log-bot-hub"),
    ("", "new", "status-new"),
    ("", "in_progress", "status-in-progress"),
    ("", "waiting", "status-waiting"),
    ("", "resolved", "status-resolved"),
    ("", "closed", "status-closed"),
    ("", "draft", "campaign-status-draft"),
    ("", "active", "campaign-status-active"),
    ("", "suspended", "campaign-status-suspended"),
    ("", "archived", "campaign-status-archived"),
];

/// The key of the text of a page that somebody opened.
#[must_use]
pub fn page_key(page: &str) -> Option<&'static str> {
    let found = WORDS.iter().find(|(field, word, _)| *field == "page" && *word == page);
    found.map(|(_, _, key)| *key)
}

/// The key of an event's text.
pub(super) fn action(event: &str) -> Option<&'static str> {
    ACTIONS.iter().find(|(name, _)| *name == event).map(|(_, key)| *key)
}

/// The key of the text of what something was done to.
pub(super) fn target(kind: &str) -> Option<&'static str> {
    AREAS.iter().find(|(name, _)| *name == kind).map(|(_, key)| *key)
}

/// What goes with an event: from what to what, or its words one after the other. Ids are left out.
pub(super) fn details(shell: &Shell, details: &[(String, String)]) -> Option<String> {
    let word = |name: &str, value: &str| {
        let known = WORDS
            .iter()
            .find(|(field, word, _)| *word == value && (*field == name || field.is_empty()));
        known.map(|(_, _, key)| shell.t(key))
    };
    let of = |wanted: &str| {
        let found = details.iter().find(|(name, _)| name == wanted);
        found.map(|(name, value)| word(name, value).unwrap_or_else(|| value.clone()))
    };
    if let (Some(from), Some(to)) = (of("from"), of("to")) {
        let pieces = [("from", from.into()), ("to", to.into())];
        return Some(shell.with("detail-from-to", &pieces));
    }
    let permission =
        |key: &str, name: &str| shell.s(key, "permission", shell.t(&permission_key(name)));
    let told = |(name, value): &(String, String)| match name.as_str() {
        "slug" => Some(value.clone()),
        "granted" => Some(permission("detail-granted", value)),
        "denied" => Some(permission("detail-denied", value)),
        "permissions" => Some(shell.t(&permission_key(value))),
        _ => word(name, value),
    };
    let told: Vec<_> = details.iter().filter_map(told).collect();
    (!told.is_empty()).then(|| told.join(" · "))
}
