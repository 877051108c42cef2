//! The right to leave. It was given for a moment, and may have passed when there is a connection to leave on.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// What asks for it: whether the request may be sent.
pub(crate) type Asking = Pin<Box<dyn Future<Output = bool> + Send>>;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Whether the right that was given still holds; else for another.
    Still,
    /// For another: the first was used.
    Again,
}

/// Whether a request may leave, asked again by a transport that first had to make a connection for it.
#[derive(Clone, Default)]
pub struct Departure(Option<Arc<dyn Fn(Leave) -> Asking + Send + Sync>>);

impl Departure {
    pub(crate) fn new(ask: impl Fn(Leave) -> Asking + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }

    /// To be awaited when it has taken a while until the request can be written, as where a connection had to be made for it.
    /// Waits for another slot of the budget where the first has passed meanwhile; that may take as long as the caller has
    /// patience. `false`: the request must not be sent, and its caller knows why; it ends with [`super::Fault::Connect`].
    pub async fn may_leave(&self) -> bool {
        self.ask(Leave::Still).await
    }

    /// To be awaited before a transport sends the request a second time by itself: every attempt pays. `false` as above.
    pub async fn may_leave_again(&self) -> bool {
        self.ask(Leave::Again).await
    }

    async fn ask(&self, leave: Leave) -> bool {
        match &self.0 {
            None => true,
            Some(ask) => ask(leave).await,
        }
    }

    /// Runs a request that waits for a connection for as long as `is_dialing` says so, and asks whether it may still leave before
    /// every step it takes until then. `None`: it may not, and has not left.
    ///
    /// A client with a pool waits for two things at once, the connection it makes and one that comes free, and leaves at once on
    /// the one that is there first. So to ask when a connection has been made is not enough.
    pub async fn escort<F: Future>(&self, is_dialing: impl Fn() -> bool, request: F) -> Option<F::Output> {
        let Some(ask) = &self.0 else { return Some(request.await) };
        let mut request = pin!(request);
        let news = Arc::new(News { are_there: AtomicBool::new(true), waker: AtomicWaker::new() });
        let own_waker = Waker::from(Arc::clone(&news));
        let mut asking: Option<Asking> = None;
        poll_fn(move |context| {
            news.waker.register(context.waker());
            if asking.is_none() {
                // Others in the caller's task may have been woken: that is no step of the request.
                if !news.are_there.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
                asking = is_dialing().then(|| ask(Leave::Still));
            }
            if let Some(answer) = &mut asking {
                match answer.as_mut().poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(false) => return Poll::Ready(None),
                    Poll::Ready(true) => asking = None,
                }
            }
            news.are_there.store(false, Ordering::Release);
            request.as_mut().poll(&mut Context::from_waker(&own_waker)).map(Some)
        })
        .await
    }
}

/// Whether the request itself was woken.
struct News {
    are_there: AtomicBool,
    waker: AtomicWaker,
}

impl Wake for News {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.are_there.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl fmt::Debug for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Departure").field(&self.0.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    fn counting(may_leave: bool) -> (Departure, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let departure = Departure::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(may_leave))
        });
        (departure, asked)
    }

    #[test]
    fn it_asks_before_each_step_until_there_is_a_connection() {
        for may_leave in [true, false] {
            let (departure, asked) = counting(may_leave);
            let dialing = Arc::new(AtomicBool::new(false));
            let (connect, connected) = oneshot::channel();
            let (reply, replied) = oneshot::channel();
            let flag = Arc::clone(&dialing);
            let request = async move {
                flag.store(true, Ordering::SeqCst);
                connected.await.unwrap();
                flag.store(false, Ordering::SeqCst);
                replied.await.unwrap()
            };
            let escorted = departure.escort(|| dialing.load(Ordering::SeqCst), request);
            let mut escorted = Box::pin(escorted);
            for _ in 0..3 {
                assert!(escorted.as_mut().now_or_never().is_none());
            }
            assert_eq!(asked.load(Ordering::SeqCst), 0, "nothing has happened to it yet");
            connect.send(()).unwrap();
            if !may_leave {
                assert_eq!(escorted.as_mut().now_or_never(), Some(None));
                continue;
            }
            assert!(escorted.as_mut().now_or_never().is_none());
            reply.send("answer").unwrap();
            assert_eq!(escorted.as_mut().now_or_never(), Some(Some("answer")));
            assert_eq!(asked.load(Ordering::SeqCst), 1, "the answer is no departure");
        }
    }
}
