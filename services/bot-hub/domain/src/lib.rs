//! The rules of the bot hub: bots, the dialogues they hold, and what Telegram's updates say. Pure: its
//! manifest is the proof.

pub mod bot;
pub mod dialogue;
pub mod telegram;

pub use self::{
    bot::{Bot, BotCommand, BotEvent, BotProblem, BotRefusal, BotState, Mode},
    dialogue::{
        Dialogue, DialogueCommand, DialogueEvent, DialogueRefusal, Did, ReplyFailure, ReplyOutcome,
    },
};
