//! The citizens: Persian names mostly, as messengers show them.

use super::{
    DemoCitizen,
    library::{CampaignPlan, Gender, Names},
    random::Random,
};

/// Far above the numbers that Telegram has given out, and within its 52 bits.
const FIRST_USER: i64 = 4_200_000_000_000_000;

/// A citizen, with what the others need not know.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) citizen: DemoCitizen,
    pub(super) gender: Gender,
    pub(super) language: String,
    /// Theirs, whether they shared it or not.
    pub(super) phone: String,
    /// How the team addresses them.
    pub(super) honorific: String,
    /// How the team addresses them when they are young.
    pub(super) familiar: String,
}

/// The citizens of the campaign with number `index`.
pub(super) fn citizens(
    plan: &CampaignPlan,
    names: &Names,
    index: usize,
    random: &mut Random,
) -> Vec<Person> {
    let campaign = i64::try_from(index).unwrap_or(0);
    let mut languages = spread(plan, random);
    languages.truncate(plan.citizens);
    let mut user_id = FIRST_USER + campaign * 1_000_000_000_000;
    let mut people = Vec::with_capacity(languages.len());
    for (number, language) in languages.into_iter().enumerate() {
        user_id += random.between(1_000, 9_000_000);
        let number = i64::try_from(number).unwrap_or(0);
        let phone = format!("+98900{:07}", campaign * 1_000_000 + number * 7_919 + 104_729);
        let mut person = person(names, language, random);
        person.citizen.user_id = user_id;
        person.citizen.phone = random.chance(8).then(|| phone.clone());
        person.citizen.source = random.chance(60).then(|| random.pick(&plan.sources).clone());
        person.phone = phone;
        people.push(person);
    }
    people
}

/// One language for each citizen, in the campaign's shares.
fn spread(plan: &CampaignPlan, random: &mut Random) -> Vec<String> {
    let mut languages = Vec::new();
    for (language, share) in plan.languages.iter().skip(1) {
        let share = usize::try_from(*share).unwrap_or(0);
        let count = (share * plan.citizens).div_ceil(100);
        languages.extend(std::iter::repeat_n(language.clone(), count));
    }
    let most = plan.languages.first().map_or("fa", |(language, _)| language.as_str());
    languages.resize(plan.citizens, most.to_owned());
    random.shuffle(&mut languages);
    languages
}

fn person(names: &Names, language: String, random: &mut Random) -> Person {
    let (first_name, last_name, gender) = match names.foreign.get(&language) {
        Some(foreign) => random.pick(foreign).clone(),
        None => persian(names, random),
    };
    let honorific = honorific(names, last_name.as_deref(), gender);
    let known = names.women.iter().chain(&names.men).any(|name| *name == first_name);
    let familiar = if known { first_name.clone() } else { "دوست".to_owned() };
    let username = random
        .chance(35)
        .then(|| format!("{}_{}", random.pick(&names.handles), random.between(100, 9_999)));
    let told = language != "fa" || random.chance(93);
    let citizen = DemoCitizen {
        user_id: 0,
        first_name,
        last_name,
        username,
        language: told.then(|| language.clone()),
        phone: None,
        source: None,
    };
    Person { citizen, gender, language, phone: String::new(), honorific, familiar }
}

fn persian(names: &Names, random: &mut Random) -> (String, Option<String>, Gender) {
    let gender = if random.chance(50) { Gender::Woman } else { Gender::Man };
    let (persian, latin) = match gender {
        Gender::Woman => (&names.women, &names.latin_women),
        Gender::Man => (&names.men, &names.latin_men),
    };
    let (first, last) = match random.below(100) {
        0..76 => (random.pick(persian), Some(random.pick(&names.family))),
        76..87 => (random.pick(persian), None),
        87..94 => (random.pick(latin), Some(random.pick(&names.latin_family))),
        94..97 => (random.pick(latin), None),
        _ => (random.pick(&names.nicknames), None),
    };
    (first.clone(), last.cloned(), gender)
}

/// Only a Persian family name makes a Persian form of address.
fn honorific(names: &Names, last_name: Option<&str>, gender: Gender) -> String {
    match last_name {
        Some(last) if names.family.iter().any(|family| family == last) => match gender {
            Gender::Woman => format!("خانم {last}"),
            Gender::Man => format!("آقای {last}"),
        },
        _ => "همشهری گرامی".to_owned(),
    }
}
