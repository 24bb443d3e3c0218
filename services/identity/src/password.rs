//! Passwords: Argon2id (RFC 9106) with 19 MiB, 2 passes, 1 lane; as many at a time as there are cores.
//!
//! Whoever waits behind too many is told to come back, so that a rush of logins does not take the panel
//! down. An account that does not exist costs as much as one that does.

mod common;
mod finglish;
mod rules;

use std::sync::{Arc, LazyLock};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

pub use self::rules::{Chooser, Weakness};

/// How many may wait.
const QUEUE: usize = 200;

/// A hash of nothing anybody knows.
static DECOY: LazyLock<String> =
    LazyLock::new(|| hash(&uuid::Uuid::new_v4().to_string()).unwrap_or_default());

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
}

/// Cores, and who waits for them.
#[derive(Debug, Clone)]
struct Lane {
    cores: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let strangers = (cores / 2).max(1);
        Self { known: Lane::new((cores - strangers).max(1)), strangers: Lane::new(strangers) }
    }
}

impl Lane {
    fn new(cores: usize) -> Self {
        Self {
            cores: Arc::new(Semaphore::new(cores)),
            queue: Arc::new(Semaphore::new(QUEUE + cores)),
        }
    }

    /// The permits belong to the work: whoever hangs up stops waiting, but what has begun goes on, and nobody
    /// else gets its core before it ends.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = self.queue.clone().try_acquire_owned().map_err(|_| Busy)?;
        let core = self.cores.clone().acquire_owned().await.map_err(|_| Busy)?;
        let held = move || {
            let _permits = (place, core);
            work()
        };
        tokio::task::spawn_blocking(held).await.map_err(|_| Busy)
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
    ) -> Result<Result<String, Weakness>, Busy> {
        let judged =
            self.known.work(move || chooser.may_choose(&password).map(|()| hash(&password)));
        match judged.await? {
            Ok(hash) => Ok(Ok(hash.ok_or(Busy)?)),
            Err(weakness) => Ok(Err(weakness)),
        }
    }

    /// Whether `password` is what `hash` was made from; without a hash it never is, and takes as long.
    /// `known` tells whether it comes from whom the account knows.
    ///
    /// # Errors
    ///
    /// [`Busy`]
    pub async fn verify(
        &self,
        password: String,
        hash: Option<String>,
        known: bool,
    ) -> Result<bool, Busy> {
        let lane = if known { &self.known } else { &self.strangers };
        lane.work(move || {
            let known = hash.is_some();
            let decoy = DECOY.as_str();
            let hash = hash.unwrap_or_else(|| decoy.to_owned());
            let genuine = PasswordHash::new(&hash)
                .is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok());
            genuine && known
        })
        .await
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("the parameters are within bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &str) -> Option<String> {
    argon2().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Chooser, Lane, Passwords, QUEUE};

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let passwords = Passwords::default();
        let chosen = passwords.choose("correct horse battery".to_owned(), Chooser::default()).await;
        let hash = chosen.expect("there is room").expect("it is hard to guess");

        let right =
            passwords.verify("correct horse battery".to_owned(), Some(hash.clone()), true).await;
        let wrong = passwords.verify("correct horse batterz".to_owned(), Some(hash), false).await;
        let unknown = passwords.verify("correct horse battery".to_owned(), None, false).await;

        assert_eq!((right, wrong, unknown), (Ok(true), Ok(false), Ok(false)));
    }

    #[tokio::test]
    async fn whoever_hangs_up_frees_no_core_while_the_work_goes_on() {
        let lane = Lane::new(1);
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (finish, finished) = std::sync::mpsc::channel::<()>();
        let work = lane.work(move || {
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
