//! How much work hashing is: parameters of Argon2id, and which of them fit a machine.

use std::time::{Duration, Instant};

use argon2::{
    Algorithm, Argon2, KeyId, Params, ParamsBuilder, Version, password_hash::phc::PasswordHash,
};

use super::Pepper;

/// What a hash should take.
pub const TARGET: Duration = Duration::from_millis(100);
/// Least memory, in KiB, and what holds when nothing is set.
pub const LEAST_MEMORY: u32 = 19 * 1024;
/// Least passes, and what holds when nothing is set.
pub const LEAST_PASSES: u32 = 2;
/// Memory that is tried, in KiB. More is taken before more passes: memory is what an attacker lacks.
const MEMORIES: [u32; 4] = [LEAST_MEMORY, 32 * 1024, 46 * 1024, 64 * 1024];
/// Most passes that are tried.
const MOST_PASSES: u32 = 16;
/// How often each is measured; the middle counts.
const ROUNDS: usize = 5;
/// What a hash calls the pepper that it was made with, in the parameter `keyid` of its PHC form.
const PEPPER: &[u8] = b"k1";

/// How much work a hash is. One lane: hashes run beside each other instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Memory, in KiB.
    memory: u32,
    /// Passes over it.
    passes: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { memory: LEAST_MEMORY, passes: LEAST_PASSES }
    }
}

impl Parameters {
    /// So much memory, in KiB, and so many passes; never less than the least.
    #[must_use]
    pub fn new(memory: u32, passes: u32) -> Self {
        Self { memory: memory.max(LEAST_MEMORY), passes: passes.max(LEAST_PASSES) }
    }

    /// Memory, in KiB.
    #[must_use]
    pub const fn memory(self) -> u32 {
        self.memory
    }

    /// Passes over the memory.
    #[must_use]
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// With the pepper, as all hashes of ours are made.
    pub(super) fn peppered(self, pepper: &Pepper) -> Argon2<'_> {
        let name = KeyId::new(PEPPER).expect("the name is short");
        let params = ParamsBuilder::new()
            .m_cost(self.memory)
            .t_cost(self.passes)
            .p_cost(1)
            .keyid(name)
            .build();
        let params = params.expect("settings keep within what Argon2 bears");
        let argon2 =
            Argon2::new_with_secret(pepper.as_bytes(), Algorithm::Argon2id, Version::V0x13, params);
        argon2.expect("the pepper is short")
    }

    /// Without, as they were made before.
    pub(super) fn argon2(self) -> Argon2<'static> {
        let params = Params::new(self.memory, self.passes, 1, None);
        let params = params.expect("settings keep within what Argon2 bears");
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }

    /// Whether a hash was less work than this.
    pub(super) fn exceed(self, hash: &PasswordHash) -> bool {
        let work = |memory: u32, passes: u32| u64::from(memory) * u64::from(passes);
        Params::try_from(hash)
            .is_ok_and(|was| work(was.m_cost(), was.t_cost()) < work(self.memory, self.passes))
    }

    /// What one hash takes here.
    #[must_use]
    pub fn measure(self) -> Duration {
        let argon2 = self.argon2();
        let mut took: Vec<Duration> = (0..ROUNDS).map(|_| once(&argon2)).collect();
        took.sort_unstable();
        took[ROUNDS / 2]
    }

    /// The most work that stays within [`TARGET`] here; the least there is, where even that takes longer. `tell` hears
    /// what each took that was tried.
    #[must_use]
    pub fn fitting(mut tell: impl FnMut(Self, Duration)) -> Self {
        let mut fits = |parameters: &Self| {
            let took = parameters.measure();
            tell(*parameters, took);
            took <= TARGET
        };
        let with = |memory| Self::new(memory, LEAST_PASSES);
        let memory =
            MEMORIES.into_iter().map(with).take_while(&mut fits).last().unwrap_or_default();
        let more = (memory.passes + 1..=MOST_PASSES).map(|passes| Self { passes, ..memory });
        more.take_while(fits).last().unwrap_or(memory)
    }
}

/// Whether a hash says that it was made with the pepper.
pub(super) fn is_peppered(hash: &PasswordHash) -> bool {
    Params::try_from(hash).is_ok_and(|params| params.keyid() == PEPPER)
}

fn once(argon2: &Argon2<'_>) -> Duration {
    let (started, mut out) = (Instant::now(), [0; 32]);
    let hashed =
        argon2.hash_password_into(b"a password of a person", b"a salt of a hash", &mut out);
    hashed.expect("password and salt have lengths that Argon2 bears");
    started.elapsed()
}
