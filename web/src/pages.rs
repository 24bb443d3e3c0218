//! Every page as a struct, and the fragments that are fetched again when something changes.

pub mod account;
pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod bot;
pub mod campaigns;
pub mod contact;
pub mod entry;
pub mod error;
pub mod home;
pub mod inbox;
pub mod recover;
pub mod security;
pub mod stopped;
pub mod team;
pub mod watch;

/// Gives a template an infallible `render`.
macro_rules! renders {
    ($($page:ty),+ $(,)?) => {$(
        impl $page {
            /// The HTML.
            #[must_use]
            pub fn render(&self) -> String {
                askama::Template::render(self).expect("writing to a string does not fail")
            }
        }
    )+};
}
pub(crate) use renders;
