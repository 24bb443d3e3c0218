//! What may be asked of the inbox. Rows are opened here, when a page is rendered, and nowhere else.

use std::{collections::BTreeSet, time::Duration};

use crm_domain::{Body, File, Person};
use meydan_keyring::{Openers, Sealed};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{Crm, QueryError, place};
use crate::projections::{
    citizens::{self, CitizenRow},
    figures::{self, DayRow, Totals},
    messages::{self, MessageRow},
    tickets::{self, Filter, TicketRow},
};

/// How long a query waits for the position that it must show.
const PATIENCE: Duration = Duration::from_millis(500);

/// A ticket with what could be opened of it.
#[derive(Debug, Clone)]
pub struct OpenedTicket {
    /// As stored.
    pub row: TicketRow,
    /// First words; `None` when erased.
    pub subject: Option<String>,
    /// Who opened it; `None` when erased.
    pub person: Option<Person>,
}

/// A message with what could be opened of it.
#[derive(Debug, Clone)]
pub struct OpenedMessage {
    /// As stored.
    pub row: MessageRow,
    /// What it holds; `None` when erased.
    pub body: Option<Body>,
    /// Earlier texts, oldest first.
    pub earlier: Vec<String>,
    /// What its author is called.
    pub author: Option<String>,
}

/// A citizen with what could be opened of them, but for the name, which the ticket has.
#[derive(Debug, Clone)]
pub struct OpenedCitizen {
    /// As stored.
    pub row: CitizenRow,
    /// Their number; `None` when they have not shared it, or when erased.
    pub phone: Option<String>,
    /// The link through which they came first; `None` when there was none, or when erased.
    pub source: Option<String>,
}

/// A part of the list.
#[derive(Debug, Clone)]
pub struct Page {
    /// Newest word first.
    pub tickets: Vec<OpenedTicket>,
    /// Where the next part begins.
    pub next: Option<(OffsetDateTime, i64)>,
    /// How many stand where.
    pub counts: Vec<(String, i64)>,
    /// How many wait for an answer.
    pub unanswered: i64,
    /// The position that the list shows.
    pub position: i64,
}

/// A ticket, its messages and its citizen.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// The ticket.
    pub ticket: OpenedTicket,
    /// In order.
    pub messages: Vec<OpenedMessage>,
    /// Who writes, when the read model knows them.
    pub citizen: Option<OpenedCitizen>,
    /// Their other tickets, newest first.
    pub others: Vec<OpenedTicket>,
    /// The position that the page shows.
    pub position: i64,
}

type Result<T> = std::result::Result<T, QueryError>;

impl Crm {
    async fn reach(&self, min_position: i64) -> Result<i64> {
        if !self.inbox.wait_for(min_position, PATIENCE).await {
            return Err(QueryError::Behind);
        }
        Ok(self.inbox.position())
    }

    /// A part of the list.
    ///
    /// # Errors
    ///
    /// See [`QueryError`].
    pub async fn list(&self, tenant: Uuid, mut filter: Filter, min_position: i64) -> Result<Page> {
        let position = self.reach(min_position).await?;
        let most = filter.limit;
        filter.limit += 1;
        let pool = self.log.pool();
        let mut rows = tickets::list(pool, tenant, &filter).await?;
        let more = i64::try_from(rows.len()).is_ok_and(|found| found > most);
        if more {
            rows.pop();
        }
        let next = if more { rows.last().map(|row| (row.last_at, row.number)) } else { None };
        let (counts, unanswered) = tickets::counts(pool, tenant).await?;
        let tickets = self.open_tickets(tenant, rows).await?;
        Ok(Page { tickets, next, counts, unanswered, position })
    }

    async fn open_tickets(&self, tenant: Uuid, rows: Vec<TicketRow>) -> Result<Vec<OpenedTicket>> {
        let sealed = rows.iter().flat_map(|row| {
            [row.subject_sealed.as_deref(), row.person_sealed.as_deref()].into_iter().flatten()
        });
        let openers = self.openers(tenant, sealed).await?;
        Ok(rows
            .into_iter()
            .map(|row| OpenedTicket {
                subject: row.subject_sealed.as_deref().and_then(|sealed| {
                    open(&openers, sealed, &place::subject(tenant, row.ticket_id))
                }),
                person: row.person_sealed.as_deref().and_then(|sealed| {
                    open(&openers, sealed, &place::person(tenant, row.citizen_id))
                }),
                row,
            })
            .collect())
    }

    async fn openers<'a>(
        &self,
        tenant: Uuid,
        sealed: impl Iterator<Item = &'a str>,
    ) -> Result<Openers> {
        let keys = sealed
            .filter_map(|text| text.parse::<Sealed<()>>().ok())
            .map(|sealed| sealed.key_id())
            .collect::<BTreeSet<_>>();
        Ok(self.keyring.openers(tenant, keys.into_iter()).await?)
    }

    /// A ticket, its messages and its citizen.
    ///
    /// # Errors
    ///
    /// See [`QueryError`].
    pub async fn conversation(
        &self,
        tenant: Uuid,
        number: i64,
        min_position: i64,
    ) -> Result<Conversation> {
        let position = self.reach(min_position).await?;
        let pool = self.log.pool();
        let row = tickets::by_number(pool, tenant, number).await?.ok_or(QueryError::NotFound)?;
        let rows = messages::of_ticket(pool, tenant, row.ticket_id).await?;
        let citizen = match citizens::by_id(pool, tenant, row.citizen_id).await? {
            Some(citizen) => Some(self.open_citizen(tenant, citizen).await?),
            None => None,
        };
        let filter = Filter { citizen: Some(row.citizen_id), limit: 20, ..Filter::default() };
        let mut others = tickets::list(pool, tenant, &filter).await?;
        others.retain(|other| other.ticket_id != row.ticket_id);
        let messages = self.open_messages(tenant, rows).await?;
        let mut opened = self.open_tickets(tenant, vec![row]).await?;
        let ticket = opened.pop().ok_or(QueryError::NotFound)?;
        let others = self.open_tickets(tenant, others).await?;
        Ok(Conversation { ticket, messages, citizen, others, position })
    }

    async fn open_citizen(&self, tenant: Uuid, row: CitizenRow) -> Result<OpenedCitizen> {
        let sealed = [row.phone_sealed.as_deref(), row.source_sealed.as_deref()];
        let openers = self.openers(tenant, sealed.into_iter().flatten()).await?;
        let open = |sealed: Option<&str>, at| open(&openers, sealed?, &at);
        Ok(OpenedCitizen {
            phone: open(row.phone_sealed.as_deref(), place::phone(tenant, row.citizen_id)),
            source: open(row.source_sealed.as_deref(), place::source(tenant, row.citizen_id)),
            row,
        })
    }

    async fn open_messages(
        &self,
        tenant: Uuid,
        rows: Vec<MessageRow>,
    ) -> Result<Vec<OpenedMessage>> {
        let sealed = rows.iter().flat_map(|row| {
            [row.body_sealed.as_deref(), row.author_name_sealed.as_deref()].into_iter().flatten()
        });
        let openers = self.openers(tenant, sealed).await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let at = place::body(tenant, row.message_id);
                let earlier = row.earlier_sealed.iter();
                OpenedMessage {
                    body: row.body_sealed.as_deref().and_then(|sealed| open(&openers, sealed, &at)),
                    earlier: earlier
                        .filter_map(|sealed| open::<Body>(&openers, sealed, &at))
                        .map(|body| body.text)
                        .collect(),
                    author: row.author_name_sealed.as_deref().and_then(|sealed| {
                        open(&openers, sealed, &place::author(tenant, row.message_id))
                    }),
                    row,
                }
            })
            .collect())
    }

    /// The file of a message.
    ///
    /// # Errors
    ///
    /// See [`QueryError`].
    pub async fn attachment(&self, tenant: Uuid, message: Uuid) -> Result<File> {
        let sealed = messages::body(self.log.pool(), tenant, message).await?;
        let sealed = sealed.ok_or(QueryError::NotFound)?;
        let openers = self.openers(tenant, std::iter::once(sealed.as_str())).await?;
        let body: Option<Body> = open(&openers, &sealed, &place::body(tenant, message));
        body.and_then(|body| body.file).ok_or(QueryError::NotFound)
    }

    /// How things stand, and the days from `from` to `to`.
    ///
    /// # Errors
    ///
    /// See [`QueryError`].
    pub async fn figures(
        &self,
        tenant: Uuid,
        days: (Date, Date),
        zone: &str,
        min_position: i64,
    ) -> Result<(Totals, Vec<DayRow>)> {
        self.reach(min_position).await?;
        let pool = self.log.pool();
        let totals = figures::totals(pool, tenant).await?;
        Ok((totals, figures::days(pool, tenant, days, zone).await?))
    }

    /// Median minutes to the first answer of the tickets opened in each span.
    ///
    /// # Errors
    ///
    /// See [`QueryError`].
    pub async fn first_response(
        &self,
        tenant: Uuid,
        spans: [(OffsetDateTime, OffsetDateTime); 2],
    ) -> Result<[Option<f64>; 2]> {
        let pool = self.log.pool();
        let [late, early] = spans;
        Ok([
            figures::first_response(pool, tenant, late).await?,
            figures::first_response(pool, tenant, early).await?,
        ])
    }
}

/// Opens one ciphertext; `None` when its key is gone.
fn open<T: serde::de::DeserializeOwned>(
    openers: &Openers,
    sealed: &str,
    at: &meydan_keyring::Place,
) -> Option<T> {
    openers.open(&sealed.parse::<Sealed<T>>().ok()?, at)
}
