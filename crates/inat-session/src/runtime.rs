//! Where requests in flight run: a small tokio runtime of our own, started with the first request that has to be sent.
//!
//! A session is then independent of the runtime it is called from. It answers in any executor and in none (blocking), a
//! pooled connection outlives the runtime of the test or thread that made it (a known trap of clients that borrow their
//! caller's), and work in the background goes on whoever left. A cache hit never gets here, so it does not pay for it.

use std::future::Future;
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::task::JoinHandle;

use crate::stage::Stage;
use crate::{Error, Kind};

/// One for the process: flights of several sessions are few, and threads cost more than they do.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

fn handle() -> Result<&'static Handle, Error> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle());
    }
    let _turn = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.handle());
    }
    // One thread, beside those that wait for files: two wake each other for every request, which costs more processor time than it
    // saves, and are of use only to who asks for thousands a second.
    let runtime =
        Builder::new_multi_thread().worker_threads(1).thread_name("inat-session").enable_all().build().map_err(
            |error| Error::new(Stage::Transport, Kind::Internal(format!("no threads for the network: {error}"))),
        )?;
    Ok(RUNTIME.get_or_init(|| runtime).handle())
}

tokio::task_local! {
    /// Set where the caller's runtime may be trusted to outlive what is started on it.
    static HERE: ();
}

/// Runs a future whose flights stay on the caller's runtime. Not on one with a single thread, which file access would block.
pub(crate) async fn here<F: Future>(future: F) -> F::Output {
    match Handle::try_current() {
        Ok(own) if own.runtime_flavor() == RuntimeFlavor::MultiThread => HERE.scope((), future).await,
        _ => future.await,
    }
}

/// Runs a future on it, or on the caller's where that is settled.
pub(crate) fn spawn<F>(future: F) -> Result<JoinHandle<F::Output>, Error>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match HERE.try_with(|()| Handle::try_current()) {
        Ok(Ok(own)) => Ok(own.spawn(HERE.scope((), future))),
        _ => Ok(handle()?.spawn(future)),
    }
}

/// Runs a future on it, whatever the caller trusts: for what has to be done although the caller's runtime ends.
pub(crate) fn spawn_apart<F>(future: F) -> Result<JoinHandle<F::Output>, Error>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Ok(handle()?.spawn(future))
}

/// Whether flights stay on the caller's runtime.
pub(crate) fn is_here() -> bool {
    HERE.try_with(|()| ()).is_ok()
}

/// Runs work that may wait for a file. Other tasks of the runtime go on elsewhere meanwhile, where it has more than one thread: a
/// future may have been moved since it was begun.
pub(crate) fn may_wait<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current() {
        Ok(own) if own.runtime_flavor() == RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

/// Runs a future on this thread, for code that is not async.
///
/// # Errors
/// [`Kind::InsideAsync`] when this thread is busy polling tasks, tokio's or those of an executor of `futures`.
pub(crate) fn wait<F: Future>(future: F) -> Result<F::Output, Error> {
    if inside_async() || futures_executor::enter().is_err() {
        return Err(Error::new(Stage::Prepare, Kind::InsideAsync));
    }
    Ok(futures_executor::block_on(future))
}

/// Whether this thread is busy polling a tokio task, so that blocking it would stall others.
///
/// `Handle::try_current` alone also says yes inside `spawn_blocking`, where blocking is what one is there for. The difference
/// that tokio lets us see is the cooperative budget: a task has one and it runs out, a blocking thread has none.
fn inside_async() -> bool {
    use std::task::{Context, Poll, Waker};
    use tokio::task::coop::poll_proceed;

    if Handle::try_current().is_err() {
        return false;
    }
    let mut context = Context::from_waker(Waker::noop());
    let mut held = Vec::with_capacity(257);
    // A budget is at most 255 (a `u8` in tokio). Each guard gives back what it took when it is dropped.
    for _ in 0..=256 {
        match poll_proceed(&mut context) {
            Poll::Ready(guard) => held.push(guard),
            Poll::Pending => {
                while held.pop().is_some() {}
                return true;
            }
        }
    }
    while held.pop().is_some() {}
    false
}

#[cfg(test)]
mod tests {
    use super::inside_async;

    #[test]
    fn tells_tasks_from_blocking_threads() {
        assert!(!inside_async());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        assert!(runtime.block_on(async { inside_async() }));
        assert!(runtime.block_on(async { tokio::spawn(async { inside_async() }).await.unwrap() }));
        assert!(!runtime.block_on(async { tokio::task::spawn_blocking(inside_async).await.unwrap() }));
        let _entered = runtime.enter();
        assert!(!inside_async());
    }

    #[test]
    fn asking_costs_the_task_nothing() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..10_000 {
                assert!(inside_async());
            }
            assert!(tokio::task::coop::has_budget_remaining());
        });
    }
}
