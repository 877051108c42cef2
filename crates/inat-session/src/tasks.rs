//! What goes on in a session: requests in flight, bodies on their way, refreshes that nobody waits for, and the books that have
//! to be put right when one of these is cut off. Closing the session waits for what it owes; closing it at once ends the rest,
//! also what begins in that very moment.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::Clock;
use crate::runtime::{spawn, spawn_apart};

/// How long what was told to end, and what is owed for it, may take.
const MOMENT: Duration = Duration::from_secs(1);

/// The tasks of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    /// Everything that can be ended.
    bound: TaskTracker,
    /// What closing waits for.
    owed: TaskTracker,
    over: CancellationToken,
}

impl Tasks {
    /// Binds work to the session: `None` when that is over before the work is done.
    pub(crate) fn bound<F: Future>(&self, work: F) -> impl Future<Output = Option<F::Output>> + use<F> {
        self.bound.track_future(self.over.clone().run_until_cancelled_owned(work))
    }

    /// Starts work that nobody waits for, but for who closes the session. Where no thread can be had for it, it is left out:
    /// whatever it was for is not urgent.
    pub(crate) fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Err(error) = spawn(self.owed.track_future(self.bound(work))) {
            tracing::debug!("work in the background is left out: {error}");
        }
    }

    /// Starts work that has to be done although the session is over, and whoever waits for it leaves. It bounds itself, and runs
    /// where no caller's runtime takes it down.
    pub(crate) fn owe(&self, work: impl Future<Output = ()> + Send + 'static) -> Option<JoinHandle<()>> {
        let begun = spawn_apart(self.owed.track_future(work));
        begun.inspect_err(|error| tracing::warn!("something is left undone: {error}")).ok()
    }

    /// For as long as this is held, there may be something to be owed.
    pub(crate) fn promise(&self) -> TaskTrackerToken {
        self.owed.token()
    }

    /// Whether everything was told to end.
    pub(crate) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Waits for what is owed, at most this long; what is not done by then is ended.
    pub(crate) async fn finish(&self, patience: Duration) {
        self.owed.close();
        if self.owed.is_empty() {
            return;
        }
        let tasks = self.clone();
        // The wait runs where there is a timer, whatever executor the session is closed from. By the real clock, as the tasks do.
        let waiting = spawn_apart(async move {
            let clock = Clock::system();
            if clock.within(patience, tasks.owed.wait()).await.is_none() {
                tasks.end();
                clock.within(MOMENT, tasks.owed.wait()).await;
            }
        });
        if let Ok(waiting) = waiting {
            let _ = waiting.await;
        }
    }

    /// Ends everything that can be ended.
    pub(crate) fn end(&self) {
        self.over.cancel();
    }

    /// Ends when nothing goes on, after [`Tasks::end`].
    pub(crate) async fn ended(&self) {
        self.bound.close();
        self.owed.close();
        self.bound.wait().await;
        self.owed.wait().await;
    }

    /// Whether nothing is owed.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn is_idle(&self) -> bool {
        self.owed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_begins_when_it_is_over_ends_at_once() {
        let tasks = Tasks::default();
        tasks.end();
        assert_eq!(tasks.bound(std::future::pending::<()>()).await, None);
        tasks.start(std::future::pending());
        tasks.ended().await;
        assert!(tasks.is_idle());
    }

    #[tokio::test]
    async fn what_is_owed_is_waited_for_and_what_is_cut_off_may_owe() {
        struct Owes(Tasks, std::sync::mpsc::Sender<()>, #[allow(dead_code, reason = "it is held")] TaskTrackerToken);
        impl Drop for Owes {
            fn drop(&mut self) {
                let done = self.1.clone();
                drop(self.0.owe(async move { done.send(()).unwrap() }));
            }
        }
        let (tasks, (done, paid)) = (Tasks::default(), std::sync::mpsc::channel());
        let owes = Owes(tasks.clone(), done, tasks.promise());
        let cut_off = tokio::spawn(tasks.bound(async move {
            let _owes = owes;
            std::future::pending::<()>().await;
        }));
        tasks.finish(Duration::ZERO).await;
        assert!(paid.try_recv().is_ok(), "it was not waited for");
        assert_eq!(cut_off.await.unwrap(), None);
    }
}
