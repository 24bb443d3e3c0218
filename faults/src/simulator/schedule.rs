//! Who acts next, and what breaks meanwhile: the dice say both.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    pin::Pin,
    rc::Rc,
    task::{Context, Waker},
};

use super::{
    Rule, client, operator, reader, relay, verdict,
    world::{Scope, World},
};

/// The process of the operator and of the servers, which is not killed.
const OUTSIDE: u32 = 0;
/// Processes of the service.
const REPLICAS: usize = 2;
/// Clients in each.
const CLIENTS: usize = 3;
/// How long everything may take to come to rest after the last fault.
const PATIENCE: u64 = 200_000;

type Actor = Pin<Box<dyn Future<Output = ()>>>;

/// How much there was in a run, or in many.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ran {
    pub(crate) steps: u64,
    pub(crate) faults: u64,
    pub(crate) events: u64,
    pub(crate) acknowledged: u64,
}

impl std::ops::AddAssign for Ran {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.faults += other.faults;
        self.events += other.events;
        self.acknowledged += other.acknowledged;
    }
}

/// One run.
pub(crate) struct Simulation {
    world: Rc<RefCell<World>>,
    actors: Vec<(u32, Actor)>,
    /// Processes that sleep, and until which step.
    asleep: BTreeMap<u32, u64>,
    replicas: Vec<u32>,
    hired: u32,
    postgres_starts: u64,
    nats_starts: u64,
}

impl Simulation {
    /// A run whose every choice comes from `seed`.
    pub(crate) fn new(seed: u64, without: Option<Rule>, trace: bool) -> Self {
        let world = Rc::new(RefCell::new(World::new(seed, without, trace)));
        let mut simulation = Self {
            world,
            actors: Vec::new(),
            asleep: BTreeMap::new(),
            replicas: Vec::new(),
            hired: 0,
            postgres_starts: 0,
            nats_starts: 0,
        };
        let scope = simulation.scope(OUTSIDE, "operator");
        simulation.actors.push((OUTSIDE, Box::pin(operator::mend(scope))));
        for _ in 0..REPLICAS {
            simulation.hire();
        }
        simulation
    }

    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// The first promise that was broken.
    pub(crate) fn run(mut self) -> Result<Ran, String> {
        let (faulty, restores) = {
            let mut world = self.world.borrow_mut();
            (world.dice.u64(300..3_000), world.dice.u8(..3) == 0)
        };
        while self.world.borrow().step < faulty {
            if self.world.borrow_mut().dice.u8(..40) == 0 {
                self.fault(restores);
            }
            self.step();
            self.is_kept()?;
        }
        self.calm_down();
        let end = faulty + PATIENCE;
        while !verdict::rests(&self.world.borrow()) {
            for _ in 0..64 {
                self.step();
            }
            self.is_kept()?;
            if self.world.borrow().step > end {
                return Err(verdict::unrest(&self.world.borrow()));
            }
        }
        let world = self.world.borrow();
        verdict::judge(&world)?;
        Ok(Ran {
            steps: world.step,
            faults: world.faults,
            events: u64::try_from(world.postgres.log.last()).expect("positions are positive"),
            acknowledged: u64::try_from(world.plan.acknowledged.len()).expect("a run has few"),
        })
    }

    fn is_kept(&self) -> Result<(), String> {
        self.world.borrow_mut().broken.take().map_or(Ok(()), Err)
    }

    fn scope(&self, process: u32, actor: &'static str) -> Scope {
        Scope { world: self.world.clone(), process, actor }
    }

    /// Starts a process of the service.
    fn hire(&mut self) {
        self.hired += 1;
        let process = self.hired;
        self.replicas.push(process);
        let (memory, lease) = (client::Shared::default(), relay::Lease::default());
        let at = |actor| self.scope(process, actor);
        let mut actors: Vec<Actor> = vec![
            Box::pin(client::batch(at("batcher"), memory.clone())),
            Box::pin(relay::publish(at("relay"), lease.clone())),
            Box::pin(relay::watch(at("watch"), lease)),
            Box::pin(reader::sums(at("sums"))),
            Box::pin(reader::copies(at("copies"))),
            Box::pin(reader::mirror(at("mirror"), memory.clone())),
        ];
        for _ in 0..CLIENTS {
            actors.push(Box::pin(client::ask(at("client"), memory.clone())));
        }
        self.actors.extend(actors.into_iter().map(|actor| (process, actor)));
    }

    /// Ends a process between two steps; what it knew is gone, what it sent is not.
    fn kill(&mut self, process: u32) {
        self.actors.retain(|(owner, _)| *owner != process);
        self.replicas.retain(|replica| *replica != process);
        self.asleep.remove(&process);
        self.world.borrow_mut().postgres.end_of(process);
    }

    /// Lets one of all act.
    fn step(&mut self) {
        let step = {
            let mut world = self.world.borrow_mut();
            world.step += 1;
            world.postgres.now = world.step;
            world.postgres.up |= world.step >= self.postgres_starts;
            if world.step >= self.nats_starts {
                world.jetstream.down = false;
            }
            match world.dice.u8(..12) {
                0..3 => return world.deliver(),
                3 => return world.jetstream.flush(),
                _ => world.step,
            }
        };
        self.asleep.retain(|_, until| *until > step);
        let chosen = self.world.borrow_mut().dice.usize(..self.actors.len());
        let (process, actor) = &mut self.actors[chosen];
        let is_shut_out = *process != OUTSIDE && self.world.borrow().closed;
        if !self.asleep.contains_key(process) && !is_shut_out {
            // They never end, and nobody has to wake them.
            let _ = actor.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
    }

    /// Something breaks. Where PostgreSQL is restored, JetStream loses nothing: who loses both has lost facts, and
    /// other contexts that have read them do not notice.
    fn fault(&mut self, restores: bool) {
        let (kind, replica, while_) = {
            let mut world = self.world.borrow_mut();
            world.faults += 1;
            let replica = self.replicas[world.dice.usize(..self.replicas.len())];
            (world.dice.u8(..17), replica, world.dice.u64(20..600))
        };
        let until = self.world.borrow().step + while_;
        let what;
        match kind {
            0..3 => {
                what = format!("process {replica} is killed");
                self.kill(replica);
                self.hire();
            }
            3..6 => {
                what = format!("process {replica} sleeps until {until}");
                self.asleep.insert(replica, until);
            }
            6 => {
                what = format!("PostgreSQL is killed until {until}");
                self.world.borrow_mut().postgres.crash();
                self.postgres_starts = until;
            }
            7 | 10 if restores => what = self.restore(),
            8 => {
                what = "a backup is made".to_owned();
                self.world.borrow_mut().postgres.back_up();
            }
            9 => {
                let mut world = self.world.borrow_mut();
                if restores {
                    world.jetstream.flush();
                }
                what = world.crash_nats();
                self.nats_starts = until;
            }
            16 if !restores => what = self.world.borrow_mut().lose_message(),
            _ => what = self.world.borrow_mut().break_something(kind),
        }
        self.world.borrow().note("FAULT", || what);
    }

    /// PostgreSQL is restored from a backup, once; the services are stopped for it.
    fn restore(&mut self) -> String {
        let (end, stops) = {
            let mut world = self.world.borrow_mut();
            let end = if world.restored { None } else { world.postgres.restore() };
            let Some(end) = end else { return "nothing is restored".to_owned() };
            world.restored = true;
            // An operator who knows looks at once, and perhaps before anything starts; another one when a relay
            // calls.
            let stops = world.holds(Rule::StopForRestore);
            world.alarm = world.dice.bool();
            world.closed = world.alarm && stops && world.dice.bool();
            world.plan.forget_after(end);
            (end, stops)
        };
        if stops {
            for process in self.replicas.clone() {
                self.kill(process);
                self.hire();
            }
        }
        format!("the backup that ends at {end} is restored")
    }

    /// Nothing breaks any more.
    fn calm_down(&mut self) {
        self.asleep.clear();
        (self.postgres_starts, self.nats_starts) = (0, 0);
        let mut world = self.world.borrow_mut();
        world.calm = true;
        world.note("FAULT", || "no more".to_owned());
    }
}

impl World {
    fn crash_nats(&mut self) -> String {
        let Self { jetstream, dice, .. } = self;
        jetstream.crash(dice);
        format!("NATS is killed, and has {} messages", jetstream.last())
    }

    fn lose_message(&mut self) -> String {
        let Self { jetstream, dice, .. } = self;
        match jetstream.lose_one(dice) {
            Some(position) => format!("the stream loses its message {position}"),
            None => "the stream has nothing to lose".to_owned(),
        }
    }

    /// A store, a connection or a lock is lost; says which.
    fn break_something(&mut self, kind: u8) -> String {
        let Self { postgres, jetstream, dice, .. } = self;
        match kind {
            10 => {
                jetstream.delete();
                "the stream is deleted".to_owned()
            }
            11 | 12 => {
                jetstream.break_any(dice);
                "a connection to NATS breaks".to_owned()
            }
            13 => {
                postgres.end_any(dice);
                "a session with PostgreSQL ends".to_owned()
            }
            _ => {
                postgres.leader = None;
                "the lock of the leading relay is free".to_owned()
            }
        }
    }
}
