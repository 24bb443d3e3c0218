//! Plans a campaign's month: who writes how often, what about, and how each ticket stands now.

use time::{Duration, OffsetDateTime};

use super::{
    DemoCampaign, DemoContent, DemoDelivery, DemoFailure, DemoMember, DemoStep, DemoTicket,
    calendar::{self, Pace},
    library::{CampaignPlan, Conversation, Library},
    people::{self, Person},
    random::Random,
    tale::{Ending, Tale},
    wording::{self, Wording},
};

const MONTH: Duration = Duration::days(30);
/// A little more than the time in which a message reopens a resolved ticket.
const REOPENING: Duration = Duration::hours(73);
/// Room that every earlier ticket of a citizen is left.
const ROOM: Duration = Duration::days(6);
const MOST_TICKETS: usize = 4;
/// Citizens in each campaign whose last answer does not arrive.
const BLOCKED: usize = 5;
/// Tickets of each campaign that are opened in the last hour.
const JUST_OPENED: usize = 5;

/// Between which moments a ticket opens, and until when all of it has happened.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: OffsetDateTime,
    to: OffsetDateTime,
    until: OffsetDateTime,
}

/// A campaign while it is written.
struct Draft<'a> {
    library: &'a Library,
    plan: &'a CampaignPlan,
    people: Vec<Person>,
    /// How often each conversation was held.
    held: Vec<u32>,
    tickets: Vec<DemoTicket>,
    now: OffsetDateTime,
}

/// Writes the campaign with this number as it stands at that moment.
pub(super) fn campaign(
    library: &Library,
    plan: &CampaignPlan,
    (index, now): (usize, OffsetDateTime),
    random: &mut Random,
) -> DemoCampaign {
    let people = people::citizens(plan, &library.names, index, random);
    let held = vec![0; library.conversations.len()];
    let mut draft = Draft { library, plan, people, held, tickets: vec![], now };
    let counts = counts(plan, random);
    let mut order: Vec<usize> = (0..plan.citizens).collect();
    random.shuffle(&mut order);
    for (place, (citizen, ending)) in order.into_iter().zip(endings(plan, random)).enumerate() {
        draft.citizen(citizen, counts[citizen], (ending, place < JUST_OPENED), random);
    }
    draft.tickets.sort_by_key(|ticket| (ticket.steps[0].at(), ticket.citizen));
    draft.block(random);
    draft.share_phones();
    let members = (plan.members.iter())
        .map(|member| DemoMember {
            name: member.name.clone(),
            email: member.email.clone(),
            role: member.role.clone(),
        })
        .collect();
    DemoCampaign {
        slug: plan.slug.clone(),
        candidate_name: plan.candidate_name.clone(),
        office: plan.office.clone(),
        constituency: plan.constituency.clone(),
        home_region: plan.home_region.clone(),
        members,
        citizens: draft.people.into_iter().map(|person| person.citizen).collect(),
        tickets: draft.tickets,
    }
}

/// How many tickets each citizen has.
fn counts(plan: &CampaignPlan, random: &mut Random) -> Vec<usize> {
    let mut counts = vec![1; plan.citizens];
    let mut left = plan.tickets.saturating_sub(plan.citizens);
    while left > 0 && counts.iter().any(|count| *count < MOST_TICKETS) {
        let citizen = random.index(counts.len());
        if counts[citizen] < MOST_TICKETS {
            counts[citizen] += 1;
            left -= 1;
        }
    }
    counts
}

/// How each citizen's last ticket stands; a citizen has at most one that is open.
fn endings(plan: &CampaignPlan, random: &mut Random) -> Vec<Ending> {
    let shares = [(Ending::New, 12), (Ending::InProgress, 14), (Ending::Waiting, 10)];
    let mut endings = Vec::with_capacity(plan.citizens);
    for (ending, percent) in shares {
        endings.extend(std::iter::repeat_n(ending, plan.tickets * percent / 100));
    }
    while endings.len() < plan.citizens {
        endings.push(over(random));
    }
    endings
}

fn over(random: &mut Random) -> Ending {
    if random.chance(28) { Ending::Closed } else { Ending::Resolved }
}

impl Draft<'_> {
    /// Writes all tickets of one citizen, from the last to the first.
    fn citizen(
        &mut self,
        citizen: usize,
        count: usize,
        (ending, just_now): (Ending, bool),
        random: &mut Random,
    ) {
        let mut known = Vec::with_capacity(count);
        let span = self.last_span(ending, just_now);
        let mut opened = self.ticket(citizen, (ending, span), &mut known, random);
        let month = self.now - MONTH;
        for earlier in (0..count.saturating_sub(1)).rev() {
            let ending = over(random);
            let gap = if ending == Ending::Resolved { REOPENING } else { Duration::hours(3) };
            let until = opened - gap;
            let from = month + ROOM * i32::try_from(earlier).unwrap_or(0);
            let span = Span { from, to: until - Duration::minutes(30), until };
            opened = self.ticket(citizen, (ending, span), &mut known, random);
        }
    }

    /// When a citizen's last ticket opens, so that its state now is believable.
    fn last_span(&self, ending: Ending, just_now: bool) -> Span {
        let (oldest, newest) = match ending {
            Ending::New if just_now => (Duration::minutes(52), Duration::minutes(9)),
            Ending::New => (Duration::hours(44), Duration::minutes(62)),
            Ending::InProgress => (Duration::days(6), Duration::minutes(40)),
            Ending::Waiting => (Duration::days(9), Duration::hours(2)),
            Ending::Resolved | Ending::Closed => (Duration::days(9), Duration::hours(3)),
        };
        Span { from: self.now - oldest, to: self.now - newest, until: self.now }
    }

    /// Writes one ticket; returns when it was opened.
    fn ticket(
        &mut self,
        citizen: usize,
        (ending, span): (Ending, Span),
        known: &mut Vec<usize>,
        random: &mut Random,
    ) -> OffsetDateTime {
        let chosen = self.choose(citizen, ending, known, random);
        let conversation = &self.library.conversations[chosen];
        let person = &self.people[citizen];
        let wording = Wording::new(self.plan, person, random);
        let tale = Tale {
            conversation,
            person,
            wording: &wording,
            opening: self.opening(chosen, random),
            team: [self.member(random), self.member(random)],
            point: (nearby(self.plan.latitude, random), nearby(self.plan.longitude, random)),
        };
        let steps = place(&tale, ending, span, random);
        let opened = steps[0].at();
        self.held[chosen] += 1;
        known.push(chosen);
        self.tickets.push(DemoTicket { citizen, steps });
        opened
    }

    /// One of the conversations that were held least, among those that fit.
    fn choose(
        &self,
        citizen: usize,
        ending: Ending,
        known: &[usize],
        random: &mut Random,
    ) -> usize {
        let person = &self.people[citizen];
        let fits = |index: usize, conversation: &Conversation| {
            !known.contains(&index)
                && conversation.campaign.as_ref().is_none_or(|slug| *slug == self.plan.slug)
                && conversation.writer.is_none_or(|writer| writer == person.gender)
                && !(conversation.once && self.held[index] > 0)
                && !(ending.is_over() && conversation.unfinished)
                && (ending != Ending::Waiting || conversation.waits().next().is_some())
        };
        let fitting: Vec<usize> = (self.library.conversations.iter().enumerate())
            .filter(|(index, conversation)| fits(*index, conversation))
            .map(|(index, _)| index)
            .collect();
        let written_in = |language: Option<&str>| -> Vec<usize> {
            let language_of = |index: usize| self.library.conversations[index].language.as_deref();
            fitting.iter().copied().filter(|index| language_of(*index) == language).collect()
        };
        let own = written_in(Some(&person.language));
        let open = if own.is_empty() { written_in(None) } else { own };
        let least = open.iter().map(|index| self.held[*index]).min().unwrap_or(0);
        let least: Vec<usize> =
            open.into_iter().filter(|index| self.held[*index] == least).collect();
        *random.pick(&least)
    }

    /// Another beginning, when the conversation was held before.
    fn opening(&self, chosen: usize, random: &mut Random) -> Option<String> {
        if self.held[chosen] == 0 {
            return None;
        }
        let conversation = &self.library.conversations[chosen];
        match conversation.turns.first() {
            Some(super::library::Turn::Citizen { text: Some(text), .. }) => {
                Some(wording::opening(text, &self.library.names, random))
            }
            _ => None,
        }
    }

    /// Who answers: staff mostly, sometimes the candidate.
    fn member(&self, random: &mut Random) -> (usize, &str) {
        let staff = self.plan.members.len() - 1;
        let member = if random.chance(8) { 0 } else { 1 + random.index(staff) };
        let name = &self.plan.members[member].name;
        (member, name.split(' ').next().unwrap_or(name))
    }

    /// Some citizens have blocked the bot before their last answer came.
    fn block(&mut self, random: &mut Random) {
        let mut last: Vec<Option<usize>> = vec![None; self.people.len()];
        for (index, ticket) in self.tickets.iter().enumerate() {
            last[ticket.citizen] = Some(index);
        }
        let said = |step: &&mut DemoStep| !matches!(step, DemoStep::Status { .. });
        random.shuffle(&mut last);
        let mut left = BLOCKED;
        for index in last.into_iter().flatten() {
            if left == 0 {
                break;
            }
            let word = self.tickets[index].steps.iter_mut().rev().find(said);
            if let Some(DemoStep::Answer { delivery, .. }) = word {
                *delivery = DemoDelivery::Failed(DemoFailure::Blocked);
                left -= 1;
            }
        }
    }

    /// Whoever sent their card has shared their number.
    fn share_phones(&mut self) {
        for ticket in &self.tickets {
            let shared = ticket.steps.iter().find_map(|step| match step {
                DemoStep::Citizen { content: DemoContent::Contact { phone, .. }, .. } => {
                    Some(phone.clone())
                }
                _ => None,
            });
            let citizen = &mut self.people[ticket.citizen].citizen;
            citizen.phone = shared.or_else(|| citizen.phone.take());
        }
    }
}

/// Tells the tale within `span`, briskly where there is no room for its natural pace.
fn place(tale: &Tale<'_>, ending: Ending, span: Span, random: &mut Random) -> Vec<DemoStep> {
    for attempt in 0..80 {
        let pace = if attempt < 50 { Pace::Natural } else { Pace::Brisk };
        let start = calendar::moment(span.from, span.to, random);
        let steps = tale.tell(ending, start, pace, random);
        if steps.last().is_some_and(|step| step.at() <= span.until) {
            return steps;
        }
    }
    tale.tell(ending, span.from, Pace::Brisk, random)
}

/// Some kilometres from there, in degrees.
fn nearby(degrees: f64, random: &mut Random) -> f64 {
    let off = i32::try_from(random.between(-3_000, 3_000)).unwrap_or(0);
    ((degrees * 100_000.0).round() + f64::from(off)) / 100_000.0
}
