//! What can go wrong between a bot and Telegram, and on which calls it does.

use serde::{Deserialize, Serialize};

/// Something that goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// 429, to be tried again after so many seconds.
    TooManyRequests {
        /// Seconds.
        retry_after: u32,
    },
    /// 403: the citizen blocked the bot.
    Blocked,
    /// 401: the token was revoked.
    Revoked,
    /// 400: there is no such chat.
    ChatNotFound,
    /// 5xx: Telegram fails.
    ServerError {
        /// 500 to 599.
        status: u16,
    },
    /// Any other refusal.
    Refused {
        /// The HTTP status and `error_code`.
        status: u16,
        /// What the answer says.
        description: String,
    },
    /// The call is carried out, but the connection breaks before the answer.
    AnswerLost,
    /// The connection breaks before anything is done.
    Unreachable,
    /// The call waits before it is carried out. On a clock that stands still it
    /// waits until the clock is moved.
    Slow {
        /// Seconds on the simulator's clock.
        seconds: u64,
    },
}

/// A fault, and the calls that it strikes. The first rule that fits is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRule {
    /// Only calls of this bot.
    #[serde(default)]
    pub token: Option<String>,
    /// Only calls to this chat.
    #[serde(default)]
    pub chat: Option<i64>,
    /// Only this method; capitals do not matter.
    #[serde(default)]
    pub method: Option<String>,
    /// How often; for ever when it is not said.
    #[serde(default)]
    pub times: Option<u32>,
    /// What goes wrong.
    #[serde(flatten)]
    pub fault: Fault,
}

impl Fault {
    /// Strikes every call until the faults are cleared.
    #[must_use]
    pub fn always(self) -> FaultRule {
        FaultRule { token: None, chat: None, method: None, times: None, fault: self }
    }

    /// Strikes so many calls.
    #[must_use]
    pub fn times(self, times: u32) -> FaultRule {
        FaultRule { times: Some(times), ..self.always() }
    }
}

impl FaultRule {
    /// Strikes only calls of this bot.
    #[must_use]
    pub fn for_bot(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// Strikes only calls to this chat.
    #[must_use]
    pub fn for_chat(self, chat: i64) -> Self {
        Self { chat: Some(chat), ..self }
    }

    /// Strikes only calls of this method, such as `sendMessage`.
    #[must_use]
    pub fn for_method(self, method: &str) -> Self {
        Self { method: Some(method.to_owned()), ..self }
    }

    fn fits(&self, token: &str, method: &str, chat: Option<i64>) -> bool {
        self.times != Some(0)
            && self.token.as_deref().is_none_or(|only| only == token)
            && self.method.as_deref().is_none_or(|only| only.eq_ignore_ascii_case(method))
            && self.chat.is_none_or(|only| chat == Some(only))
    }
}

/// Takes the fault that strikes this call, if any.
pub(super) fn strike(
    rules: &mut [FaultRule],
    token: &str,
    method: &str,
    chat: Option<i64>,
) -> Option<Fault> {
    let rule = rules.iter_mut().find(|rule| rule.fits(token, method, chat))?;
    if let Some(times) = &mut rule.times {
        *times -= 1;
    }
    Some(rule.fault.clone())
}
