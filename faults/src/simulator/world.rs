//! What all actors share: dice, servers, the plan; and how an actor takes a step.

use std::{
    cell::{RefCell, RefMut},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use super::{Rule, jetstream::JetStream, plan::Plan, postgres::Postgres};

/// Everything outside the processes.
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub(super) struct World {
    pub(super) dice: fastrand::Rng,
    pub(super) step: u64,
    /// The time of faults is over.
    pub(super) calm: bool,
    /// PostgreSQL was restored from a backup.
    pub(super) restored: bool,
    /// A relay has called for an operator.
    pub(super) alarm: bool,
    /// No service starts before the operator has come: the databases are older than the streams.
    pub(super) closed: bool,
    pub(super) postgres: Postgres,
    pub(super) jetstream: JetStream,
    pub(super) plan: Plan,
    /// The first promise that was broken.
    pub(super) broken: Option<String>,
    pub(super) faults: u64,
    without: Option<Rule>,
    trace: bool,
}

impl World {
    pub(super) fn new(seed: u64, without: Option<Rule>, trace: bool) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let plan = Plan::new(&mut dice);
        Self {
            dice,
            step: 0,
            calm: false,
            restored: false,
            alarm: false,
            closed: false,
            postgres: Postgres::new(without),
            jetstream: JetStream::default(),
            plan,
            broken: None,
            faults: 0,
            without,
            trace,
        }
    }

    /// Whether a rule holds in this run.
    pub(super) fn holds(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// Whether something happens that happens once in so many times, and only while there are faults.
    pub(super) fn mishap(&mut self, once_in: u32) -> bool {
        !self.calm && self.dice.u32(..once_in) == 0
    }

    pub(super) fn note(&self, who: &str, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>6} {who}: {}", self.step, what());
        }
    }

    /// Says that a promise was broken; the first one counts.
    pub(super) fn breaks(&mut self, promise: String) {
        self.note("VERDICT", || promise.clone());
        self.broken.get_or_insert(promise);
    }
}

/// An actor's place in the world.
#[derive(Clone)]
pub(super) struct Scope {
    pub(super) world: Rc<RefCell<World>>,
    /// Its process.
    pub(super) process: u32,
    /// What it is.
    pub(super) actor: &'static str,
}

impl Scope {
    /// The world, between two steps.
    pub(super) fn world(&self) -> RefMut<'_, World> {
        self.world.borrow_mut()
    }

    /// Lets the others act, and maybe never comes back.
    #[expect(clippy::unused_self, reason = "it is the actor who takes the step")]
    pub(super) fn step(&self) -> impl Future<Output = ()> + use<> {
        Step(false)
    }

    /// Lets the others act for a while.
    pub(super) async fn pause(&self, steps: u32) {
        for _ in 0..steps {
            self.step().await;
        }
    }

    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        let world = self.world.borrow();
        if world.trace {
            world.note(&format!("{}.{}", self.process, self.actor), what);
        }
    }
}

struct Step(bool);

impl Future for Step {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        Poll::Pending
    }
}
