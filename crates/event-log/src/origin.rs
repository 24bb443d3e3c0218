//! From where a person acts. Whoever answers their call says it once, and every fact of theirs that the call leads to
//! carries it, as it carries the trace: a handler that is written tomorrow cannot forget it.

use uuid::Uuid;

use crate::envelope::Actor;

tokio::task_local! {
    static ORIGIN: Option<Origin>;
}

/// An account's network address, sealed under its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whose.
    pub account: Uuid,
    /// The sealed text.
    pub sealed: String,
}

/// Carries `act` out from an origin. What it leaves to other tasks comes from nowhere.
pub async fn from_origin<F: Future>(origin: Option<Origin>, act: F) -> F::Output {
    ORIGIN.scope(origin, act).await
}

/// The sealed address from which an actor acts at present. What others do in the same call is not theirs.
pub(crate) fn address_of(actor: &Actor) -> Option<String> {
    let Actor::Account { id, .. } = actor else { return None };
    let origin = ORIGIN.try_with(Clone::clone).ok().flatten()?;
    (origin.account == *id).then_some(origin.sealed)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Origin, from_origin};
    use crate::envelope::{Actor, Meta};

    #[tokio::test]
    async fn what_somebody_does_in_a_call_comes_from_where_they_are_and_nothing_else_does() {
        let (sara, ali) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let from = |actor| Meta::new(Uuid::from_u128(7), actor).address;
        let account = |id| Actor::Account { id, session: None };
        let origin = Origin { account: sara, sealed: "s1.x".to_owned() };

        let within = async {
            let service = from(Actor::Service { name: "crm".to_owned() });
            (from(account(sara)), from(account(ali)), from(Actor::Citizen { id: sara }), service)
        };

        let told = from_origin(Some(origin), within).await;
        assert_eq!(told, (Some("s1.x".to_owned()), None, None, None));
        assert_eq!(from(account(sara)), None, "the call is over");
        assert_eq!(from_origin(None, async { from(account(sara)) }).await, None);
    }
}
