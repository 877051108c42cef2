//! Twins in flight share one answer: a hundred callers who miss the same entry at one moment send one request.
//!
//! A flight runs as a task of its own, so whoever started it may leave without taking it down; when the last one who waits
//! for it has left, it is aborted. What must not be shared (an answer that is not to be kept, an error of the leader's own
//! impatience) releases the others, who go on by themselves.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_util::task::AbortOnDropHandle;

use crate::cache::Key;
use crate::response::Response;
use crate::runtime::{is_here, spawn};
use crate::stage::Stage;
use crate::tasks::Tasks;
use crate::{Error, Kind};

/// What tells twins: a hash over everything that shapes the request and its answer, identity included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Twin(pub(crate) [u8; 32]);

/// How a flight ended.
#[derive(Clone, Debug)]
pub(crate) struct Landing {
    /// What its leader gets.
    pub(crate) result: Result<Response, Error>,
    /// Whether the others get it too.
    pub(crate) shared: bool,
}

/// The flights of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flights {
    list: Arc<Mutex<List>>,
    tasks: Tasks,
}

/// Aborted flights leave their line behind. They are swept out whenever the list has doubled, so that it cannot grow for ever
/// and a long one is not gone through each time.
#[derive(Debug, Default)]
struct List {
    flights: HashMap<Twin, Listed>,
    /// How long it was after it was swept last.
    swept: usize,
}

/// A shorter list is not worth sweeping.
const WORTH_SWEEPING: usize = 64;

impl List {
    fn sweep(&mut self) {
        if self.flights.len() > WORTH_SWEEPING.max(self.swept * 2) {
            self.flights.retain(|_, listed| listed.flight.strong_count() > 0);
            self.swept = self.flights.len();
        }
    }
}

/// A flight in the list, with a number of its own: another may have taken the place of one that was aborted.
#[derive(Debug)]
struct Listed {
    number: u64,
    flight: Weak<Flight>,
}

#[derive(Debug)]
struct Flight {
    landed: watch::Receiver<Option<Landing>>,
    task: AbortHandle,
}

impl Drop for Flight {
    /// The last passenger has left. Aborting a task that has ended does nothing.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is being renewed in the background.
#[derive(Clone, Debug, Default)]
pub(crate) struct Renewals(Arc<Mutex<HashSet<Key>>>);

/// One renewal under way; the next may begin when this is dropped.
pub(crate) struct Renewal {
    all: Renewals,
    key: Key,
}

impl Renewals {
    /// `None` when one is under way.
    pub(crate) fn begin(&self, key: Key) -> Option<Renewal> {
        self.lock().insert(key).then(|| Renewal { all: self.clone(), key })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}

enum Seat {
    Leader(Arc<Flight>),
    Follower(Arc<Flight>),
}

impl Flights {
    /// Those of a session with these tasks.
    pub(crate) fn of(tasks: Tasks) -> Self {
        Self { tasks, ..Self::default() }
    }

    /// Joins the flight of a twin, or starts one.
    pub(crate) async fn join<F>(&self, twin: Twin, start: impl Fn() -> F) -> Result<Response, Error>
    where
        F: Future<Output = Landing> + Send + 'static,
    {
        loop {
            match self.board(twin, &start)? {
                Seat::Leader(flight) => {
                    return flight.landing().await.map_or_else(|| Err(self.lost()), |landing| landing.result);
                }
                Seat::Follower(flight) => match flight.landing().await {
                    Some(Landing { result, shared: true }) => return result.map(share),
                    Some(Landing { shared: false, .. }) => {
                        drop(flight);
                        return self.alone(start()).await;
                    }
                    // It went down with nothing to show for it; whoever comes first leads the next.
                    None => {}
                },
            }
        }
    }

    /// Runs a flight that nobody may join.
    pub(crate) async fn alone(&self, work: impl Future<Output = Landing> + Send + 'static) -> Result<Response, Error> {
        let work = self.tasks.bound(work);
        let landing = if is_here() {
            // Its owner's task does as well: nobody else waits for it, and it ends when its owner leaves.
            work.await
        } else {
            AbortOnDropHandle::new(spawn(work)?).await.ok().flatten()
        };
        landing.map_or_else(|| Err(self.lost()), |landing| landing.result)
    }

    fn board<F>(&self, twin: Twin, start: &impl Fn() -> F) -> Result<Seat, Error>
    where
        F: Future<Output = Landing> + Send + 'static,
    {
        if self.tasks.is_over() {
            return Err(closed());
        }
        let mut list = self.lock();
        if let Some(flight) = list.flights.get(&twin).and_then(|listed| listed.flight.upgrade())
            && !flight.is_lost()
        {
            return Ok(Seat::Follower(flight));
        }
        let (land, landed) = watch::channel(None);
        let (list_of_task, work, number) = (self.list.clone(), self.tasks.bound(start()), fastrand::u64(..));
        let task = spawn(async move {
            let landing = work.await;
            // Gone from the list before it is told: who comes now finds the answer in the store.
            if let Entry::Occupied(own) = lock(&list_of_task).flights.entry(twin)
                && own.get().number == number
            {
                own.remove();
            }
            land.send_replace(landing);
        })?;
        let flight = Arc::new(Flight { landed, task: task.abort_handle() });
        list.sweep();
        list.flights.insert(twin, Listed { number, flight: Arc::downgrade(&flight) });
        Ok(Seat::Leader(flight))
    }

    /// Why a flight ended without an answer.
    fn lost(&self) -> Error {
        if self.tasks.is_over() { closed() } else { vanished() }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        lock(&self.list)
    }
}

fn lock(list: &Mutex<List>) -> MutexGuard<'_, List> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Flight {
    async fn landing(&self) -> Option<Landing> {
        let mut landed = self.landed.clone();
        let landing = landed.wait_for(Option::is_some).await.ok()?;
        landing.clone()
    }

    /// Whether its task ended without a word (it panicked).
    fn is_lost(&self) -> bool {
        self.landed.has_changed().is_err() && self.landed.borrow().is_none()
    }
}

fn share(mut response: Response) -> Response {
    response.origin = response.origin.shared();
    response
}

fn closed() -> Error {
    Error::new(Stage::Coalesce, Kind::Closed)
}

fn vanished() -> Error {
    Error::new(Stage::Coalesce, Kind::Internal("the task that sent the request ended without an answer".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    const TWIN: Twin = Twin([7; 32]);

    fn refusal(shared: bool) -> Landing {
        Landing { result: Err(Error::new(Stage::Transport, Kind::NotCached)), shared }
    }

    #[tokio::test]
    async fn a_hundred_twins_fly_once() {
        let (flights, started, gate) = (Flights::default(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let start = {
            let (started, gate) = (started.clone(), gate.clone());
            move || {
                let (started, gate) = (started.clone(), gate.clone());
                async move {
                    started.fetch_add(1, Ordering::SeqCst);
                    gate.notified().await;
                    refusal(true)
                }
            }
        };
        let callers: Vec<_> = (0..100)
            .map(|_| {
                let (flights, start) = (flights.clone(), start.clone());
                tokio::spawn(async move { flights.join(TWIN, start).await.is_err() })
            })
            .collect();
        while flights.lock().flights.get(&TWIN).is_none_or(|listed| listed.flight.strong_count() < 100) {
            tokio::task::yield_now().await;
        }
        gate.notify_one();
        for caller in callers {
            assert!(caller.await.unwrap());
        }
        assert_eq!(started.load(Ordering::SeqCst), 1);
        assert!(flights.lock().flights.is_empty());
    }

    #[tokio::test]
    async fn lines_of_aborted_flights_are_swept_out() {
        let flights = Flights::default();
        for n in 0..10_000_u64 {
            let twin = Twin(*blake3::hash(&n.to_le_bytes()).as_bytes());
            // Looks for a seat, and leaves at once.
            drop(flights.board(twin, &std::future::pending::<Landing>).unwrap());
            assert!(flights.lock().flights.len() <= WORTH_SWEEPING + 1, "{n}");
        }
    }

    #[tokio::test]
    async fn a_leader_who_leaves_takes_nobody_down() {
        let (flights, gate) = (Flights::default(), Arc::new(Notify::new()));
        let start = {
            let gate = gate.clone();
            move || {
                let gate = gate.clone();
                async move {
                    gate.notified().await;
                    refusal(true)
                }
            }
        };
        let spawn_caller = || {
            let (flights, start) = (flights.clone(), start.clone());
            tokio::spawn(async move { flights.join(TWIN, start).await.is_err() })
        };
        let leader = spawn_caller();
        while flights.lock().flights.is_empty() {
            tokio::task::yield_now().await;
        }
        let follower = spawn_caller();
        while flights.lock().flights.get(&TWIN).is_none_or(|listed| listed.flight.strong_count() < 2) {
            tokio::task::yield_now().await;
        }
        leader.abort();
        gate.notify_one();
        assert!(follower.await.unwrap());
    }

    #[tokio::test]
    async fn what_is_not_shared_and_what_panics_releases_the_others() {
        let flights = Flights::default();
        let tries = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Notify::new());
        let start = {
            let (tries, gate) = (tries.clone(), gate.clone());
            move || {
                let (tries, gate) = (tries.clone(), gate.clone());
                async move {
                    if tries.fetch_add(1, Ordering::SeqCst) == 0 {
                        gate.notified().await;
                    }
                    refusal(false)
                }
            }
        };
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let (flights, start) = (flights.clone(), start.clone());
                tokio::spawn(async move { flights.join(TWIN, start).await.is_err() })
            })
            .collect();
        while flights.lock().flights.get(&TWIN).is_none_or(|listed| listed.flight.strong_count() < 3) {
            tokio::task::yield_now().await;
        }
        gate.notify_one();
        for caller in callers {
            assert!(caller.await.unwrap());
        }
        assert_eq!(tries.load(Ordering::SeqCst), 3);
    }
}
