//! What a request in flight is doing: connecting, sending or waiting for the answer. Each has a limit of its own, so each must
//! be seen. The client does not show it; its connector and the body it takes do.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tower_layer::Layer;
use tower_service::Service;

use super::{Fault, Phase, Timeouts};
use crate::Clock;

/// Bodies are handed to the connection in pieces of this size.
const PIECE: usize = 64 * 1024;

tokio::task_local! {
    /// The request whose future is being polled. A client polls the connector within the request that needs the connection.
    static CURRENT: Progress;
}

/// How far a request has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    is_connecting: bool,
    is_sent: bool,
}

impl State {
    /// What is being done, and how long it may take. Connecting is bounded by the client, which divides the time among the
    /// addresses of a host.
    fn limit(self, timeouts: Timeouts) -> (Phase, Option<Duration>) {
        match self {
            Self { is_connecting: true, .. } => (Phase::Connecting, None),
            Self { is_sent: false, .. } => (Phase::Sending, timeouts.send),
            Self { is_sent: true, .. } => (Phase::Reading, timeouts.read),
        }
    }
}

impl Progress {
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
        let mut news = self.0.subscribe();
        loop {
            let (phase, limit) = news.borrow_and_update().limit(timeouts);
            let expired = async {
                match limit {
                    Some(limit) => clock.expire(limit).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Ok(()) = news.changed() => {}
                () = expired => return Fault::Timeout { phase, after: limit.unwrap_or_default() },
            }
        }
    }

    fn note(&self, change: impl FnOnce(&mut State)) {
        self.0.send_modify(change);
    }
}

/// A layer of the connector that notes when a connection is being made.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoticeConnecting;

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
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let progress = CURRENT.try_with(Clone::clone).ok();
        let connecting = self.0.call(target);
        Box::pin(async move {
            let _connecting = progress.map(Connecting::start);
            connecting.await
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
