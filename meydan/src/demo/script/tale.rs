//! Tells one conversation as steps in time, up to the status that its ticket shall have.

use time::OffsetDateTime;

use super::{
    DemoContent, DemoDelivery, DemoStep,
    calendar::{self, Pace},
    library::{Content, Conversation, Turn},
    people::Person,
    random::Random,
    wording::Wording,
};

/// The status in which a ticket stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    New,
    InProgress,
    Waiting,
    Resolved,
    Closed,
}

impl Ending {
    pub(super) const fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::Closed)
    }
}

/// A conversation, and who holds it.
#[derive(Debug)]
pub(super) struct Tale<'a> {
    pub(super) conversation: &'a Conversation,
    pub(super) person: &'a Person,
    pub(super) wording: &'a Wording,
    /// Another wording of the first message.
    pub(super) opening: Option<String>,
    /// Indices and first names of the member who answers and of the one who helps out.
    pub(super) team: [(usize, &'a str); 2],
    /// Where the citizen is.
    pub(super) point: (f64, f64),
}

/// Whose word came last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nobody,
    Citizen,
    Answer,
    Resolved,
}

/// The telling, as far as it has come.
struct Telling<'a, 'b> {
    tale: &'a Tale<'b>,
    steps: Vec<DemoStep>,
    at: OffsetDateTime,
    last: Last,
    pace: Pace,
}

impl Tale<'_> {
    /// The steps from `start` on.
    pub(super) fn tell(
        &self,
        ending: Ending,
        start: OffsetDateTime,
        pace: Pace,
        random: &mut Random,
    ) -> Vec<DemoStep> {
        let turns = &self.conversation.turns[..self.cut(ending, random)];
        let mut telling =
            Telling { tale: self, steps: vec![], at: start, last: Last::Nobody, pace };
        for (index, turn) in turns.iter().enumerate() {
            let next = turns.get(index + 1);
            if next.is_none() && ending.is_over() && telling.is_thanks(turn, random) {
                telling.status("resolved", random);
            }
            telling.turn(turn, next, random);
        }
        telling.end(ending, random);
        telling.steps
    }

    /// How many turns are told.
    fn cut(&self, ending: Ending, random: &mut Random) -> usize {
        let turns = &self.conversation.turns;
        let at = |wanted: fn(&Turn) -> bool| turns.iter().position(wanted).unwrap_or(turns.len());
        let unanswered = at(|turn| matches!(turn, Turn::Answer { .. }));
        match ending {
            Ending::New => unanswered,
            Ending::InProgress if random.chance(25) => unanswered,
            Ending::InProgress => {
                let open = at(|turn| matches!(turn, Turn::Resolve));
                let first = unanswered + 1;
                let whole = open < turns.len() || self.conversation.unfinished || open <= first;
                let last = if whole { open } else { open - 1 };
                first + random.index(last - first + 1)
            }
            Ending::Waiting => {
                let waits: Vec<usize> = self.conversation.waits().collect();
                random.pick(&waits) + 1
            }
            Ending::Resolved | Ending::Closed => turns.len(),
        }
    }
}

impl Telling<'_, '_> {
    /// Whether `turn` is the citizen's thanks for a ticket that the team thought finished.
    fn is_thanks(&self, turn: &Turn, random: &mut Random) -> bool {
        matches!(turn, Turn::Citizen { .. }) && self.last == Last::Answer && random.chance(15)
    }

    fn turn(&mut self, turn: &Turn, next: Option<&Turn>, random: &mut Random) {
        match turn {
            Turn::Citizen { text, content, later } => {
                self.citizen_at(*later, random);
                self.citizen(text.as_deref(), content, random);
            }
            Turn::Answer { text, waits, later } => {
                self.answer_at(*later, random);
                self.answer(text, random);
                if *waits && matches!(next, Some(Turn::Citizen { .. })) && random.chance(60) {
                    self.status("waiting", random);
                }
            }
            Turn::Edit { text } => {
                self.at = calendar::soon(self.at, random);
                let of = (self.steps.iter())
                    .rposition(|step| matches!(step, DemoStep::Citizen { .. }))
                    .unwrap_or(0);
                let text = self.tale.wording.fill(text, "", random);
                self.steps.push(DemoStep::Edit { at: self.at, of, text });
            }
            Turn::Resolve => {
                self.status("resolved", random);
                self.last = Last::Resolved;
            }
        }
    }

    fn citizen_at(&mut self, later: bool, random: &mut Random) {
        self.at = match self.last {
            Last::Nobody => self.at,
            Last::Resolved => calendar::comeback(self.at, self.pace, random),
            Last::Citizen | Last::Answer if later => calendar::later(self.at, self.pace, random),
            Last::Citizen => calendar::soon(self.at, random),
            Last::Answer => calendar::reply(self.at, self.pace, random),
        };
    }

    fn answer_at(&mut self, later: bool, random: &mut Random) {
        self.at = match self.last {
            _ if later => calendar::later(self.at, self.pace, random),
            Last::Answer => calendar::news(self.at, self.pace, random),
            Last::Nobody | Last::Citizen | Last::Resolved => {
                calendar::answer(self.at, self.pace, random)
            }
        };
    }

    fn citizen(&mut self, text: Option<&str>, content: &Content, random: &mut Random) {
        let tale = self.tale;
        let text = match &tale.opening {
            Some(opening) if self.steps.is_empty() => Some(opening.as_str()),
            _ => text,
        };
        let text = text.map(|text| tale.wording.fill(text, "", random));
        let content = self.content(content);
        self.steps.push(DemoStep::Citizen { at: self.at, text, content });
        self.last = Last::Citizen;
    }

    fn answer(&mut self, text: &str, random: &mut Random) {
        let tale = self.tale;
        let (member, name) = tale.team[usize::from(random.chance(12))];
        let text = tale.wording.fill(text, name, random);
        let delivery = DemoDelivery::Sent;
        self.steps.push(DemoStep::Answer { at: self.at, member, text, delivery });
        self.last = Last::Answer;
    }

    fn status(&mut self, to: &'static str, random: &mut Random) {
        self.at = calendar::soon(self.at, random);
        let (member, _) = self.tale.team[0];
        self.steps.push(DemoStep::Status { at: self.at, member, to });
    }

    fn end(&mut self, ending: Ending, random: &mut Random) {
        let answered = self.steps.iter().any(|step| matches!(step, DemoStep::Answer { .. }));
        match ending {
            Ending::InProgress if !answered => self.status("in_progress", random),
            Ending::New | Ending::InProgress => {}
            Ending::Waiting => self.status("waiting", random),
            Ending::Resolved => self.status("resolved", random),
            Ending::Closed => {
                if random.chance(55) {
                    self.status("resolved", random);
                    self.at = calendar::comeback(self.at, self.pace, random);
                }
                self.status("closed", random);
            }
        }
    }

    fn content(&self, content: &Content) -> DemoContent {
        let citizen = &self.tale.person.citizen;
        match content {
            Content::Text => DemoContent::Text,
            Content::Photo => DemoContent::Photo,
            Content::Album { photos } => DemoContent::Album { photos: *photos },
            Content::Voice { seconds } => DemoContent::Voice { seconds: *seconds },
            Content::Video { seconds } => DemoContent::Video { seconds: *seconds },
            Content::Document { name, mime } => {
                DemoContent::Document { name: name.clone(), mime: mime.clone() }
            }
            Content::Location => {
                let (latitude, longitude) = self.tale.point;
                DemoContent::Location { latitude, longitude }
            }
            Content::Contact => DemoContent::Contact {
                name: citizen.first_name.clone(),
                phone: self.tale.person.phone.clone(),
            },
            Content::Sticker { emoji } => DemoContent::Sticker { emoji: emoji.clone() },
        }
    }
}
