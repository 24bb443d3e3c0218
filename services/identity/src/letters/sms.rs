//! SMS, through any provider that takes an HTTP request, or into a file.

use std::time::Duration;

use reqwest::{
    Client, Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use url::{Url, form_urlencoded};

use super::{Sent, Sink};

/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A provider, as an operator sets it. `{to}` and `{text}` stand for number and message in URL and body.
#[derive(Debug, Clone)]
pub struct SmsProvider {
    /// Where the request goes. May hold a key.
    pub url: SecretString,
    /// `GET` or `POST`.
    pub method: String,
    /// One `Name: value` a line. May hold a key.
    pub headers: Option<SecretString>,
    /// What is sent: JSON when it begins with a brace or a bracket, else a form.
    pub body: Option<SecretString>,
}

/// Settings with which no SMS can be sent.
#[derive(Debug, thiserror::Error)]
pub enum BadSms {
    /// The URL.
    #[error("sms-url must be https:// with {{to}} and {{text}}, here or in sms-body")]
    Url,
    /// The method.
    #[error("sms-method must be GET or POST")]
    Method,
    /// The headers.
    #[error("sms-headers must be one `Name: value` a line")]
    Headers,
    /// No client can be made.
    #[error("no HTTP client can be made")]
    Client(#[from] reqwest::Error),
}

/// How SMS leave.
#[derive(Debug, Clone)]
pub enum Sms {
    /// To a provider.
    Provider(Box<Request>),
    /// Into a file.
    Sink(Sink),
}

/// The request that sends an SMS.
#[derive(Debug, Clone)]
pub struct Request {
    client: Client,
    url: SecretString,
    method: Method,
    headers: HeaderMap,
    body: Option<SecretString>,
}

impl Sms {
    /// Sends through a provider.
    ///
    /// # Errors
    ///
    /// See [`BadSms`].
    pub fn provider(provider: &SmsProvider) -> Result<Self, BadSms> {
        let url = filled(provider.url.expose_secret(), Escape::Url, "0", "0");
        let url = Url::parse(&url).map_err(|_| BadSms::Url)?;
        let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let body = provider.body.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
        let says = |part| provider.url.expose_secret().contains(part) || body.contains(part);
        if !(url.scheme() == "https" || here) || !says("{to}") || !says("{text}") {
            return Err(BadSms::Url);
        }
        let method = match provider.method.as_str() {
            "GET" => Method::GET,
            "POST" => Method::POST,
            _ => return Err(BadSms::Method),
        };
        let kind =
            if is_json(body) { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        let given = provider.headers.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
        for line in given.lines().filter(|line| !line.trim().is_empty()) {
            let (name, value) = line.split_once(':').ok_or(BadSms::Headers)?;
            let name: HeaderName = name.trim().parse().map_err(|_| BadSms::Headers)?;
            let mut value: HeaderValue = value.trim().parse().map_err(|_| BadSms::Headers)?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let client =
            Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none()).build()?;
        let (url, body) = (provider.url.clone(), provider.body.clone());
        Ok(Self::Provider(Box::new(Request { client, url, method, headers, body })))
    }

    /// Whether people really get it.
    #[must_use]
    pub const fn reaches_people(&self) -> bool {
        matches!(self, Self::Provider(_))
    }

    pub(super) async fn send(&self, to: &str, text: &str) -> Sent {
        match self {
            Self::Sink(sink) => {
                let sent = sink.add(format!("SMS to: {to}\n\n{text}\n\n---\n")).await;
                sent.map_or(Sent::Later, |()| Sent::Accepted)
            }
            Self::Provider(request) => request.send(to, text).await,
        }
    }
}

impl Request {
    /// What may have gone out is not sent again: each costs money, and whoever misses it asks for another.
    async fn send(&self, to: &str, text: &str) -> Sent {
        let url = filled(self.url.expose_secret(), Escape::Url, to, text);
        let mut request =
            self.client.request(self.method.clone(), url).headers(self.headers.clone());
        if let Some(body) = &self.body {
            let body = body.expose_secret();
            let escape = if is_json(body) { Escape::Json } else { Escape::Url };
            request = request.body(filled(body, escape, to, text));
        }
        // The URL, which errors tell, holds the number.
        match request.send().await.map_err(reqwest::Error::without_url) {
            Ok(answer) => match answer.status() {
                status if status.is_success() => Sent::Accepted,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Sent::Later,
                status if status.is_server_error() => Sent::Dead("in_doubt"),
                _ => Sent::Dead("refused"),
            },
            Err(error) if error.is_connect() => Sent::Later,
            Err(error) => {
                tracing::warn!(%error, "the answer about an SMS was lost");
                Sent::Dead("in_doubt")
            }
        }
    }
}

fn is_json(body: &str) -> bool {
    body.trim_start().starts_with(['{', '['])
}

/// How a value is written into a template.
#[derive(Clone, Copy)]
enum Escape {
    Url,
    Json,
}

impl Escape {
    fn escaped(self, text: &str) -> String {
        match self {
            Self::Url => form_urlencoded::byte_serialize(text.as_bytes()).collect(),
            Self::Json => {
                let quoted = serde_json::to_string(text).expect("a text is always JSON");
                quoted[1..quoted.len() - 1].to_owned()
            }
        }
    }
}

/// A template with its values, in one pass: what a value says is never a placeholder.
fn filled(template: &str, escape: Escape, to: &str, text: &str) -> String {
    let number = escape.escaped(to);
    let parts: Vec<_> =
        template.split("{text}").map(|part| part.replace("{to}", &number)).collect();
    parts.join(&escape.escaped(text))
}
