//! Small charts drawn on the server, readable by screen readers and without a script.

use std::fmt::Write as _;

use fluent_bundle::FluentValue;
use jiff::civil;
use time::Date;

use crate::{
    format::{self, Detail},
    shell::Shell,
};

const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 32.0;
const MARGIN: f64 = 3.0;

/// The course of a figure over some days. Time runs in the direction of reading.
pub(crate) struct Sparkline {
    /// Points of the line, for `points`.
    pub(crate) line: String,
    /// The same closed along the bottom, for the tinted area.
    pub(crate) area: String,
    /// What a screen reader says first.
    pub(crate) title: String,
    /// First, highest and last value in words.
    pub(crate) description: String,
}

impl Sparkline {
    /// `None` when fewer than two days have a value.
    pub(crate) fn of(shell: &Shell, label: &str, days: &[(Date, Option<f64>)]) -> Option<Self> {
        let known: Vec<_> = days
            .iter()
            .enumerate()
            .filter_map(|(index, (day, value))| value.map(|value| (index, *day, value)))
            .collect();
        let (first, last) = (known.first()?, known.last()?);
        let high = known.iter().max_by(|a, b| a.2.total_cmp(&b.2))?;
        if known.len() < 2 || high.2 <= 0.0 {
            return None;
        }
        let steps = f64::from(u32::try_from(days.len() - 1).ok()?);
        let rtl = shell.locale.direction() == "rtl";
        let place = |index: usize, value: f64| {
            let along = f64::from(u32::try_from(index).unwrap_or_default()) / steps;
            let along = if rtl { 1.0 - along } else { along };
            let x = along * WIDTH;
            let y = HEIGHT - MARGIN - value / high.2 * (HEIGHT - 2.0 * MARGIN);
            (format!("{x:.1}"), format!("{y:.1}"))
        };
        let mut line = String::new();
        for (index, _, value) in &known {
            let (x, y) = place(*index, *value);
            write!(line, "{x},{y} ").expect("a string takes any text");
        }
        let (start, end) = (place(first.0, first.2), place(last.0, last.2));
        let area = format!("{},{HEIGHT} {line}{},{HEIGHT}", start.0, end.0);
        let say = |value: f64| FluentValue::from(format::decimal(shell.locale, value.round()));
        let description = shell.with(
            "spark-description",
            &[
                ("days", FluentValue::from(days.len() as u64)),
                ("high", say(high.2)),
                ("high_day", day_text(shell, high.1).into()),
                ("last", say(last.2)),
            ],
        );
        Some(Self { line, area, title: label.to_owned(), description })
    }
}

fn day_text(shell: &Shell, day: Date) -> String {
    let (year, month, of_month) = (day.year(), u8::from(day.month()), day.day());
    let day = i16::try_from(year)
        .ok()
        .and_then(|year| civil::Date::new(year, month.cast_signed(), of_month.cast_signed()).ok());
    day.map_or_else(String::new, |day| format::date(shell.locale, day, Detail::DayMonth))
}

/// A change against the period before, in words, with its direction and whether it is good.
pub(crate) struct Trend {
    /// The whole sentence.
    pub(crate) text: String,
    /// An icon for the direction.
    pub(crate) icon: &'static str,
    /// A class for the colour.
    pub(crate) tone: &'static str,
}

impl Trend {
    /// More or fewer of something that is neither good nor bad.
    pub(crate) fn count(shell: &Shell, now: f64, before: f64) -> Self {
        Self::compare(shell, now, before, ["trend-more", "trend-fewer"], ["tone-quiet"; 2])
    }

    /// Longer or shorter waiting.
    pub(crate) fn minutes(shell: &Shell, now: f64, before: f64) -> Self {
        let tones = ["tone-bad", "tone-good"];
        Self::compare(shell, now.round(), before.round(), ["trend-slower", "trend-faster"], tones)
    }

    /// So many more this week.
    pub(crate) fn more(shell: &Shell, more: f64) -> Self {
        let text = shell.with("trend-new-this-week", &[("count", FluentValue::from(more))]);
        Self { text, icon: "trending-up", tone: "tone-good" }
    }

    fn compare(
        shell: &Shell,
        now: f64,
        before: f64,
        keys: [&str; 2],
        tones: [&'static str; 2],
    ) -> Self {
        let change = now - before;
        if change.abs() < 0.5 {
            return Self { text: shell.t("trend-same"), icon: "minus", tone: "tone-quiet" };
        }
        let at = usize::from(change < 0.0);
        let amount = [("count", FluentValue::from(change.abs()))];
        let icon = ["trending-up", "trending-down"][at];
        Self { text: shell.with(keys[at], &amount), icon, tone: tones[at] }
    }
}
