//! Facts that lead to commands elsewhere, or to work here.

pub mod when_campaign_changes_follow;
pub mod when_citizen_acted_tell_crm;
pub mod when_reply_written_send;
pub mod when_subject_erased_forget;
