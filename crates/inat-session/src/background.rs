//! Work that nobody waits for: refreshing what was served stale, storing what was streamed. It belongs to the session, and
//! closing the session waits for it, within a bound.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle};

use crate::Clock;
use crate::runtime::spawn;

/// The tasks of a session that run in the background.
#[derive(Clone, Debug, Default)]
pub(crate) struct Background(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Background {
    /// Starts a task. Where no thread can be had for it, it is left out: whatever it was for is not urgent.
    pub(crate) fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(task) = spawn(work) {
            let mut tasks = self.lock();
            tasks.retain(|task| !task.is_finished());
            tasks.push(task);
        }
    }

    /// Ends every task.
    pub(crate) fn end(&self) -> Vec<AbortHandle> {
        let tasks: Vec<_> = self.lock().drain(..).map(|task| task.abort_handle()).collect();
        tasks.iter().for_each(AbortHandle::abort);
        tasks
    }

    /// Waits for every task, at most this long; what is not done by then is aborted.
    pub(crate) async fn finish(&self, clock: &Clock, patience: Duration) {
        let tasks = std::mem::take(&mut *self.lock());
        if tasks.is_empty() {
            return;
        }
        let aborts: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        // The wait runs where there is a timer, whatever executor `close` was called from.
        let clock = clock.clone();
        let waiting = spawn(async move {
            tokio::select! {
                _ = futures_util::future::join_all(tasks) => true,
                () = clock.expire(patience) => false,
            }
        });
        let done = match waiting {
            Ok(waiting) => waiting.await.unwrap_or(false),
            Err(_) => false,
        };
        if !done {
            aborts.iter().for_each(AbortHandle::abort);
        }
    }

    /// Whether every task has ended.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().iter().all(JoinHandle::is_finished)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
