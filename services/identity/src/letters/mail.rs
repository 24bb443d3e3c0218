//! Mail, by SMTP (RFC 5321) or into a file.
//!
//! A remote server is spoken to over TLS alone: from the first byte (`smtps`), or after STARTTLS, without which
//! nothing is sent (RFC 8314). A server on this machine may do without, unless `?tls=required` stands in the URL.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error as SmtpError, SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT,
        client::{Certificate, Tls, TlsParameters},
    },
};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use url::{Host, Url};
use uuid::Uuid;

use super::{Sent, Sink, words::Words};

/// How long one step of the conversation with a server may take.
const STEP: Duration = Duration::from_secs(20);
/// How long all of it may take: less than a try has its row to itself.
const ALL: Duration = Duration::from_secs(90);

/// A mail server, as an operator sets it.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// `smtps://user:password@host:465`, or `smtp://…` for STARTTLS.
    pub url: SecretString,
    /// From whom: an address, or a name and an address.
    pub from: String,
    /// Certificates in the PEM form that are trusted besides those that all trust.
    pub authorities: Option<Vec<u8>>,
}

/// Settings with which no mail can be sent.
#[derive(Debug, thiserror::Error)]
pub enum BadMail {
    /// The URL.
    #[error("smtp-url must be smtps:// or smtp:// with a host")]
    Url,
    /// The sender.
    #[error("mail-from must be an address, such as Meydan <post@meydan.example>")]
    From,
    /// The certificates.
    #[error("smtp-ca-file must hold certificates in the PEM form")]
    Authorities,
}

/// How mail leaves.
#[derive(Debug, Clone)]
pub enum Mail {
    /// To a server.
    Server {
        /// Which.
        transport: Box<AsyncSmtpTransport<Tokio1Executor>>,
        /// From whom.
        from: Mailbox,
    },
    /// Into a file.
    Sink(Sink),
}

impl Mail {
    /// Sends through a server.
    ///
    /// # Errors
    ///
    /// See [`BadMail`].
    pub fn server(smtp: &Smtp) -> Result<Self, BadMail> {
        let url = Url::parse(smtp.url.expose_secret()).map_err(|_| BadMail::Url)?;
        let host = url.host_str().ok_or(BadMail::Url)?.trim_matches(['[', ']']).to_owned();
        let mut tls = TlsParameters::builder(host);
        for authority in smtp.authorities.iter().flat_map(|pem| certificates(pem)) {
            let authority = Certificate::from_pem(authority).map_err(|_| BadMail::Authorities)?;
            tls = tls.add_root_certificate(authority);
        }
        let tls = tls.build().map_err(|_| BadMail::Url)?;
        let open = is_here(&url) && url.query() != Some("tls=required");
        let (tls, port) = match url.scheme() {
            "smtps" => (Tls::Wrapper(tls), SUBMISSIONS_PORT),
            "smtp" if open => (Tls::None, SMTP_PORT),
            "smtp" => (Tls::Required(tls), SUBMISSION_PORT),
            _ => return Err(BadMail::Url),
        };
        let port = url.port().unwrap_or(port);
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str());
        let server = server.map_err(|_| BadMail::Url)?.tls(tls).port(port).timeout(Some(STEP));
        let from = smtp.from.parse().map_err(|_| BadMail::From)?;
        Ok(Self::Server { transport: Box::new(server.build()), from })
    }

    /// Whether people really get it.
    #[must_use]
    pub const fn reaches_people(&self) -> bool {
        matches!(self, Self::Server { .. })
    }

    pub(super) async fn send(
        &self,
        (letter, at): (Uuid, OffsetDateTime),
        to: &str,
        words: &Words,
    ) -> Sent {
        match self {
            Self::Sink(sink) => {
                let Words { subject, text, .. } = words;
                let entry = format!("To: {to}\nSubject: {subject}\n\n{text}\n\n---\n");
                sink.add(entry).await.map_or(Sent::Later, |()| Sent::Accepted)
            }
            Self::Server { transport, from } => {
                let Ok(message) = message(from, (letter, at), to, words) else {
                    return Sent::Dead("bad_address");
                };
                match tokio::time::timeout(ALL, transport.send(message)).await {
                    Ok(Ok(_)) => Sent::Accepted,
                    Ok(Err(error)) => judge(&error),
                    Err(_) => Sent::Later,
                }
            }
        }
    }
}

/// The certificates of a PEM file, one by one.
fn certificates(pem: &[u8]) -> impl Iterator<Item = &[u8]> {
    const END: &[u8] = b"-----END CERTIFICATE-----";
    let mut rest = pem;
    std::iter::from_fn(move || {
        let end = rest.windows(END.len()).position(|window| window == END)? + END.len();
        let (one, after) = rest.split_at(end);
        rest = after;
        Some(one)
    })
}

fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // Schemes that browsers do not know keep a literal address as a name.
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

/// What is said of a mailbox or of the letter itself is final; the rest (no connection, TLS, a wrong password of
/// ours, 4xx) may pass. RFC 5321, 4.2.3; RFC 7504.
fn judge(error: &SmtpError) -> Sent {
    let code = error.status().map(u16::from);
    tracing::warn!(
        code,
        tls = error.is_tls(),
        timeout = error.is_timeout(),
        "a mail did not leave"
    );
    match code {
        Some(550..=553 | 556) => Sent::Dead("refused"),
        _ => Sent::Later,
    }
}

/// No program answers this letter (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The same letter has the same `Message-ID` in every try, so that a mailbox that got it twice can tell.
fn message(
    from: &Mailbox,
    (letter, at): (Uuid, OffsetDateTime),
    to: &str,
    words: &Words,
) -> Result<Message, Box<dyn std::error::Error>> {
    let id = format!("<{letter}@{}>", from.email.domain());
    Ok(Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.parse()?))
        .subject(words.subject.as_str())
        .message_id(Some(id))
        .date(at.into())
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(words.text.clone(), words.html.clone()))?)
}
