//! Numbers, dates and times as people read them.
//!
//! Persian pages get Persian digits and Jalali dates, English ones ASCII digits and Gregorian
//! dates. Nothing here reads a clock: the caller says what `now` is.

use std::{cell::OnceCell, fmt::Write as _};

use icu::{
    calendar::{Date, Iso},
    datetime::{DateTimeFormatter, NoCalendarFormatter, fieldsets},
    decimal::{DecimalFormatter, input::Decimal, options::DecimalFormatterOptions},
    locale::{Locale as IcuLocale, locale},
};
use jiff::{
    Timestamp, Zoned, civil,
    tz::{Offset, TimeZone},
};
use time::OffsetDateTime;

use crate::locale::Locale;

/// The time zone in which a page tells times.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self::named("Asia/Tehran")
    }
}

impl Zone {
    /// The zone of an IANA name; an unknown name gives Iran's offset (+03:30, no summer time).
    #[must_use]
    pub fn named(name: &str) -> Self {
        const TEHRAN: Offset = Offset::constant(3);
        let half_past = TEHRAN.checked_add(jiff::SignedDuration::from_mins(30));
        let fallback = || TimeZone::fixed(half_past.unwrap_or(TEHRAN));
        Self::known(name).unwrap_or_else(|| Self(fallback()))
    }

    /// The zone of an IANA name; `None` for an unknown one.
    pub(crate) fn known(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// Its IANA name; empty for one that is known by its offset alone.
    pub(crate) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or_default()
    }

    /// Seconds by which its clocks are ahead of UTC at an instant.
    pub(crate) fn ahead(&self, at: OffsetDateTime) -> i32 {
        self.at(at).offset().seconds()
    }

    fn at(&self, at: OffsetDateTime) -> Zoned {
        let instant = Timestamp::new(at.unix_timestamp(), 0).unwrap_or(Timestamp::UNIX_EPOCH);
        instant.to_zoned(self.0.clone())
    }

    /// When the day that somebody typed begins and ends here; `None` when it is no day. Jalali or Gregorian, with
    /// digits of any script: `۱۴۰۵/۰۸/۳۰`, `2026-11-21`.
    #[must_use]
    pub fn typed_day(&self, text: &str) -> Option<(OffsetDateTime, OffsetDateTime)> {
        let begins = |day: civil::Date| {
            let second = day.to_zoned(self.0.clone()).ok()?.timestamp().as_second();
            OffsetDateTime::from_unix_timestamp(second).ok()
        };
        let day = typed_day(text)?;
        Some((begins(day)?, begins(day.tomorrow().ok()?)?))
    }

    /// The calendar day on which an instant falls here.
    #[must_use]
    pub fn day(&self, at: OffsetDateTime) -> civil::Date {
        self.at(at).date()
    }
}

/// The day that somebody typed, such as ۱۴۰۵/۰۸/۳۰ or 2026-11-21: Jalali or Gregorian, as its year says.
fn typed_day(text: &str) -> Option<civil::Date> {
    let ascii: String = text.trim().chars().map(ascii_digit).collect();
    let mut numbers = ascii.split(['/', '-']).map(str::parse::<i16>);
    let (year, month, day) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    let (month, day) = (u8::try_from(month).ok()?, u8::try_from(day).ok()?);
    if numbers.next().is_some() {
        return None;
    }
    let iso = match year {
        1300..1500 => Date::try_new_persian(year.into(), month, day).ok()?.to_calendar(Iso),
        1900..2200 => Date::try_new_iso(year.into(), month, day).ok()?,
        _ => return None,
    };
    let year = i16::try_from(iso.year().extended_year()).ok()?;
    let (month, day) = (iso.month().ordinal, iso.day_of_month().0);
    civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// Persian and Arabic digits as ASCII ones.
fn ascii_digit(letter: char) -> char {
    let of = |zero: char| u32::from(letter).checked_sub(zero.into()).filter(|digit| *digit < 10);
    let digit = of('۰').or_else(|| of('٠')).and_then(|digit| char::from_digit(digit, 10));
    digit.unwrap_or(letter)
}

/// How much of a date is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// ۳۰ آبان
    DayMonth,
    /// ۳۰ آبان ۱۴۰۵
    Full,
    /// شنبه ۳۰ آبان ۱۴۰۵
    Weekday,
}

struct Formatters {
    decimal: DecimalFormatter,
    day_month: DateTimeFormatter<fieldsets::MD>,
    full: DateTimeFormatter<fieldsets::YMD>,
    weekday: DateTimeFormatter<fieldsets::YMDE>,
    city: NoCalendarFormatter<fieldsets::zone::ExemplarCity>,
}

impl Formatters {
    fn new(locale: &IcuLocale) -> Self {
        let built_in = "the locale data is built in";
        Self {
            decimal: DecimalFormatter::try_new(locale.into(), DecimalFormatterOptions::default())
                .expect(built_in),
            day_month: DateTimeFormatter::try_new(locale.into(), fieldsets::MD::long())
                .expect(built_in),
            full: DateTimeFormatter::try_new(locale.into(), fieldsets::YMD::long())
                .expect(built_in),
            weekday: DateTimeFormatter::try_new(locale.into(), fieldsets::YMDE::long())
                .expect(built_in),
            city: NoCalendarFormatter::try_new(locale.into(), fieldsets::zone::ExemplarCity)
                .expect(built_in),
        }
    }
}

thread_local! {
    static FA: OnceCell<Formatters> = const { OnceCell::new() };
    static EN: OnceCell<Formatters> = const { OnceCell::new() };
}

fn with<T>(locale: Locale, tell: impl FnOnce(&Formatters) -> T) -> T {
    match locale {
        Locale::Fa => FA.with(|cell| {
            tell(cell.get_or_init(|| Formatters::new(&locale!("fa-IR-u-ca-persian"))))
        }),
        Locale::En => EN.with(|cell| tell(cell.get_or_init(|| Formatters::new(&locale!("en-GB"))))),
    }
}

/// A number with grouping, rounded to one decimal place when it is not whole.
pub(crate) fn decimal(locale: Locale, number: f64) -> String {
    let tenths = format!("{number:.1}");
    let plain = tenths.strip_suffix(".0").unwrap_or(&tenths);
    match Decimal::try_from_str(plain) {
        Ok(decimal) => with(locale, |formatters| formatters.decimal.format_to_string(&decimal)),
        Err(_) => digits(locale, plain),
    }
}

/// A count with grouping.
pub(crate) fn count(locale: Locale, number: u64) -> String {
    with(locale, |formatters| formatters.decimal.format_to_string(&Decimal::from(number)))
}

/// The text with its ASCII digits in the digits of the locale, and nothing else changed.
pub(crate) fn digits(locale: Locale, text: &str) -> String {
    match locale {
        Locale::En => text.to_owned(),
        Locale::Fa => text
            .chars()
            .map(|c| match c.to_digit(10) {
                Some(digit) => char::from_u32('۰' as u32 + digit).unwrap_or(c),
                None => c,
            })
            .collect(),
    }
}

/// A calendar day in words.
pub(crate) fn date(locale: Locale, day: civil::Date, detail: Detail) -> String {
    let (year, month, of_month) = (i32::from(day.year()), day.month(), day.day());
    let Ok(day) = Date::try_new_iso(year, month.unsigned_abs(), of_month.unsigned_abs()) else {
        return String::new();
    };
    let day: Date<Iso> = day;
    with(locale, |formatters| match detail {
        Detail::DayMonth => formatters.day_month.format(&day).to_string(),
        Detail::Full => formatters.full.format(&day).to_string(),
        Detail::Weekday => formatters.weekday.format(&day).to_string(),
    })
}

/// The city after which a time zone is called (CLDR).
pub(crate) fn city(locale: Locale, zone: icu::time::TimeZone) -> String {
    with(locale, |formatters| formatters.city.format(&zone.without_offset()).to_string())
}

/// Hours and minutes, 24 hours, without seconds.
pub(crate) fn clock(locale: Locale, zone: &Zone, at: OffsetDateTime) -> String {
    let at = zone.at(at);
    digits(locale, &format!("{:02}:{:02}", at.hour(), at.minute()))
}

/// For `datetime` attributes: RFC 3339 in UTC, to the second.
pub(crate) fn machine(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let mut text = String::with_capacity(20);
    let (date, hour, minute, second) = (at.date(), at.hour(), at.minute(), at.second());
    write!(text, "{date}T{hour:02}:{minute:02}:{second:02}Z").expect("a string takes any text");
    text
}

/// Minutes and seconds of a recording, such as ۱:۰۷.
pub(crate) fn length(locale: Locale, seconds: u32) -> String {
    digits(locale, &format!("{}:{:02}", seconds / 60, seconds % 60))
}

/// How long ago something was, in the largest fitting unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ago {
    /// Less than 45 seconds, or ahead of the clock.
    Now,
    /// Minutes, 1 to 59.
    Minutes(i64),
    /// Hours, 1 to 23.
    Hours(i64),
    /// The calendar day before.
    Yesterday,
    /// Calendar days, 2 to 6.
    Days(i64),
    /// Longer ago, in the year of `now` (Jalali or Gregorian).
    ThisYear(civil::Date),
    /// Longer ago than that.
    Earlier(civil::Date),
}

impl Ago {
    pub(crate) fn between(
        locale: Locale,
        zone: &Zone,
        at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Self {
        let seconds = (now - at).whole_seconds();
        let (today, day) = (zone.day(now), zone.day(at));
        match seconds {
            ..45 => Self::Now,
            45..3_600 => Self::Minutes((seconds / 60).max(1)),
            3_600..86_400 => Self::Hours(seconds / 3_600),
            _ => match days_between(day, today) {
                ..2 => Self::Yesterday,
                days @ 2..7 => Self::Days(days),
                _ if year(locale, day) == year(locale, today) => Self::ThisYear(day),
                _ => Self::Earlier(day),
            },
        }
    }
}

/// Calendar days from `from` to `to`.
pub(crate) fn days_between(from: civil::Date, to: civil::Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

fn year(locale: Locale, day: civil::Date) -> i32 {
    let (year, month, of_month) = (i32::from(day.year()), day.month(), day.day());
    match (locale, Date::try_new_iso(year, month.unsigned_abs(), of_month.unsigned_abs())) {
        (Locale::Fa, Ok(date)) => {
            date.to_calendar(icu::calendar::cal::Persian).year().extended_year()
        }
        _ => year,
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn persian_numbers_are_grouped_in_persian_digits() {
        assert_eq!(count(Locale::Fa, 1_284_567), "۱٬۲۸۴٬۵۶۷");
        assert_eq!(decimal(Locale::Fa, 3.5), "۳٫۵");
        assert_eq!(count(Locale::En, 1_284), "1,284");
    }

    #[test]
    fn persian_dates_are_jalali_and_english_ones_gregorian() {
        let day = civil::date(2026, 11, 21);
        assert_eq!(date(Locale::Fa, day, Detail::Weekday), "شنبه ۳۰ آبان ۱۴۰۵");
        assert_eq!(date(Locale::Fa, day, Detail::DayMonth), "۳۰ آبان");
        assert_eq!(date(Locale::En, day, Detail::Full), "21 November 2026");
    }

    #[test]
    fn a_typed_day_is_the_same_in_either_calendar_and_nonsense_is_none() {
        let zone = Zone::default();
        let day = (datetime!(2026-11-20 20:30 UTC), datetime!(2026-11-21 20:30 UTC));
        for text in ["۱۴۰۵/۰۸/۳۰", " 1405-8-30", "2026-11-21", "٢٠٢٦/١١/٢١"] {
            assert_eq!(zone.typed_day(text), Some(day), "{text}");
        }
        for text in
            ["", "۱۴۰۵/۱۳/۰۱", "1405/12/30", "2026-02-29", "2026", "26-11-21", "1-2-3-4", "دیروز"]
        {
            assert_eq!(zone.typed_day(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_told_in_tehran() {
        let at = datetime!(2026-11-21 05:42 UTC);
        assert_eq!(clock(Locale::Fa, &Zone::default(), at), "۰۹:۱۲");
        assert_eq!(machine(at), "2026-11-21T05:42:00Z");
    }

    #[test]
    fn the_age_of_a_message_is_told_in_the_largest_fitting_unit() {
        let now = datetime!(2026-11-21 08:00 UTC);
        let ago = |at| Ago::between(Locale::Fa, &Zone::default(), at, now);
        assert_eq!(ago(datetime!(2026-11-21 07:59:40 UTC)), Ago::Now);
        assert_eq!(ago(datetime!(2026-11-21 07:55 UTC)), Ago::Minutes(5));
        assert_eq!(ago(datetime!(2026-11-21 01:00 UTC)), Ago::Hours(7));
        assert_eq!(ago(datetime!(2026-11-20 07:00 UTC)), Ago::Yesterday);
        assert_eq!(ago(datetime!(2026-11-18 07:00 UTC)), Ago::Days(3));
        assert_eq!(ago(datetime!(2026-10-01 07:00 UTC)), Ago::ThisYear(civil::date(2026, 10, 1)));
        assert_eq!(ago(datetime!(2026-03-01 07:00 UTC)), Ago::Earlier(civil::date(2026, 3, 1)));
    }
}
