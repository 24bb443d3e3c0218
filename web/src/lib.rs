//! The panel's pages: plain structs in, HTML out.
//!
//! Nothing here touches a network, a database or a clock. The gateway fills a page's struct and
//! calls `render`; the structs' fields are the whole contract. [`samples`] fills every page with
//! invented people for tests and screenshots.

mod chart;
mod format;
mod regions;
mod texts;
mod zones;

pub mod assets;
pub mod form;
pub mod locale;
pub mod notice;
pub mod pages;
pub mod samples;
pub mod shell;

pub use form::{Problem, Problems};
pub use format::Zone;
pub use locale::{Locale, Theme};
pub use notice::Notice;
pub use shell::{CampaignLink, Impersonation, Nav, Shell, Viewer};
