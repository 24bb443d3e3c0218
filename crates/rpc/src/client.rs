//! The calling end: a channel, and requests that carry deadline, caller, command id and trace.

use std::{net::SocketAddr, time::Duration};

use meydan_event_log::Meta;
use time::OffsetDateTime;
use tonic::{
    Request,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};
use uuid::Uuid;

use crate::caller::{Assertions, Caller};

/// How long a call may take, unless the caller says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Calls one service.
#[derive(Debug, Clone)]
pub struct Dial {
    audience: &'static str,
    assertions: Assertions,
    channel: Channel,
}

impl Dial {
    /// Will call service `audience` at `address`, connecting when first used and again when needed, and speak for those
    /// for whom `assertions` can.
    ///
    /// # Panics
    ///
    /// Never: an address always makes a URI.
    #[must_use]
    pub fn new(audience: &'static str, address: SocketAddr, assertions: Assertions) -> Self {
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .expect("an address makes a URI")
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(1))
            .connect_lazy();
        Self { audience, assertions, channel }
    }

    /// The channel, for a generated client.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// A question that `caller` asks.
    pub fn ask<T>(&self, caller: &Caller, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(DEADLINE);
        let now = OffsetDateTime::now_utc();
        let assertion = self.assertions.sign(self.audience, caller, now);
        request.metadata_mut().insert("caller", ascii(&assertion));
        if let Some(traceparent) = meydan_telemetry::traceparent() {
            request.metadata_mut().insert("traceparent", ascii(&traceparent));
        }
        request
    }

    /// A command that `caller` gives, carried out once under `command`.
    pub fn command<T>(&self, caller: &Caller, command: Uuid, message: T) -> Request<T> {
        let mut request = self.ask(caller, message);
        request.metadata_mut().insert("command-id", ascii(&command.to_string()));
        request
    }

    /// A command with which a policy answers a fact: `meta` says which, and of which request it is a part.
    pub fn answer<T>(&self, caller: &Caller, meta: &Meta, message: T) -> Request<T> {
        let mut request = self.command(caller, meta.command_id, message);
        let said = request.metadata_mut();
        said.insert("correlation-id", ascii(&meta.correlation_id.to_string()));
        if let Some(causation) = meta.causation_id {
            said.insert("causation-id", ascii(&causation.to_string()));
        }
        request
    }
}

fn ascii(text: &str) -> MetadataValue<Ascii> {
    text.parse().expect("base64, hexadecimal and dashes are ASCII")
}
