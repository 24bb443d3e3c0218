//! What every page shares: language, theme, who is looking, and where they are.
//!
//! Templates ask the shell for words, numbers, dates, icons and addresses.

use std::borrow::Borrow;

use askama::filters::Safe;
use fluent_bundle::{FluentArgs, FluentValue};
use time::OffsetDateTime;

use crate::{
    assets,
    format::{self, Ago, Detail, Zone},
    locale::{Locale, Theme},
    notice::Notice,
    texts,
};

/// What every page shares.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Language of the page.
    pub locale: Locale,
    /// Colours of the page.
    pub theme: Theme,
    /// Where times are told.
    pub zone: Zone,
    /// The token of every form, masked for this response; empty where the browser keeps nothing that explains one.
    pub csrf: String,
    /// Who is logged in.
    pub viewer: Option<Viewer>,
    /// The campaign whose pages these are.
    pub campaign: Option<CampaignLink>,
    /// The parts of the campaign that the viewer may open, besides home and inbox.
    pub opens: Vec<Nav>,
    /// The part of the navigation that is marked as current.
    pub active: Nav,
    /// Conversations of the current campaign that wait for an answer.
    pub unread: u64,
    /// The moment of rendering.
    pub now: OffsetDateTime,
    /// What the last action did.
    pub notice: Option<Notice>,
    /// Whether this installation shows invented people.
    pub demo: bool,
    /// As whom an admin looks, if they do.
    pub impersonation: Option<Impersonation>,
    /// The position of the campaign's facts that this page shows; live updates go on from there.
    pub position: i64,
    /// Path and query of this page, to come back to after a change of language or theme.
    pub path: String,
}

/// As which member an admin looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impersonation {
    /// What the member is called.
    pub name: String,
    /// Minutes that are left.
    pub minutes: u64,
}

/// The person who is logged in.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// Their name.
    pub name: String,
    /// Whether they run the platform.
    pub is_admin: bool,
    /// The campaigns of which they are a member.
    pub campaigns: Vec<CampaignLink>,
}

/// A campaign, as far as a link to it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignLink {
    /// Its name in addresses.
    pub slug: String,
    /// The candidate's name.
    pub name: String,
}

/// Parts of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nav {
    /// None of them.
    #[default]
    None,
    /// The admin's list of campaigns.
    Campaigns,
    /// The campaign's home.
    Home,
    /// The inbox.
    Inbox,
    /// The team.
    Team,
    /// What happened.
    Audit,
    /// The keys of the campaign's own programs.
    ApiKeys,
    /// The admin's table of roles and permissions.
    Permissions,
    /// The admin's list of accounts.
    Accounts,
    /// What an admin watches for.
    Security,
    /// One's own account.
    Account,
}

/// Words.
impl Shell {
    /// The text of a key in the page's language.
    #[must_use]
    pub fn t(&self, key: &str) -> String {
        texts::text(self.locale, key, None)
    }

    /// The text of a key with `$count`.
    #[must_use]
    pub fn n(&self, key: &str, count: impl Borrow<u64>) -> String {
        let count = i64::try_from(*count.borrow()).unwrap_or(i64::MAX);
        self.with(key, &[("count", FluentValue::from(count))])
    }

    /// The text of a key with one named piece of text.
    #[must_use]
    pub fn s(&self, key: &str, name: &'static str, value: impl AsRef<str>) -> String {
        self.with(key, &[(name, FluentValue::from(value.as_ref()))])
    }

    pub(crate) fn with(&self, key: &str, pieces: &[(&'static str, FluentValue<'_>)]) -> String {
        let mut args = FluentArgs::new();
        for (name, value) in pieces {
            args.set(*name, value.clone());
        }
        texts::text(self.locale, key, Some(&args))
    }

    /// As whom an admin looks, and for how long still.
    pub(crate) fn impersonation_text(&self) -> Option<String> {
        let seen = self.impersonation.as_ref()?;
        let count = i64::try_from(seen.minutes).unwrap_or(i64::MAX);
        let pieces = [("name", seen.name.as_str().into()), ("count", count.into())];
        Some(self.with("impersonation-text", &pieces))
    }

    pub(crate) fn notice_text(&self) -> Option<String> {
        self.notice.map(|notice| self.t(notice.key()))
    }
}

/// Numbers and times.
impl Shell {
    /// A count with the page's digits and grouping.
    #[must_use]
    pub fn count(&self, number: impl Borrow<u64>) -> String {
        format::count(self.locale, *number.borrow())
    }

    /// The text with the page's digits.
    #[must_use]
    pub fn digits(&self, text: impl AsRef<str>) -> String {
        format::digits(self.locale, text.as_ref())
    }

    /// A ticket's number: digits without grouping.
    #[must_use]
    pub fn number(&self, number: impl Borrow<i64>) -> String {
        format::digits(self.locale, &number.borrow().to_string())
    }

    /// How long ago something was, in words.
    #[must_use]
    pub fn ago_text(&self, at: OffsetDateTime) -> String {
        let number = |count: i64| [("count", FluentValue::from(count))];
        match Ago::between(self.locale, &self.zone, at, self.now) {
            Ago::Now => self.t("ago-now"),
            Ago::Minutes(count) => self.with("ago-minutes", &number(count)),
            Ago::Hours(count) => self.with("ago-hours", &number(count)),
            Ago::Yesterday => self.t("ago-yesterday"),
            Ago::Days(count) => self.with("ago-days", &number(count)),
            Ago::ThisYear(day) => format::date(self.locale, day, Detail::DayMonth),
            Ago::Earlier(day) => format::date(self.locale, day, Detail::Full),
        }
    }

    /// A `<time>` that says how long ago, kept fresh by the browser.
    #[must_use]
    pub fn ago(&self, at: impl Borrow<OffsetDateTime>) -> Safe<String> {
        let at = *at.borrow();
        Safe(format!(
            r#"<time datetime="{}" title="{}" data-ago>{}</time>"#,
            format::machine(at),
            self.moment_text(at),
            self.ago_text(at),
        ))
    }

    /// A `<time>` with hours and minutes.
    #[must_use]
    pub fn clock(&self, at: impl Borrow<OffsetDateTime>) -> Safe<String> {
        let at = *at.borrow();
        let clock = format::clock(self.locale, &self.zone, at);
        Safe(format!(r#"<time datetime="{}">{clock}</time>"#, format::machine(at)))
    }

    /// A `<time>` with day, month and year.
    #[must_use]
    pub fn date(&self, at: impl Borrow<OffsetDateTime>) -> Safe<String> {
        let at = *at.borrow();
        let date = format::date(self.locale, self.zone.day(at), Detail::Full);
        Safe(format!(r#"<time datetime="{}">{date}</time>"#, format::machine(at)))
    }

    /// Day, month and year in UTC: of what is known by that day alone, and by no hour.
    #[must_use]
    pub fn day(&self, at: impl Borrow<OffsetDateTime>) -> String {
        let day = Zone::named("UTC").day(*at.borrow());
        format::date(self.locale, day, Detail::Full)
    }

    /// A `<time>` with day, hours and minutes.
    #[must_use]
    pub fn moment(&self, at: impl Borrow<OffsetDateTime>) -> Safe<String> {
        let at = *at.borrow();
        Safe(format!(r#"<time datetime="{}">{}</time>"#, format::machine(at), self.moment_text(at)))
    }

    /// The moment of rendering as weekday, day, month and year.
    #[must_use]
    pub fn today(&self) -> String {
        format::date(self.locale, self.zone.day(self.now), Detail::Weekday)
    }

    /// The moment of rendering for programs, so that a browser with a wrong clock is noticed.
    #[must_use]
    pub fn now_machine(&self) -> String {
        format::machine(self.now)
    }

    /// Day, hours and minutes.
    #[must_use]
    pub fn moment_text(&self, at: OffsetDateTime) -> String {
        let date = format::date(self.locale, self.zone.day(at), Detail::Full);
        let clock = format::clock(self.locale, &self.zone, at);
        self.with("moment", &[("date", date.into()), ("clock", clock.into())])
    }

    /// A size in bytes, in the largest fitting unit.
    #[must_use]
    pub fn size(&self, bytes: impl Borrow<u64>) -> String {
        let bytes = *bytes.borrow();
        let mega = 1_048_576;
        let (key, tenths) = if bytes >= mega {
            ("size-mb", bytes.saturating_mul(10) / mega)
        } else {
            ("size-kb", (bytes.saturating_mul(10) / 1024).max(1))
        };
        let rounded = format!("{}.{}", tenths / 10, tenths % 10);
        let number = rounded.parse().unwrap_or_default();
        self.s(key, "number", format::decimal(self.locale, number))
    }

    /// The length of a recording in minutes and seconds.
    #[must_use]
    pub fn length(&self, seconds: impl Borrow<u32>) -> String {
        format::length(self.locale, *seconds.borrow())
    }
}

/// Pieces of markup and addresses.
impl Shell {
    /// An icon of the sprite, hidden from screen readers: words stand beside it.
    #[must_use]
    pub fn icon(&self, name: &str) -> Safe<String> {
        let sprite = assets::asset("icons.svg");
        Safe(format!(
            r#"<svg class="icon" width="20" height="20" aria-hidden="true" focusable="false"><use href="{sprite}#{name}"/></svg>"#
        ))
    }

    /// An icon that points in the direction of reading, mirrored on right-to-left pages.
    #[must_use]
    pub fn arrow(&self, name: &str) -> Safe<String> {
        Safe(self.icon(name).0.replacen("class=\"icon\"", "class=\"icon icon-mirror\"", 1))
    }

    /// The address of an asset.
    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        assets::asset(name)
    }

    /// The address of the stylesheet for the page's direction.
    #[must_use]
    pub fn stylesheet(&self) -> String {
        assets::asset(self.stylesheet_name())
    }

    const fn stylesheet_name(&self) -> &'static str {
        match self.locale {
            Locale::Fa => "app-rtl.css",
            Locale::En => "app-ltr.css",
        }
    }

    /// The small stylesheet of entry pages, authorised by its hash.
    #[must_use]
    pub fn inline_style(&self) -> Option<Safe<String>> {
        let name = match self.locale {
            Locale::Fa => "entry-rtl.css",
            Locale::En => "entry-ltr.css",
        };
        assets::inline_style(name).map(|style| Safe(format!("<style>{style}</style>")))
    }

    /// Whether the assets are there.
    #[must_use]
    pub fn has_assets(&self) -> bool {
        assets::are_built()
    }

    /// Whether the viewer may open a part of the campaign.
    #[must_use]
    pub fn may_open(&self, nav: Nav) -> bool {
        self.opens.contains(&nav)
    }

    /// Whether a part of the navigation is the current one.
    #[must_use]
    pub fn is_active(&self, nav: Nav) -> bool {
        self.active == nav
    }

    /// Whether this page's path is `path`.
    #[must_use]
    pub fn is_at(&self, path: &str) -> bool {
        self.path.split('?').next() == Some(path)
    }

    /// The first letters of a name, for an avatar.
    #[must_use]
    pub fn initials(&self, name: &str) -> String {
        let first = |word: &str| word.chars().find(|letter| letter.is_alphabetic());
        let letters: Vec<char> = name.split_whitespace().filter_map(first).take(2).collect();
        // A zero-width non-joiner keeps Persian letters from joining into a syllable.
        letters.iter().map(char::to_string).collect::<Vec<_>>().join("\u{200c}")
    }

    /// One of six colours, always the same for the same text.
    #[must_use]
    pub fn hue(&self, text: &str) -> u32 {
        text.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % 6
    }
}
