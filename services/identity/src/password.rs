//! Passwords: Argon2id (RFC 9106) with one lane, and at least 19 MiB and 2 passes; as many at a time as there are cores.
//!
//! Whoever waits behind too many is told to come back, so that a rush of logins does not take the panel
//! down. An account that does not exist costs as much as one that does.
//!
//! What is hashed is the password as it is written in one way, whatever keyboard typed it, with a pepper; such a hash
//! says so. One that does not is older, or another system's: it is judged without, by the bytes that were typed.

mod common;
mod finglish;
mod imported;
mod keyboards;
mod pepper;
mod rules;
mod tuning;
mod work;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use argon2::password_hash::phc::PasswordHash;
use tokio::sync::{Semaphore, oneshot};

pub use self::{
    imported::{Imported, NotImported},
    pepper::Pepper,
    rules::{Chooser, Weakness},
    tuning::{LEAST_MEMORY, LEAST_PASSES, Parameters, TARGET},
};
use self::{keyboards::uniform, work::Memory};

/// How many may wait.
const QUEUE: usize = 200;
/// How many of the slowest hashes fit between the moments at which wrong passwords are answered: the failure has to be
/// noted as well.
const STEPS: u32 = 2;

/// There are too many ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked; try again")]
pub struct Busy;

/// Hashes and checks. Strangers have a part of the cores to themselves, and a queue of their own: however many
/// guess at once, people whom their account knows are not kept waiting by them.
#[derive(Debug, Clone)]
pub struct Passwords {
    known: Lane,
    strangers: Lane,
    parameters: Parameters,
    /// A hash of nothing anybody knows.
    decoy: Arc<str>,
    /// Nanoseconds of the slowest hash: ours, or one of another system that was seen since the start.
    slowest: Arc<AtomicU64>,
}

/// A password that was judged.
#[derive(Debug, Clone, Copy)]
pub struct Judged {
    /// How.
    pub verdict: Verdict,
    /// When that began.
    began: Instant,
}

/// How a password was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is another one, or there is none.
    Wrong,
    /// It is the one.
    Right,
    /// It is the one, and its hash is another system's, or was less work than it is now, or has no pepper: it has to be
    /// made anew.
    Outdated,
}

/// Cores, and who waits for them.
///
/// Each core has a thread of its own, and that the memory which a hash fills.
#[derive(Debug, Clone)]
struct Lane {
    cores: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    hands: mpsc::Sender<Job>,
}

/// What one of the threads does.
type Job = Box<dyn FnOnce(&mut Memory) + Send>;

impl Passwords {
    /// Hashes with so much work.
    #[must_use]
    pub fn new(parameters: Parameters) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let strangers = (cores / 2).max(1);
        let began = Instant::now();
        let nobodys = Pepper::new(uuid::Uuid::new_v4().into_bytes());
        let decoy = uuid::Uuid::new_v4().to_string();
        let decoy = hash(&decoy, (parameters, &nobodys), &mut Memory::default());
        Self {
            slowest: Arc::new(AtomicU64::new(nanoseconds(began.elapsed()))),
            known: Lane::new((cores - strangers).max(1)),
            strangers: Lane::new(strangers),
            parameters,
            decoy: decoy.unwrap_or_default().into(),
        }
    }
}

impl Lane {
    fn new(cores: usize) -> Self {
        let (hands, jobs) = mpsc::channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..cores {
            let jobs = jobs.clone();
            std::thread::spawn(move || {
                let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let mut memory = Memory::default();
                while let Ok(job) = next() {
                    // Whoever waits for it is told by what it has dropped.
                    let _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
                }
            });
        }
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            queue: Arc::new(Semaphore::new(QUEUE + cores)),
            hands,
        }
    }

    /// The permits belong to the work: whoever hangs up stops waiting, but what has begun goes on, and nobody
    /// else gets its core before it ends.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = self.queue.clone().try_acquire_owned().map_err(|_| Busy)?;
        let core = self.cores.clone().acquire_owned().await.map_err(|_| Busy)?;
        let (tell, told) = oneshot::channel();
        let held = move |memory: &mut Memory| {
            let _permits = (place, core);
            // Nobody may be there any more to be told.
            let _ = tell.send(work(memory));
        };
        self.hands.send(Box::new(held)).map_err(|_| Busy)?;
        told.await.map_err(|_| Busy)
    }
}

impl Passwords {
    /// Hashes a password, in the PHC form, if whoever chooses it may.
    ///
    /// # Errors
    ///
    /// [`Busy`]
    pub async fn choose(
        &self,
        password: String,
        chooser: Chooser,
        pepper: Pepper,
    ) -> Result<Result<String, Weakness>, Busy> {
        let parameters = self.parameters;
        let choose = move |memory: &mut Memory| {
            chooser.may_choose(&password).map(|()| hash(&password, (parameters, &pepper), memory))
        };
        match self.known.work(choose).await? {
            Ok(hash) => Ok(Ok(hash.ok_or(Busy)?)),
            Err(weakness) => Ok(Err(weakness)),
        }
    }

    /// Hashes a password that is in use, in the PHC form.
    ///
    /// # Errors
    ///
    /// [`Busy`]
    pub async fn hash_again(&self, password: String, pepper: Pepper) -> Result<String, Busy> {
        let parameters = self.parameters;
        let again = move |memory: &mut Memory| hash(&password, (parameters, &pepper), memory);
        self.known.work(again).await?.ok_or(Busy)
    }

    /// Waits for the next of even moments since a password began to be judged. Whoever is turned away at one of them
    /// cannot tell by the time what it was judged by: whether there is an account, nor whose system made its hash.
    pub async fn even(&self, judged: Judged) {
        let step = STEPS * Duration::from_nanos(self.slowest.load(Ordering::Relaxed).max(1));
        let steps = judged.began.elapsed().as_nanos() / step.as_nanos() + 1;
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        tokio::time::sleep_until((judged.began + step * steps).into()).await;
    }

    /// Whether `password` is what `hash` was made from; without a hash it never is, and takes as long.
    /// `known` tells whether it comes from whom the account knows.
    ///
    /// # Errors
    ///
    /// [`Busy`]
    pub async fn verify(
        &self,
        (password, hash): (String, Option<String>),
        pepper: Pepper,
        known: bool,
    ) -> Result<Judged, Busy> {
        let lane = if known { &self.known } else { &self.strangers };
        let (parameters, decoy, slowest) =
            (self.parameters, self.decoy.clone(), self.slowest.clone());
        lane.work(move |memory| {
            let began = Instant::now();
            let Some(hash) = hash else {
                let _ = judge(&password, &decoy, (parameters, &pepper), memory);
                return Judged { verdict: Verdict::Wrong, began };
            };
            let verdict = judge(&password, &hash, (parameters, &pepper), memory);
            if Imported::read(&hash).is_ok() {
                slowest.fetch_max(nanoseconds(began.elapsed()), Ordering::Relaxed);
            }
            Judged { verdict, began }
        })
        .await
    }
}

/// Whether two passwords are one, on whatever keyboards they were typed.
#[must_use]
pub fn are_one(one: &str, other: &str) -> bool {
    uniform(one) == uniform(other)
}

/// At most a second, however busy the machine was.
fn nanoseconds(took: Duration) -> u64 {
    u64::try_from(took.min(Duration::from_secs(1)).as_nanos()).expect("a second has few")
}

fn judge(
    password: &str,
    hash: &str,
    (parameters, pepper): (Parameters, &Pepper),
    memory: &mut Memory,
) -> Verdict {
    if let Ok(imported) = Imported::read(hash) {
        return if imported.is_of(password) { Verdict::Outdated } else { Verdict::Wrong };
    }
    let Ok(hash) = PasswordHash::new(hash) else { return Verdict::Wrong };
    let peppered = tuning::is_peppered(&hash);
    let right = if peppered {
        work::is_of(&hash, uniform(password).as_bytes(), Some(pepper), memory)
    } else {
        work::is_of(&hash, password.as_bytes(), None, memory)
    };
    match right {
        false => Verdict::Wrong,
        true if !peppered || parameters.exceed(&hash) => Verdict::Outdated,
        true => Verdict::Right,
    }
}

fn hash(
    password: &str,
    (parameters, pepper): (Parameters, &Pepper),
    memory: &mut Memory,
) -> Option<String> {
    work::hash(&parameters.peppered(pepper), uniform(password).as_bytes(), memory)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};

    use super::{
        Chooser, LEAST_MEMORY, Lane, Parameters, Passwords, Pepper, QUEUE, Verdict, mpsc, oneshot,
    };

    const PASSWORD: &str = "correct horse battery";

    fn pepper() -> Pepper {
        Pepper::new([7; 16])
    }

    /// How a password is judged by a hash.
    async fn judged(passwords: &Passwords, password: &str, hash: Option<&str>) -> Verdict {
        let shown = (password.to_owned(), hash.map(str::to_owned));
        passwords.verify(shown, pepper(), true).await.expect("there is room").verdict
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let passwords = Passwords::new(Parameters::default());
        let chosen = passwords.choose(PASSWORD.to_owned(), Chooser::default(), pepper()).await;
        let hash = chosen.expect("there is room").expect("it is hard to guess");

        assert_eq!(judged(&passwords, PASSWORD, Some(&hash)).await, Verdict::Right);
        assert_eq!(judged(&passwords, "correct horse batterz", Some(&hash)).await, Verdict::Wrong);
        assert_eq!(judged(&passwords, PASSWORD, None).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_judges_no_guess_without_the_pepper_and_one_of_before_it_is_outdated() {
        let (passwords, plain) = (Passwords::new(Parameters::default()), Argon2::default());
        let hash = passwords.hash_again(PASSWORD.to_owned(), pepper()).await.expect("it is made");
        let stolen = PasswordHash::new(&hash).expect("it has the PHC form");
        let other = Pepper::new([8; 16]);
        let others = passwords.verify((PASSWORD.to_owned(), Some(hash.clone())), other, true).await;

        assert!(plain.verify_password(PASSWORD.as_bytes(), &stolen).is_err());
        assert_eq!(others.expect("there is room").verdict, Verdict::Wrong);
        assert_eq!(judged(&passwords, PASSWORD, Some(&hash)).await, Verdict::Right);

        // Made before there was a pepper, on a keyboard whose digits are not written in one way either.
        let before = "correct horse battery \u{06f7}";
        let hash = plain.hash_password(before.as_bytes()).expect("it is made").to_string();
        assert_eq!(judged(&passwords, before, Some(&hash)).await, Verdict::Outdated);
        assert_eq!(judged(&passwords, PASSWORD, Some(&hash)).await, Verdict::Wrong);
        let anew = passwords.hash_again(before.to_owned(), pepper()).await.expect("it is made");
        let elsewhere = "correct horse battery 7";
        assert_eq!(judged(&passwords, elsewhere, Some(&anew)).await, Verdict::Right);
    }

    #[tokio::test]
    async fn a_hash_of_less_work_is_outdated_and_one_of_more_is_not() {
        let (few, many) = (Parameters::default(), Parameters::new(LEAST_MEMORY, 3));
        for (made, now, verdict) in [
            (few, few, Verdict::Right),
            (few, many, Verdict::Outdated),
            (many, few, Verdict::Right),
        ] {
            let hash = Passwords::new(made).hash_again(PASSWORD.to_owned(), pepper()).await;
            let hash = hash.expect("there is room");
            assert_eq!(judged(&Passwords::new(now), PASSWORD, Some(&hash)).await, verdict);
        }
    }

    #[tokio::test]
    async fn once_a_slower_hash_was_seen_all_wait_for_as_long() {
        let passwords = Passwords::new(Parameters::default());
        // PBKDF2 with as many rounds as are taken in, of nothing anybody knows.
        let salted = "pbkdf2_sha256$1500000$salt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let judge = async |hash: Option<&str>| {
            let shown = ("another password".to_owned(), hash.map(str::to_owned));
            passwords.verify(shown, pepper(), false).await.expect("there is room")
        };
        let imported = judge(Some(salted)).await;
        let took = imported.began.elapsed();

        let unknown = judge(None).await;
        passwords.even(unknown).await;

        assert_eq!(imported.verdict, Verdict::Wrong);
        let waited = unknown.began.elapsed();
        assert!(waited >= took.min(Duration::from_secs(1)), "{waited:?}, and a hash took {took:?}");
    }

    #[tokio::test]
    async fn whoever_hangs_up_frees_no_core_while_the_work_goes_on() {
        let lane = Lane::new(1);
        let (begun, has_begun) = oneshot::channel();
        let (finish, finished) = mpsc::channel::<()>();
        let work = lane.work(move |_| {
            begun.send(()).expect("the test waits");
            finished.recv().expect("the test lets it end");
        });

        tokio::select! {
            biased;
            _ = work => panic!("it has not been let end"),
            started = has_begun => started.expect("it began"),
        }
        // The caller is gone now, the work is not.
        assert_eq!(lane.cores.available_permits(), 0);
        assert_eq!(lane.queue.available_permits(), QUEUE);

        finish.send(()).expect("the work waits");
        let freed = lane.cores.acquire().await.expect("it is never closed");
        assert_eq!(lane.queue.available_permits(), QUEUE + 1);
        drop(freed);
    }
}
