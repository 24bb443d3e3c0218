//! When people write and when a team answers: the rhythm of a day in Iran.

use time::{Duration, OffsetDateTime, UtcOffset, Weekday, macros::offset};

use super::random::Random;

const IRAN: UtcOffset = offset!(+3:30);

/// How much is written in each hour of the day; 10 is the most.
const HOURS: [i64; 24] =
    [2, 1, 1, 1, 1, 1, 2, 4, 6, 8, 10, 10, 10, 7, 5, 5, 6, 7, 7, 8, 10, 10, 9, 5];

/// Minutes until a citizen's word is answered, from the quickest to the slowest.
const ANSWERS: [i64; 16] = [3, 5, 8, 12, 16, 21, 27, 34, 42, 54, 72, 98, 140, 200, 300, 430];

/// Minutes until a citizen comes back to an answer.
const RETURNS: [i64; 13] = [2, 3, 5, 8, 13, 21, 35, 60, 110, 200, 380, 600, 900];

const LONGEST_ANSWER: Duration = Duration::hours(9);

/// How fast a conversation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As people are.
    Natural,
    /// Within minutes, where there is no room for more.
    Brisk,
}

/// A moment between `from` and `to`, later ones being likelier, at an hour when people write.
pub(super) fn moment(
    from: OffsetDateTime,
    to: OffsetDateTime,
    random: &mut Random,
) -> OffsetDateTime {
    let span = (to - from).whole_seconds();
    let mut at = to;
    for _ in 0..40 {
        let part = random.below(1_000_000);
        at = to - Duration::seconds(span * (part * part / 1_000_000) / 1_000_000);
        if random.below(1_000) < likelihood(at) {
            break;
        }
    }
    at
}

fn likelihood(at: OffsetDateTime) -> i64 {
    let local = at.to_offset(IRAN);
    let hour = HOURS[usize::from(local.hour())] * 100;
    if local.weekday() == Weekday::Friday { hour * 55 / 100 } else { hour }
}

/// When a member answers what came at `after`.
pub(super) fn answer(after: OffsetDateTime, pace: Pace, random: &mut Random) -> OffsetDateTime {
    let prompt = after + Duration::seconds(random.between(180, 1_500));
    if pace == Pace::Brisk {
        return prompt;
    }
    let at = rested(after + draw(&ANSWERS, random), random);
    if at - after > LONGEST_ANSWER { prompt } else { at }
}

/// When a member comes back with news, after the answer at `after`.
pub(super) fn news(after: OffsetDateTime, pace: Pace, random: &mut Random) -> OffsetDateTime {
    if pace == Pace::Brisk {
        return after + Duration::seconds(random.between(600, 2_400));
    }
    rested(after + Duration::minutes(random.between(240, 2_200)), random)
}

/// When a citizen writes again after an answer.
pub(super) fn reply(after: OffsetDateTime, pace: Pace, random: &mut Random) -> OffsetDateTime {
    if pace == Pace::Brisk {
        return after + Duration::seconds(random.between(70, 900));
    }
    let at = after + draw(&RETURNS, random);
    if (2..7).contains(&at.to_offset(IRAN).hour()) {
        return at + Duration::minutes(random.between(300, 420));
    }
    at
}

/// When a citizen comes back to a ticket that was resolved: within its three days.
pub(super) fn comeback(after: OffsetDateTime, pace: Pace, random: &mut Random) -> OffsetDateTime {
    match pace {
        Pace::Natural => rested(after + Duration::minutes(random.between(300, 2_400)), random),
        Pace::Brisk => after + Duration::minutes(random.between(20, 90)),
    }
}

/// A day or two later, when something has come of it.
pub(super) fn later(after: OffsetDateTime, pace: Pace, random: &mut Random) -> OffsetDateTime {
    match pace {
        Pace::Natural => rested(after + Duration::minutes(random.between(960, 3_400)), random),
        Pace::Brisk => after + Duration::minutes(random.between(90, 200)),
    }
}

/// A little later, by the same person.
pub(super) fn soon(after: OffsetDateTime, random: &mut Random) -> OffsetDateTime {
    after + Duration::seconds(random.between(14, 200))
}

/// Night becomes morning, for the team and for what is not urgent.
fn rested(at: OffsetDateTime, random: &mut Random) -> OffsetDateTime {
    let local = at.to_offset(IRAN);
    let hour = i64::from(local.hour());
    if hour >= 8 {
        return at;
    }
    at + Duration::hours(8 - hour) - Duration::minutes(i64::from(local.minute()))
        + Duration::seconds(random.between(60, 4_000))
}

/// A duration from a table of minutes, between two of its neighbours.
fn draw(table: &[i64], random: &mut Random) -> Duration {
    let index = random.index(table.len() - 1);
    Duration::seconds(random.between(table[index] * 60, table[index + 1] * 60))
}
