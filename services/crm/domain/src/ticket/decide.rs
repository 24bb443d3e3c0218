//! The decisions of a ticket, in the order in which a member would ask.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Answer, Delivery, DeliveryFailure, Incoming, REOPENING, Sender, Stage, Ticket, TicketCommand,
    TicketEvent, TicketRefusal, TicketStatus,
};

type Decision = Result<Vec<TicketEvent>, TicketRefusal>;

impl Ticket {
    /// Judges `command` against the present state. An empty list means: already so.
    ///
    /// # Errors
    ///
    /// The rule that the command would break.
    pub fn decide(&self, command: TicketCommand) -> Decision {
        let Some(stage) = &self.stage else {
            return match command {
                TicketCommand::Receive(message) => Ok(open(message)),
                TicketCommand::Edit { .. }
                | TicketCommand::Reply(_)
                | TicketCommand::ChangeStatus { .. }
                | TicketCommand::RecordSent { .. }
                | TicketCommand::RecordFailed { .. }
                | TicketCommand::RecordInDoubt { .. } => Err(TicketRefusal::NotOpened),
            };
        };
        match command {
            TicketCommand::Receive(message) => stage.receive(message),
            TicketCommand::Edit { message_id, body, at } => {
                if !stage.incoming.contains(&message_id) {
                    return Err(TicketRefusal::NoSuchMessage);
                }
                Ok(vec![TicketEvent::MessageEdited { message_id, body, at }])
            }
            TicketCommand::Reply(answer) => stage.reply(answer),
            TicketCommand::ChangeStatus { to, at } => stage.change_status(to, at),
            TicketCommand::RecordSent { message_id, at } => stage.sent(message_id, at),
            TicketCommand::RecordFailed { message_id, failure, at } => {
                stage.failed(message_id, failure, at)
            }
            TicketCommand::RecordInDoubt { message_id, at } => stage.in_doubt(message_id, at),
        }
    }
}

fn open(message: Incoming) -> Vec<TicketEvent> {
    let opened = TicketEvent::Opened {
        citizen_id: message.citizen_id,
        subject: message.subject.clone(),
        kind: message.kind,
        at: message.at,
    };
    vec![opened, received(message)]
}

fn received(message: Incoming) -> TicketEvent {
    TicketEvent::MessageReceived {
        message_id: message.message_id,
        channel_message_id: message.channel_message_id,
        from: Some(Sender { citizen_id: message.citizen_id, bot_id: message.bot_id }),
        body: message.body,
        album: message.album,
        at: message.at,
    }
}

impl Stage {
    fn receive(&self, message: Incoming) -> Decision {
        if message.citizen_id != self.citizen {
            return Err(TicketRefusal::AnotherCitizen);
        }
        if self.incoming.contains(&message.message_id) {
            return Ok(vec![]);
        }
        let at = message.at;
        let mut events = match self.status {
            TicketStatus::New | TicketStatus::InProgress => vec![],
            TicketStatus::Waiting => vec![self.move_to(TicketStatus::InProgress, at)],
            TicketStatus::Resolved if at - self.since <= REOPENING => {
                vec![TicketEvent::Reopened { at }]
            }
            TicketStatus::Resolved | TicketStatus::Closed => return Err(TicketRefusal::Ended),
        };
        events.push(received(message));
        Ok(events)
    }

    fn reply(&self, answer: Answer) -> Decision {
        if self.answers.contains_key(&answer.message_id) {
            return Ok(vec![]);
        }
        if answer.blocked {
            return Err(TicketRefusal::CitizenBlocked);
        }
        let at = answer.at;
        let mut events = vec![TicketEvent::ReplyWritten {
            message_id: answer.message_id,
            citizen_id: self.citizen,
            body: answer.body,
            author: answer.author,
            author_name: answer.author_name,
            at,
        }];
        if self.status == TicketStatus::New {
            events.push(self.move_to(TicketStatus::InProgress, at));
        }
        Ok(events)
    }

    fn change_status(&self, to: TicketStatus, at: OffsetDateTime) -> Decision {
        if to == self.status {
            return Ok(vec![]);
        }
        if !self.status.moves().contains(&to) {
            return Err(TicketRefusal::NoSuchMove);
        }
        Ok(vec![self.move_to(to, at)])
    }

    const fn move_to(&self, to: TicketStatus, at: OffsetDateTime) -> TicketEvent {
        TicketEvent::StatusChanged { from: self.status, to, at }
    }

    fn delivery(&self, message_id: Uuid) -> Result<Delivery, TicketRefusal> {
        self.answers.get(&message_id).copied().ok_or(TicketRefusal::NoSuchMessage)
    }

    /// What was sent stays sent, whatever is heard later.
    fn sent(&self, message_id: Uuid, at: OffsetDateTime) -> Decision {
        Ok(match self.delivery(message_id)? {
            Delivery::Sent => vec![],
            Delivery::Queued | Delivery::Failed | Delivery::InDoubt => {
                vec![TicketEvent::ReplySent { message_id, at }]
            }
        })
    }

    fn failed(&self, message_id: Uuid, failure: DeliveryFailure, at: OffsetDateTime) -> Decision {
        Ok(match self.delivery(message_id)? {
            Delivery::Sent | Delivery::Failed => vec![],
            Delivery::Queued | Delivery::InDoubt => {
                vec![TicketEvent::ReplyFailed { message_id, failure, at }]
            }
        })
    }

    fn in_doubt(&self, message_id: Uuid, at: OffsetDateTime) -> Decision {
        Ok(match self.delivery(message_id)? {
            Delivery::Queued => vec![TicketEvent::ReplyInDoubt { message_id, at }],
            Delivery::Sent | Delivery::Failed | Delivery::InDoubt => vec![],
        })
    }
}
