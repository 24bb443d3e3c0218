//! How a person is erased, in every context, with a certificate in the end.
//!
//! 1. [`Eraser::erase`] records the fact `subject.erased` in the log of identity and destroys the keys.
//! 2. Each context hears the fact ([`Forgetting`]): it destroys the keys, should nobody have done so yet,
//!    records the fact in its own log, waits until its own projection has let go of the person's rows, and
//!    acknowledges in the ledger beside the keys.
//! 3. [`Eraser::certify`] waits for all of them and signs what was destroyed, when, and by whose wish.
//!
//! Each step may be repeated, so whoever is killed in between is completed by the next run, and from the
//! first fact on by the contexts themselves. A context's own fact keeps its tables the same however often
//! they are grown again from its log.

mod certificate;
mod eraser;
mod forgetting;
mod subject;

pub use self::{
    certificate::{BadCertificate, BadCertificateKey, Certificate, CertificateKey, Statement},
    eraser::{EraseError, Eraser},
    forgetting::Forgetting,
    subject::{Subject, SubjectCommand, SubjectEvent},
};

/// The context whose log says first that a person is erased.
pub const OWNER: &str = "identity";

/// Every context that keeps something of people, and so has to forget them.
pub const CONTEXTS: [&str; 3] = ["bot_hub", "crm", "identity"];
