//! Facts that lead to work here.

pub mod when_campaign_deleted_erase;
pub mod when_campaign_leaves_tell;
pub mod when_deletion_requested_delete;
pub mod when_maker_goes_revoke_keys;
pub mod when_subject_erased_forget;
