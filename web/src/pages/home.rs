//! The candidate's home: what needs them now, the figures, and the last conversations.

use askama::Template;
use fluent_bundle::FluentValue;
use time::{Date, OffsetDateTime};

use super::{
    bot::BotState,
    inbox::{Filter, TicketRow},
};
use crate::{
    chart::{Sparkline, Trend},
    format,
    shell::Shell,
};

/// The figures of one day, in the campaign's time zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Day {
    /// The day.
    pub date: Date,
    /// Conversations opened.
    pub tickets: u64,
    /// Citizens who wrote for the first time.
    pub new_citizens: u64,
    /// Answers written.
    pub answers: u64,
    /// Median minutes to the first answer; `None` when nothing was answered.
    pub first_response_minutes: Option<f64>,
}

/// The figures of a campaign.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Conversations whose last word is the citizen's.
    pub unanswered: u64,
    /// Since when the oldest of them waits.
    pub oldest_waiting: Option<OffsetDateTime>,
    /// Conversations with an answer that did not arrive.
    pub undelivered: u64,
    /// Citizens ever.
    pub citizens: u64,
    /// Conversations ever.
    pub tickets: u64,
    /// Answers ever.
    pub answers: u64,
    /// The last days, oldest first, the last being today. 14 make the comparisons complete.
    pub days: Vec<Day>,
    /// Median minutes to the first answer over the last 7 days.
    pub first_response_minutes: Option<f64>,
    /// The same over the 7 days before.
    pub first_response_minutes_before: Option<f64>,
}

/// What is done of the first steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four steps, each done or not")]
pub struct Setup {
    /// The bot has been connected.
    pub bot_connected: bool,
    /// A citizen has written.
    pub first_message: bool,
    /// Somebody else is in the team or invited.
    pub team_invited: bool,
    /// An answer has been sent.
    pub first_answer: bool,
}

impl Setup {
    /// How many of the four steps are done.
    #[must_use]
    pub fn done(&self) -> u64 {
        [self.bot_connected, self.first_message, self.team_invited, self.first_answer]
            .into_iter()
            .map(u64::from)
            .sum()
    }
}

/// A figure with its change and its course.
pub(crate) struct Kpi {
    pub(crate) label: String,
    pub(crate) value: String,
    pub(crate) unit: String,
    pub(crate) href: String,
    pub(crate) icon: &'static str,
    /// Said when there is nothing to compare with.
    pub(crate) note: String,
    pub(crate) trend: Option<Trend>,
    pub(crate) spark: Option<Sparkline>,
}

/// The part of the home that is fetched again: `GET /c/{slug}/figures`.
#[derive(Debug, Clone, Template)]
#[template(path = "fragments/figures.html")]
pub struct FiguresFragment {
    /// What pages share.
    pub shell: Shell,
    /// The campaign.
    pub slug: String,
    /// The figures.
    pub figures: Figures,
    /// The last conversations, the newest first; about seven.
    pub tickets: Vec<TicketRow>,
}

/// `GET /c/{slug}`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/home.html")]
pub struct HomePage {
    /// What pages share.
    pub shell: Shell,
    /// The campaign.
    pub slug: String,
    /// The figures.
    pub figures: Figures,
    /// The last conversations, the newest first; about seven.
    pub tickets: Vec<TicketRow>,
    /// The bot; `None` when there is none.
    pub bot: Option<BotState>,
    /// The bot's username without the `@`; empty when it is not known.
    pub bot_username: String,
    /// The first steps.
    pub setup: Setup,
}

impl HomePage {
    fn live(&self) -> FiguresFragment {
        FiguresFragment {
            shell: self.shell.clone(),
            slug: self.slug.clone(),
            figures: self.figures.clone(),
            tickets: self.tickets.clone(),
        }
    }
}

impl FiguresFragment {
    fn href(&self, filter: Filter) -> String {
        filter.href(&self.slug)
    }

    fn series(&self, of: impl Fn(&Day) -> Option<f64>) -> Vec<(time::Date, Option<f64>)> {
        self.figures.days.iter().map(|day| (day.date, of(day))).collect()
    }

    fn kpis(&self) -> Vec<Kpi> {
        vec![self.new_tickets(), self.unanswered(), self.first_response(), self.citizens()]
    }

    fn new_tickets(&self) -> Kpi {
        let label = self.shell.t("kpi-new-tickets");
        let days = self.series(|day| Some(to_f64(day.tickets)));
        let (week, before) = weeks(&days);
        Kpi {
            value: format::decimal(self.shell.locale, week),
            unit: String::new(),
            href: self.href(Filter::All),
            icon: "message-plus",
            note: self.shell.t("kpi-no-comparison"),
            trend: before.map(|before| Trend::count(&self.shell, week, before)),
            spark: Sparkline::of(&self.shell, &label, &days),
            label,
        }
    }

    fn unanswered(&self) -> Kpi {
        let label = self.shell.t("kpi-unanswered");
        Kpi {
            value: self.shell.count(self.figures.unanswered),
            unit: String::new(),
            href: self.href(Filter::Unanswered),
            icon: "message-question",
            note: match self.figures.oldest_waiting {
                Some(oldest) => self.shell.s("kpi-oldest", "ago", self.shell.ago_text(oldest)),
                None => self.shell.t("kpi-none-waiting"),
            },
            trend: None,
            spark: None,
            label,
        }
    }

    fn first_response(&self) -> Kpi {
        let label = self.shell.t("kpi-first-response");
        let days = self.series(|day| day.first_response_minutes);
        let (now, before) =
            (self.figures.first_response_minutes, self.figures.first_response_minutes_before);
        Kpi {
            value: now.map_or_else(
                || "—".to_owned(),
                |minutes| format::decimal(self.shell.locale, minutes.round()),
            ),
            unit: now.map(|_| self.shell.t("unit-minutes")).unwrap_or_default(),
            href: self.href(Filter::All),
            icon: "clock-bolt",
            note: self.shell.t("kpi-no-comparison"),
            trend: now.zip(before).map(|(now, before)| Trend::minutes(&self.shell, now, before)),
            spark: Sparkline::of(&self.shell, &label, &days),
            label,
        }
    }

    fn citizens(&self) -> Kpi {
        let label = self.shell.t("kpi-citizens");
        let days = self.series(|day| Some(to_f64(day.new_citizens)));
        let (week, _) = weeks(&days);
        let more = (week > 0.0).then(|| Trend::more(&self.shell, week));
        Kpi {
            value: self.shell.count(self.figures.citizens),
            unit: String::new(),
            href: self.href(Filter::All),
            icon: "users",
            note: self.shell.t("kpi-none-new"),
            trend: more,
            spark: Sparkline::of(&self.shell, &label, &days),
            label,
        }
    }

    fn oldest_text(&self) -> Option<String> {
        let oldest = self.figures.oldest_waiting?;
        let ago = self.shell.ago_text(oldest);
        Some(self.shell.with("needs-oldest", &[("ago", FluentValue::from(ago))]))
    }
}

/// The sum of the last seven days, and of the seven before when all of them are known.
fn weeks(days: &[(Date, Option<f64>)]) -> (f64, Option<f64>) {
    let sum = |days: &[(Date, Option<f64>)]| {
        days.iter().filter_map(|(_, value)| *value).fold(0.0, |sum, value| sum + value)
    };
    let recent = days.len().saturating_sub(7);
    let before = (recent >= 7).then(|| sum(&days[recent - 7..recent]));
    (sum(&days[recent..]), before)
}

#[expect(clippy::cast_precision_loss, reason = "daily counts are far below 2^52")]
const fn to_f64(count: u64) -> f64 {
    count as f64
}

super::renders!(HomePage, FiguresFragment);
