//! Facts that lead to work here.

pub mod when_subject_erased_forget;
