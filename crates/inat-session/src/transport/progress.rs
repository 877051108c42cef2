//! What a request in flight is doing: connecting, sending or waiting for the answer. Each has a limit of its own, so each must
//! be seen. The client does not show it; its connector and the body it takes do.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tower_layer::Layer;
use tower_service::Service;

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

#[derive(Clone, Copy, Debug, Default)]
struct State {
    is_connecting: bool,
    is_sent: bool,
}

impl State {
    /// What is being done, and how long it may take. Connecting is bounded where it is done: what follows it, the wait for
    /// another slot, is not a part of it.
    fn limit(self, timeouts: Timeouts) -> (Phase, Option<Duration>) {
        match self {
            Self { is_connecting: true, .. } => (Phase::Connecting, None),
            Self { is_sent: false, .. } => (Phase::Sending, timeouts.send),
            Self { is_sent: true, .. } => (Phase::Reading, timeouts.read),
        }
    }
}

impl Progress {
    pub(super) fn of(departure: Departure, connect: Option<Duration>) -> Self {
        Self(Arc::new(Shared { state: watch::Sender::default(), departure, connect }))
    }

    /// The body, seen as it is taken. A small one is taken with the head.
    pub(super) fn watch(&self, body: Bytes) -> reqwest::Body {
        if body.len() <= PIECE {
            self.note(|state| state.is_sent = true);
            return body.into();
        }
        let progress = self.clone();
        let length = body.len() as u64;
        let pieces = stream::unfold(body, move |mut rest| {
            let progress = progress.clone();
            async move {
                if rest.is_empty() {
                    return None;
                }
                let piece = rest.split_to(rest.len().min(PIECE));
                progress.note(|state| state.is_sent = rest.is_empty());
                Some((Ok::<_, Infallible>(piece), rest))
            }
        });
        reqwest::Body::wrap(Sized { pieces: Box::pin(pieces), length })
    }

    /// Runs the request, so that the connector knows whose connection it makes.
    pub(super) async fn during<F: Future>(&self, request: F) -> F::Output {
        CURRENT.scope(self.clone(), request).await
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

    fn note(&self, change: impl FnOnce(&mut State)) {
        self.0.state.send_modify(change);
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
    S::Response: Send,
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
        Box::pin(async move {
            let Some(progress) = progress else { return connecting.await };
            let _connecting = Connecting::start(progress.clone());
            let connection = match progress.0.connect {
                None => connecting.await?,
                Some(limit) => match Clock::system().within(limit, connecting).await {
                    Some(connected) => connected?,
                    None => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
                },
            };
            if progress.0.departure.may_leave().await {
                Ok(connection)
            } else {
                Err("the request may not leave".into())
            }
        })
    }
}

/// A connection being made.
struct Connecting(Progress);

impl Connecting {
    fn start(progress: Progress) -> Self {
        progress.note(|state| state.is_connecting = true);
        Self(progress)
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        self.0.note(|state| state.is_connecting = false);
    }
}

/// A body in pieces whose length is known, so that it goes out with `Content-Length` and not in chunks.
struct Sized<S> {
    pieces: S,
    length: u64,
}

impl<S> http_body::Body for Sized<S>
where
    S: Stream<Item = Result<Bytes, Infallible>> + Unpin,
{
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        self.pieces.poll_next_unpin(context).map(|piece| piece.map(|piece| piece.map(http_body::Frame::data)))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.length)
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

    async fn connect(answers: bool, may_leave: bool, limit: Duration) -> (Result<&'static str, BoxError>, usize) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let departure = Departure::new(move || {
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
        assert_eq!((connected.unwrap(), asked), ("connected", 1));
        let (refused, asked) = connect(true, false, Duration::from_secs(60)).await;
        assert!(refused.is_err() && asked == 1);
        let (late, asked) = connect(false, true, Duration::ZERO).await;
        let late = late.unwrap_err().downcast::<io::Error>().unwrap();
        assert_eq!((late.kind(), asked), (io::ErrorKind::TimedOut, 0));
    }
}
