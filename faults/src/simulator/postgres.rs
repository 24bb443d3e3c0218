//! PostgreSQL on paper: sessions that end, locks that end with them, transactions that happen wholly or not.

use std::collections::{BTreeMap, BTreeSet};

use meydan_testkit::model::{Checks, Log};
use uuid::Uuid;

use super::{
    Rule,
    plan::Added,
    world::{Scope, World},
};

/// A session in a transaction is ended when it rests for so many steps.
const IDLE: u64 = 600;

/// No answer came; whether something was done, nobody knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lost;

/// A session.
pub(super) type Session = u32;

/// Tables of readers, and how far they have come.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub(super) checkpoints: BTreeMap<&'static str, i64>,
    /// The sum and the number of facts of each counter.
    pub(super) rows: BTreeMap<(&'static str, Uuid), (i64, i64)>,
    /// Positions that the policy has answered ahead of its checkpoint.
    pub(super) inbox: BTreeSet<i64>,
}

impl Tables {
    pub(super) fn checkpoint(&self, reader: &'static str) -> i64 {
        self.checkpoints.get(reader).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, reader: &'static str, id: Uuid, by: i64) {
        let (sum, facts) = self.rows.entry((reader, id)).or_default();
        (*sum, *facts) = (*sum + by, *facts + 1);
    }
}

/// The server.
pub(super) struct Postgres {
    pub(super) up: bool,
    /// Its clock, in steps.
    pub(super) now: u64,
    sessions: BTreeMap<Session, u32>,
    next: Session,
    pub(super) log: Log<Added>,
    /// Of the log's own context.
    pub(super) here: Tables,
    /// Of another context, with a database of its own.
    pub(super) elsewhere: Tables,
    /// Who holds the checkpoint of a reader, since when.
    held: BTreeMap<&'static str, (Session, u64)>,
    /// Who leads the relays.
    pub(super) leader: Option<Session>,
    backup: Option<(Log<Added>, Tables)>,
}

impl Postgres {
    pub(super) fn new(without: Option<Rule>) -> Self {
        let checks = Checks {
            commands: without != Some(Rule::CommandIds),
            versions: without != Some(Rule::Versions),
            keys: without != Some(Rule::Keys),
        };
        Self {
            up: true,
            now: 0,
            sessions: BTreeMap::new(),
            next: 0,
            log: Log::new(checks),
            here: Tables::default(),
            elsewhere: Tables::default(),
            held: BTreeMap::new(),
            leader: None,
            backup: None,
        }
    }

    /// The tables of a reader.
    pub(super) fn tables(&mut self, reader: &'static str) -> &mut Tables {
        if reader == super::reader::COPIES { &mut self.elsewhere } else { &mut self.here }
    }

    fn lives(&self, session: Session) -> bool {
        self.up && self.sessions.contains_key(&session)
    }

    fn end(&mut self, session: Session) {
        self.sessions.remove(&session);
        self.held.retain(|_, (holder, _)| *holder != session);
        if self.leader == Some(session) {
            self.leader = None;
        }
    }

    /// Ends the sessions of a process that is gone.
    pub(super) fn end_of(&mut self, process: u32) {
        let all = self.sessions.iter().filter(|(_, owner)| **owner == process);
        for session in all.map(|(session, _)| *session).collect::<Vec<_>>() {
            self.end(session);
        }
    }

    /// Ends any session.
    pub(super) fn end_any(&mut self, dice: &mut fastrand::Rng) {
        if let Some(session) = dice.choice(self.sessions.keys().copied()) {
            self.end(session);
        }
    }

    /// What is committed stays; sessions end.
    pub(super) fn crash(&mut self) {
        self.up = false;
        self.end_all();
    }

    /// Ends all sessions.
    pub(super) fn end_all(&mut self) {
        self.sessions.clear();
        self.held.clear();
        self.leader = None;
    }

    pub(super) fn back_up(&mut self) {
        self.backup = Some((self.log.clone(), self.here.clone()));
    }

    /// Puts the backup in place, and says where it ends; `None` without one.
    pub(super) fn restore(&mut self) -> Option<i64> {
        let (log, here) = self.backup.clone()?;
        self.crash();
        (self.log, self.here, self.up) = (log, here, true);
        Some(self.log.last())
    }

    /// Holds a checkpoint for a session, unless another one does.
    pub(super) fn try_hold(&mut self, reader: &'static str, session: Session) -> bool {
        match self.held.get(reader) {
            Some((holder, _)) if *holder == session => true,
            Some((holder, since)) => {
                let (holder, idle) = (*holder, self.now - since > IDLE);
                if idle {
                    self.end(holder);
                }
                false
            }
            None => {
                self.held.insert(reader, (session, self.now));
                true
            }
        }
    }

    pub(super) fn release(&mut self, reader: &'static str) {
        self.held.remove(reader);
    }
}

impl Scope {
    /// A new session.
    pub(super) async fn connect(&self) -> Result<Session, Lost> {
        self.step().await;
        let mut world = self.world();
        let postgres = &mut world.postgres;
        if !postgres.up {
            return Err(Lost);
        }
        postgres.next += 1;
        let session = postgres.next;
        postgres.sessions.insert(session, self.process);
        Ok(session)
    }

    /// A new session, however long it takes.
    pub(super) async fn session(&self) -> Session {
        loop {
            if let Ok(session) = self.connect().await {
                return session;
            }
        }
    }

    /// One statement: question and answer are each a step, and each may get lost.
    pub(super) async fn ask<T>(
        &self,
        session: Session,
        statement: impl FnOnce(&mut Postgres) -> T,
    ) -> Result<T, Lost> {
        self.step().await;
        let said = self.carry(session, statement)?;
        self.step().await;
        if self.world().postgres.lives(session) { Ok(said) } else { Err(Lost) }
    }

    fn carry<T>(
        &self,
        session: Session,
        statement: impl FnOnce(&mut Postgres) -> T,
    ) -> Result<T, Lost> {
        let mut world = self.world();
        let World { postgres, .. } = &mut *world;
        if !postgres.lives(session) {
            return Err(Lost);
        }
        if world.mishap(400) {
            world.postgres.end(session);
            return Err(Lost);
        }
        let said = statement(&mut world.postgres);
        if world.mishap(200) {
            world.postgres.end(session);
            return Err(Lost);
        }
        Ok(said)
    }

    /// Ends a session.
    pub(super) fn close(&self, session: Session) {
        self.world().postgres.end(session);
    }
}
