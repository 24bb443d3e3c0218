//! Facts of other contexts that lead to commands here.

pub mod when_reply_settled_record;
pub mod when_subject_erased_forget;
