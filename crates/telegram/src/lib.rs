//! The Bot API, as far as Meydan speaks it: teloxide's payloads, and one word for each way a request ends.
//!
//! The requests themselves are made here. teloxide's own client writes method names with a capital letter,
//! which other servers refuse, gives up on answers with a field it does not expect, and sleeps ten seconds
//! on any 5xx.

use std::{str::FromStr, time::Duration};

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use secrecy::{ExposeSecret, SecretString};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::value::RawValue;
use teloxide_core::{
    payloads::{
        DeleteWebhook, GetFile, GetMe, GetWebhookInfo, SendMessage, SendMessageSetters, SetWebhook,
        SetWebhookSetters,
    },
    requests::Payload,
    types::{AllowedUpdate, ChatId, FileId, Recipient},
};
use url::Url;

/// How long `getUpdates` waits at Telegram for something to come.
const POLL: Duration = Duration::from_secs(20);
/// How long a request may take, sending and all.
const PATIENCE: Duration = Duration::from_secs(17);
/// Largest file that the Bot API hands out, in bytes.
const LARGEST_FILE: u64 = 20 * 1024 * 1024;

/// How a request ended that did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiFailure {
    /// The token is not, or no longer, valid.
    #[error("Telegram refuses the token")]
    Unauthorized,
    /// The person has blocked the bot.
    #[error("the citizen has blocked the bot")]
    Blocked,
    /// There is no such chat: the person has left Telegram, or never came to this bot.
    #[error("Telegram does not know the chat")]
    ChatNotFound,
    /// Too much at once: again after so long.
    #[error("Telegram asks to wait")]
    RetryAfter(Duration),
    /// Another program asks for this bot's updates.
    #[error("another program asks for the bot's updates")]
    Conflict,
    /// Telegram will never do it.
    #[error("Telegram refuses the request")]
    Rejected,
    /// Telegram did not hear of it.
    #[error("Telegram cannot be reached")]
    Unreachable,
    /// Telegram may have done it: its answer was lost.
    #[error("Telegram's answer was lost")]
    AnswerLost,
}

/// What a bot says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Identity {
    /// Telegram's number of the bot.
    pub id: i64,
    /// Handle without the @.
    #[serde(default)]
    pub username: String,
    /// What it is called.
    #[serde(rename = "first_name")]
    pub name: String,
}

/// Where Telegram calls, and how that goes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WebhookInfo {
    /// Empty when Telegram waits to be asked.
    pub url: String,
    /// When Telegram last failed to deliver, in seconds since 1970.
    pub last_error_date: Option<i64>,
}

/// Reaches the Bot API.
#[derive(Debug, Clone)]
pub struct Telegram {
    client: reqwest::Client,
    polling: reqwest::Client,
    /// A file may take as long as it comes.
    files: reqwest::Client,
    base: Url,
}

/// A channel, by its number or by its public name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel(Recipient);

/// What names no channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a channel is a number such as -1001234567890, or a name such as @meydan_audit")]
pub struct BadChannel;

impl FromStr for Channel {
    type Err = BadChannel;

    fn from_str(text: &str) -> Result<Self, BadChannel> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let recipient = match text.strip_prefix('@') {
            Some(name) if (4..=32).contains(&name.len()) && name.bytes().all(plain) => {
                Recipient::ChannelUsername(text.to_owned())
            }
            Some(_) => return Err(BadChannel),
            None => {
                let number = text.parse().ok().filter(|number: &i64| *number < 0);
                Recipient::Id(ChatId(number.ok_or(BadChannel)?))
            }
        };
        Ok(Self(recipient))
    }
}

/// A setting with which Telegram cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("telegram-proxy cannot be used")]
pub struct BadProxy(#[from] reqwest::Error);

impl Telegram {
    /// Reaches the Bot API at `base`, through `proxy` when there is one.
    ///
    /// # Errors
    ///
    /// [`BadProxy`]
    pub fn new(base: Url, proxy: Option<&SecretString>) -> Result<Self, BadProxy> {
        let client = || {
            let builder = reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(5))
                // The token is in the path: nobody else is to be told it.
                .redirect(reqwest::redirect::Policy::none())
                .tcp_nodelay(true);
            Ok::<_, reqwest::Error>(match proxy {
                Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.expose_secret())?),
                None => builder.no_proxy(),
            })
        };
        Ok(Self {
            client: client()?.timeout(PATIENCE).build()?,
            polling: client()?.timeout(POLL + Duration::from_secs(10)).build()?,
            files: client()?.read_timeout(PATIENCE).build()?,
            base,
        })
    }

    fn url(&self, folder: &str, token: &SecretString, rest: &str) -> Url {
        let mut url = self.base.clone();
        let base = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{base}/{folder}bot{}/{rest}", token.expose_secret()));
        url
    }

    async fn call<P, R>(&self, token: &SecretString, payload: P) -> Result<R, ApiFailure>
    where
        P: Payload + Serialize,
        R: DeserializeOwned,
    {
        let url = self.url("", token, &camel_case(P::NAME));
        let answer = self.client.post(url).json(&payload).send().await;
        let answer = answer.map_err(|error| {
            if error.is_connect() { ApiFailure::Unreachable } else { ApiFailure::AnswerLost }
        })?;
        // Whoever answers so has done nothing, and is not the Bot API.
        if answer.status().is_redirection() {
            return Err(ApiFailure::Unreachable);
        }
        let answer = answer.json::<Answer<R>>().await.map_err(|_| ApiFailure::AnswerLost)?;
        answer.outcome()
    }

    /// Asks who the token belongs to.
    ///
    /// # Errors
    ///
    /// See [`ApiFailure`].
    pub async fn get_me(&self, token: &SecretString) -> Result<Identity, ApiFailure> {
        self.call(token, GetMe::new()).await
    }

    /// Has Telegram call `url` with everything that citizens do.
    ///
    /// # Errors
    ///
    /// See [`ApiFailure`].
    pub async fn set_webhook(
        &self,
        token: &SecretString,
        url: Url,
        secret: &SecretString,
    ) -> Result<(), ApiFailure> {
        let request = SetWebhook::new(url)
            .secret_token(secret.expose_secret())
            .max_connections(40)
            .allowed_updates(ALLOWED);
        self.call::<_, IgnoredAny>(token, request).await.map(|_| ())
    }

    /// Has Telegram call no longer, so that the hub may ask.
    ///
    /// # Errors
    ///
    /// See [`ApiFailure`].
    pub async fn delete_webhook(&self, token: &SecretString) -> Result<(), ApiFailure> {
        self.call::<_, IgnoredAny>(token, DeleteWebhook::new()).await.map(|_| ())
    }

    /// Asks where Telegram calls, and how that goes.
    ///
    /// # Errors
    ///
    /// See [`ApiFailure`].
    pub async fn webhook_info(&self, token: &SecretString) -> Result<WebhookInfo, ApiFailure> {
        self.call(token, GetWebhookInfo::new()).await
    }

    /// Asks for the updates from `offset` on, as Telegram wrote them; waits for the first.
    ///
    /// # Errors
    ///
    /// See [`ApiFailure`].
    pub async fn get_updates(
        &self,
        token: &SecretString,
        offset: i64,
    ) -> Result<Vec<Box<RawValue>>, ApiFailure> {
        let question = serde_json::json!({
            "offset": offset,
            "timeout": POLL.as_secs(),
            "allowed_updates": ALLOWED,
        });
        let url = self.url("", token, "getUpdates");
        let answer = self.polling.post(url).json(&question).send().await;
        let answer = answer.map_err(|_| ApiFailure::Unreachable)?;
        let answer = answer.json::<Answer<Vec<Box<RawValue>>>>().await;
        answer.map_err(|_| ApiFailure::Unreachable)?.outcome()
    }

    /// Sends a text as it is, and returns Telegram's number of it.
    ///
    /// # Errors
    ///
    /// See [`ApiFailure`].
    pub async fn send_text(
        &self,
        token: &SecretString,
        chat: i64,
        text: &str,
    ) -> Result<i64, ApiFailure> {
        #[derive(Deserialize)]
        struct Message {
            message_id: i64,
        }
        let message: Message = self.call(token, SendMessage::new(ChatId(chat), text)).await?;
        Ok(message.message_id)
    }

    /// Posts a text as it is to a channel, whose readers' telephones stay silent.
    ///
    /// # Errors
    ///
    /// See [`ApiFailure`].
    pub async fn post(
        &self,
        token: &SecretString,
        channel: &Channel,
        text: &str,
    ) -> Result<(), ApiFailure> {
        let request = SendMessage::new(channel.0.clone(), text).disable_notification(true);
        self.call::<_, IgnoredAny>(token, request).await.map(|_| ())
    }

    /// The content of a file, piece by piece.
    ///
    /// # Errors
    ///
    /// See [`ApiFailure`]; [`ApiFailure::Rejected`] for a file over 20 MB.
    pub async fn file(
        &self,
        token: &SecretString,
        file_id: &str,
    ) -> Result<impl Stream<Item = Result<Bytes, ApiFailure>> + Send + use<>, ApiFailure> {
        #[derive(Deserialize)]
        struct File {
            file_path: Option<String>,
            file_size: Option<u64>,
        }
        let file: File = self.call(token, GetFile::new(FileId(file_id.to_owned()))).await?;
        let path = file.file_path.ok_or(ApiFailure::Rejected)?;
        if file.file_size.is_some_and(|size| size > LARGEST_FILE) {
            return Err(ApiFailure::Rejected);
        }
        let response = self.files.get(self.url("file/", token, &path)).send().await;
        let response = response.and_then(reqwest::Response::error_for_status);
        let response = response.map_err(|_| ApiFailure::Unreachable)?;
        if response.status().is_redirection() {
            return Err(ApiFailure::Unreachable);
        }
        Ok(response.bytes_stream().map_err(|_| ApiFailure::Unreachable))
    }
}

/// What the hub wants to hear of.
const ALLOWED: [AllowedUpdate; 4] = [
    AllowedUpdate::Message,
    AllowedUpdate::EditedMessage,
    AllowedUpdate::CallbackQuery,
    AllowedUpdate::MyChatMember,
];

/// The form of every answer of the Bot API.
#[derive(Deserialize)]
struct Answer<R> {
    ok: bool,
    #[serde(default = "Option::default")]
    result: Option<R>,
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
}

impl<R: DeserializeOwned> Answer<R> {
    fn outcome(self) -> Result<R, ApiFailure> {
        if self.ok {
            let nothing = || serde_json::from_str("null").map_err(|_| ApiFailure::AnswerLost);
            return self.result.map_or_else(nothing, Ok);
        }
        let description = self.description.unwrap_or_default().to_ascii_lowercase();
        let has = |words: &str| description.contains(words);
        let retry_after = self.parameters.and_then(|parameters| parameters.retry_after);
        Err(match (self.error_code.unwrap_or(0), retry_after) {
            (429, pause) => ApiFailure::RetryAfter(Duration::from_secs(pause.unwrap_or(1))),
            (401, _) => ApiFailure::Unauthorized,
            // What Telegram answers to a token that is not one.
            (404, _) if !has("chat") => ApiFailure::Unauthorized,
            (403, _) if has("blocked by the user") => ApiFailure::Blocked,
            (403, _) if has("deactivated") || has("initiate conversation") => {
                ApiFailure::ChatNotFound
            }
            (403, _) => ApiFailure::Rejected,
            (409, _) => ApiFailure::Conflict,
            (500.., _) => ApiFailure::AnswerLost,
            _ if has("chat not found") || has("peer_id_invalid") => ApiFailure::ChatNotFound,
            _ => ApiFailure::Rejected,
        })
    }
}

/// `SendMessage` → `sendMessage`.
fn camel_case(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}
