//! The one clock. Everything that reads the time or waits does it here, so that a test can own both.

#[cfg(any(test, feature = "testing"))]
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::Timestamp;

/// The system's clock, or one that a test moves by hand.
///
/// ```
/// use inat_session::Clock;
/// use std::time::Duration;
///
/// let clock = Clock::manual();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(90));
/// assert_eq!(clock.now().since(before), Duration::from_secs(90));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Clock(Kind);

#[derive(Clone, Debug, Default)]
enum Kind {
    #[default]
    System,
    #[cfg_attr(not(any(test, feature = "testing")), allow(dead_code, reason = "only tests make one"))]
    Manual(Arc<Mutex<Manual>>),
}

#[derive(Debug)]
struct Manual {
    id: u64,
    wall: Timestamp,
    monotonic: Duration,
    slept: Duration,
}

/// Two clocks that are read within this are read at once.
const MOMENT: Duration = Duration::from_millis(1);
const TRIES: u32 = 8;

impl Clock {
    /// The clock of the machine.
    pub const fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that stands still until somebody sleeps on it or moves it. It starts at 2026-01-01T00:00:00Z.
    ///
    /// Sleeping returns at once and moves the clock on by the time slept, so a test of an hour's waiting takes none.
    #[cfg(any(test, feature = "testing"))]
    pub fn manual() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let wall = Timestamp::from_secs(1_767_225_600);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(Kind::Manual(Arc::new(Mutex::new(Manual { id, wall, monotonic: Duration::ZERO, slept: Duration::ZERO }))))
    }

    /// The wall clock: what HTTP dates and stored entries speak of. It can be set back.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System => SystemTime::now().into(),
            Kind::Manual(manual) => lock(manual).wall,
        }
    }

    /// Time since some fixed moment of this process, never running backwards: for what took how long.
    pub fn monotonic(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        match &self.0 {
            Kind::System => START.get_or_init(Instant::now).elapsed(),
            Kind::Manual(manual) => lock(manual).monotonic,
        }
    }

    /// Time since the machine started, suspend included, which all its processes share and nobody can set, with a name of that
    /// start. To about 10 ms, at the moment `at` of the process's own time. `None` where the system does not tell (only Linux does
    /// so without `unsafe` code).
    pub(crate) fn uptime(&self, at: Duration) -> Option<(String, Duration)> {
        match &self.0 {
            Kind::System => {
                let (uptime, read_at) = self.at_one_moment(system_uptime);
                uptime.map(|(name, up)| (name, up.saturating_sub(read_at.saturating_sub(at))))
            }
            Kind::Manual(manual) => {
                let manual = lock(manual);
                Some((format!("manual {} {}", std::process::id(), manual.id), manual.monotonic))
            }
        }
    }

    /// The wall clock and the process's own time.
    pub(crate) fn both(&self) -> (Timestamp, Duration) {
        self.at_one_moment(|| self.now())
    }

    /// What is read, and when: read again when something came between, as on a busy machine.
    fn at_one_moment<T>(&self, read: impl Fn() -> T) -> (T, Duration) {
        let mut tries = 0;
        loop {
            let before = self.monotonic();
            let value = read();
            tries += 1;
            if tries == TRIES || self.monotonic().saturating_sub(before) <= MOMENT {
                return (value, before);
            }
        }
    }

    /// Waits. On the system clock this needs a tokio runtime, which every stage that waits runs on.
    pub async fn sleep(&self, duration: Duration) {
        match &self.0 {
            Kind::System => tokio::time::sleep(duration).await,
            Kind::Manual(manual) => {
                {
                    let mut manual = lock(manual);
                    manual.wall = manual.wall.plus(duration);
                    manual.monotonic = manual.monotonic.saturating_add(duration);
                    manual.slept = manual.slept.saturating_add(duration);
                }
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until a moment of the wall clock; returns at once when it has passed. Several sleepers until one moment wait
    /// for it together, also on a manual clock.
    pub async fn sleep_until(&self, at: Timestamp) {
        self.sleep(at.since(self.now())).await;
    }

    /// A deadline on something real: ends after `limit`. A manual clock has no part in how long real things take, so on it this
    /// never ends.
    pub(crate) async fn elapse(&self, limit: Duration) {
        match &self.0 {
            Kind::System => tokio::time::sleep(limit).await,
            Kind::Manual(_) => std::future::pending().await,
        }
    }

    /// A limit on how long a socket or another process may be silent: like a deadline, but time for which this process did not
    /// run hardly counts. It is waited for in parts, and when the process was stopped or the machine slept, that is one part;
    /// what came meanwhile is seen in the others, and not given up unread.
    pub(crate) async fn expire(&self, limit: Duration) {
        const LONGEST: Duration = Duration::from_secs(1);
        let part = (limit / 8).min(LONGEST);
        let mut left = limit;
        while !left.is_zero() {
            let now = left.min(part.max(Duration::from_millis(1)));
            self.elapse(now).await;
            left = left.saturating_sub(now);
        }
    }

    /// What a future comes to within a limit on silence. Time for which this process did not run, because it was stopped or the
    /// machine slept, hardly counts. A manual clock has no part in how long real things take: on it there is no limit.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let clock = inat_session::Clock::system();
    /// assert_eq!(clock.within(Duration::from_secs(60), std::future::ready(1)).await, Some(1));
    /// assert_eq!(clock.within(Duration::ZERO, std::future::pending::<()>()).await, None);
    /// # });
    /// ```
    pub async fn within<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            done = future => Some(done),
            () = self.expire(limit) => None,
        }
    }

    /// Waits without a runtime, on this thread: for bounded waits for a lock in code that is not async.
    pub(crate) fn pause(&self, duration: Duration) {
        match &self.0 {
            Kind::System => std::thread::sleep(duration),
            Kind::Manual(_) => self.shift(duration),
        }
    }

    fn shift(&self, duration: Duration) {
        if let Kind::Manual(manual) = &self.0 {
            let mut manual = lock(manual);
            manual.wall = manual.wall.plus(duration);
            manual.monotonic = manual.monotonic.saturating_add(duration);
        }
    }

    /// Moves a manual clock forward; does nothing to the system's.
    #[cfg(any(test, feature = "testing"))]
    pub fn advance(&self, duration: Duration) {
        self.shift(duration);
    }

    /// Sets the wall time of a manual clock, also backwards, as a person or NTP would; does nothing to the system's.
    #[cfg(any(test, feature = "testing"))]
    pub fn set(&self, now: Timestamp) {
        if let Kind::Manual(manual) = &self.0 {
            lock(manual).wall = now;
        }
    }

    /// All the time that was slept on a manual clock.
    #[cfg(any(test, feature = "testing"))]
    pub fn slept(&self) -> Duration {
        match &self.0 {
            Kind::System => Duration::ZERO,
            Kind::Manual(manual) => lock(manual).slept,
        }
    }
}

/// Two containers on one machine share its start, but may each have a time of their own; the namespace keeps them apart.
fn system_uptime() -> Option<(String, Duration)> {
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = uptime.split_whitespace().next()?.parse().ok()?;
    let start = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    Some((format!("{} {}", start.trim(), space.display()), Duration::try_from_secs_f64(seconds).ok()?))
}

/// A panic elsewhere cannot leave two numbers in a state worth refusing, so poison is ignored.
fn lock(manual: &Mutex<Manual>) -> std::sync::MutexGuard<'_, Manual> {
    manual.lock().unwrap_or_else(PoisonError::into_inner)
}
