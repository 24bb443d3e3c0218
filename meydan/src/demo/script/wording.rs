//! Fills a conversation's placeholders. `{street}` is a place and stays the same throughout a
//! ticket; `{a|b}` is one of several wordings.

use std::collections::BTreeMap;

use super::{
    library::{CampaignPlan, Names},
    people::Person,
    random::Random,
};

const DAYS: [&str; 5] = ["شنبه", "یکشنبه", "دوشنبه", "سه‌شنبه", "چهارشنبه"];
const DIGITS: [&str; 8] = ["۲", "۳", "۴", "۵", "۶", "۷", "۸", "۹"];

/// What goes on with a greeting that has begun with `سلام`.
const MORE: [&str; 9] = ["به", "وقت", "وقتتون", "خسته", "و", "علیکم", "علیکم،", "خانم", "😊"];

/// The words of one ticket.
#[derive(Debug)]
pub(super) struct Wording {
    words: BTreeMap<String, String>,
}

impl Wording {
    pub(super) fn new(plan: &CampaignPlan, person: &Person, random: &mut Random) -> Self {
        let mut words: BTreeMap<String, String> = (plan.places.iter())
            .map(|(kind, places)| (kind.clone(), random.pick(places).clone()))
            .collect();
        let others = [
            ("day", *random.pick(&DAYS)),
            ("n", *random.pick(&DIGITS)),
            ("hon", person.honorific.as_str()),
            ("first", person.familiar.as_str()),
            ("candidate", plan.candidate.as_str()),
            ("member", plan.coordinator.as_str()),
        ];
        words.extend(others.map(|(key, word)| (key.to_owned(), word.to_owned())));
        Self { words }
    }

    /// Replaces every placeholder that is known; `me` is the first name of who speaks.
    pub(super) fn fill(&self, template: &str, me: &str, random: &mut Random) -> String {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((key, behind)) = after.split_once('}') else { break };
            filled.push_str(before);
            filled.push_str(self.word(key, me, random));
            rest = behind;
        }
        filled.push_str(rest);
        filled
    }

    fn word<'a>(&'a self, key: &'a str, me: &'a str, random: &mut Random) -> &'a str {
        if key == "me" {
            return me;
        }
        if key.contains('|') {
            let wordings: Vec<&str> = key.split('|').collect();
            return wordings[random.index(wordings.len())];
        }
        self.words.get(key).map_or(key, String::as_str)
    }
}

/// Words the first message of a conversation anew, which somebody else has begun with already.
pub(super) fn opening(text: &str, names: &Names, random: &mut Random) -> String {
    let persian = text.chars().next().is_some_and(|first| ('ء'..='ی').contains(&first));
    if !persian || text.chars().count() < 12 {
        return text.to_owned();
    }
    let plain = ["سلام. ", "سلام، ", "سلام "].iter().find_map(|hello| text.strip_prefix(hello));
    let plain =
        plain.filter(|rest| !rest.split(' ').next().is_some_and(|word| MORE.contains(&word)));
    let greeted = text.starts_with("سلام") || text.starts_with("با سلام");
    let mut opening = match plain {
        Some(rest) => format!("{}{rest}", random.pick(&names.greetings)),
        None if !greeted && random.chance(60) => format!("{}{text}", random.pick(&names.greetings)),
        None => text.to_owned(),
    };
    if random.chance(40) && !opening.ends_with(['!', '🙏', '🌱']) {
        if opening.ends_with(char::is_alphanumeric) {
            opening.push('.');
        }
        opening.push_str(random.pick(&names.closings).as_str());
    }
    opening
}
