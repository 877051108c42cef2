//! What a request in flight is doing: connecting, sending or waiting for the answer. Each has a limit of its own, so each must
//! be seen, and what waits for a connection must ask whether it may still leave. The client does not show it; its connector and
//! the body it takes do.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Instrument;

use super::{Departure, Fault, Phase, Timeouts};
use crate::Clock;

/// Bodies are handed to the connection in pieces of this size.
const PIECE: usize = 64 * 1024;

tokio::task_local! {
    /// The request whose future is being polled. A client polls the connector within the request that needs the connection.
    static CURRENT: Progress;
}

/// How far a request has come, and what its connection has to know.
#[derive(Clone, Debug)]
pub(super) struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: watch::Sender<State>,
    departure: Departure,
    /// How long connecting may take.
    connect: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// Whether a connection was wanted for it, and did not fail.
    has_dialed: bool,
    /// Whether a connection has taken it.
    has_left: bool,
    is_sent: bool,
}

impl State {
    /// Whether it waits for a connection, or for the slot on which it may leave.
    fn is_dialing(self) -> bool {
        self.has_dialed && !self.has_left
    }

    /// What is being done, and how long it may take. Connecting is bounded where it is done: the wait for another slot is not a
    /// part of it.
    fn limit(self, timeouts: Timeouts) -> (Phase, Option<Duration>) {
        match self {
            _ if self.is_dialing() => (Phase::Connecting, None),
            Self { is_sent: false, .. } => (Phase::Sending, timeouts.send),
            Self { is_sent: true, .. } => (Phase::Reading, timeouts.read),
        }
    }
}

impl Progress {
    pub(super) fn of(departure: Departure, connect: Option<Duration>) -> Self {
        Self(Arc::new(Shared { state: watch::Sender::default(), departure, connect }))
    }

    /// The body, seen as it is taken.
    pub(super) fn watch(&self, body: Bytes) -> reqwest::Body {
        self.note_taken(&body);
        reqwest::Body::wrap(Watch { progress: self.clone(), rest: body })
    }

    /// A small body is taken with the head.
    fn note_taken(&self, rest: &Bytes) {
        if rest.len() <= PIECE {
            self.note(|state| state.is_sent = true);
        }
    }

    /// Runs the request, so that the connector knows whose connection it makes. `None`: it may not leave any more.
    pub(super) async fn during<F: Future>(&self, request: F) -> Option<F::Output> {
        let is_dialing = || self.0.state.borrow().is_dialing();
        self.0.departure.escort(is_dialing, CURRENT.scope(self.clone(), request)).await
    }

    /// Ends when nothing has moved for longer than the limit of what is being done.
    pub(super) async fn stalls(&self, timeouts: Timeouts, clock: &Clock) -> Fault {
        let mut news = self.0.state.subscribe();
        loop {
            let (phase, limit) = news.borrow_and_update().limit(timeouts);
            let expired = async {
                match limit {
                    Some(limit) => clock.expire(limit).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Ok(()) = news.changed() => {}
                () = expired => return Fault::Timeout { phase, after: limit.unwrap_or_default() },
            }
        }
    }

    /// Whoever watches hears of it where it changes anything.
    fn note(&self, change: impl FnOnce(&mut State)) {
        self.0.state.send_if_modified(|state| {
            let before = *state;
            change(state);
            *state != before
        });
    }

    /// A piece of the body was taken: that counts as a movement, whatever else there is to say.
    fn note_piece(&self, is_last: bool) {
        self.0.state.send_modify(|state| (state.has_left, state.is_sent) = (true, is_last));
    }
}

/// A layer of the connector that notes when a connection is being made.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoticeConnecting;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A connector that is watched.
#[derive(Clone, Debug)]
pub(super) struct Watched<S>(S);

impl<S> Layer<S> for NoticeConnecting {
    type Service = Watched<S>;

    fn layer(&self, connector: S) -> Watched<S> {
        Watched(connector)
    }
}

impl<S, R> Service<R> for Watched<S>
where
    S: Service<R, Error = BoxError>,
    S::Response: Send + 'static,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let progress = CURRENT.try_with(Clone::clone).ok();
        let connecting = self.0.call(target);
        let Some(progress) = progress else { return Box::pin(connecting) };
        progress.note(|state| state.has_dialed = true);
        // In a task of its own: no step of making a connection is a step of the request, but that it is there.
        let making = async move {
            let made = match progress.0.connect {
                None => connecting.await,
                Some(limit) => match Clock::system().within(limit, connecting).await {
                    Some(made) => made,
                    None => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
                },
            };
            // What fails is not to wait for a slot before it says so.
            progress.note(|state| state.has_dialed = made.is_ok());
            made
        };
        let making = AbortOnDropHandle::new(tokio::spawn(making.in_current_span()));
        Box::pin(async move { making.await? })
    }
}

/// A body in pieces that is watched. Its length is known, so that it goes out with `Content-Length` and not in chunks.
struct Watch {
    progress: Progress,
    rest: Bytes,
}

impl http_body::Body for Watch {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            self.progress.note(|state| state.has_left = true);
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.progress.note_piece(self.rest.is_empty());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    /// hyper asks when a connection has taken the request, and not before.
    fn is_end_stream(&self) -> bool {
        self.progress.note(|state| state.has_left = true);
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Connects at once, or never.
    #[derive(Clone)]
    struct Connector {
        answers: bool,
    }

    impl Service<()> for Connector {
        type Response = &'static str;
        type Error = BoxError;
        type Future = Pin<Box<dyn Future<Output = Result<&'static str, BoxError>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            if self.answers { Box::pin(async { Ok("connected") }) } else { Box::pin(std::future::pending()) }
        }
    }

    async fn connect(
        answers: bool,
        may_leave: bool,
        limit: Duration,
    ) -> (Option<Result<&'static str, BoxError>>, usize) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let departure = Departure::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(may_leave))
        });
        let mut watched = NoticeConnecting.layer(Connector { answers });
        let progress = Progress::of(departure, Some(limit));
        let connected = progress.during(async { watched.call(()).await }).await;
        (connected, asked.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn who_has_connected_asks_whether_it_may_still_leave() {
        let (connected, asked) = connect(true, true, Duration::from_secs(60)).await;
        assert_eq!((connected.unwrap().unwrap(), asked), ("connected", 1));
        let (refused, asked) = connect(true, false, Duration::from_secs(60)).await;
        assert!(refused.is_none() && asked == 1);
        let (late, asked) = connect(false, true, Duration::ZERO).await;
        let late = late.unwrap().unwrap_err().downcast::<io::Error>().unwrap();
        assert_eq!((late.kind(), asked), (io::ErrorKind::TimedOut, 0));
    }

    /// The time a request waits for another slot is none that its server is silent.
    #[tokio::test]
    async fn who_waits_for_another_slot_is_not_waiting_for_an_answer() {
        let departure = Departure::new(|_| {
            Box::pin(async {
                tokio::task::yield_now().await;
                true
            })
        });
        let progress = Progress::of(departure, None);
        let limits = Timeouts { connect: None, send: Some(Duration::ZERO), read: Some(Duration::ZERO) };
        let now = || progress.0.state.borrow().limit(limits);
        let body = Watch { progress: progress.clone(), rest: Bytes::new() };
        progress.note_taken(&body.rest);
        assert_eq!(now(), (Phase::Reading, limits.read), "on a connection that is there");
        let mut watched = NoticeConnecting.layer(Connector { answers: true });
        let request = async {
            watched.call(()).await.unwrap();
            assert_eq!(now(), (Phase::Connecting, None), "it stands, and nothing has been written to it");
            assert!(http_body::Body::is_end_stream(&body));
            assert_eq!(now(), (Phase::Reading, limits.read));
        };
        assert!(progress.during(request).await.is_some());
    }
}
