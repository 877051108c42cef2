//! One connection, from its first byte to its last, with a watchman beside it.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;

use crate::ask;
use crate::metrics::Gauge;
use crate::pulse::{End, Pulse, Watchman};
use crate::shared::{Shared, Stage};
use crate::streams::Streams;
use crate::wire::{Socket, Wire};

/// Most requests of one HTTP/2 connection at once. Clients take a hundred for granted until they are told otherwise (RFC 9113
/// §6.5.2), and would see those beyond refused.
const STREAMS: u32 = 100;
/// Bytes of bodies of one request that HTTP/2 takes in advance.
const STREAM_WINDOW: u32 = 256 << 10;
/// And of all of them on a connection.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of one answer that HTTP/2 keeps for a client that reads slowly.
const SEND_BUFFER: usize = 128 << 10;

/// Serves one connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, socket: Socket, pulse: Arc<Pulse>) {
    let _open = Gauge::up(&shared.metrics.connections);
    let local = socket.local_ip();
    let io = TokioIo::new(Wire::new(socket, pulse.clone()));
    let service = {
        let (shared, pulse) = (shared.clone(), pulse.clone());
        service_fn(move |request: Request<Incoming>| {
            // At once, not when the answer is first asked for: what else comes until then is not of this request.
            let begun = pulse.begin(request.version() >= Version::HTTP_2);
            let answer = ask::answer(shared.clone(), pulse.clone(), begun, local, request);
            async move { Ok::<_, Infallible>(answer.await) }
        })
    };
    let builder = builder(&shared);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut draining = pin!(shared.reaches(Stage::Draining));
    let mut left = pin!(pulse.until_left(shared.config.half_open));
    let mut told = false;
    let mut watchman = Watchman::new();
    let mut tick = tokio::time::interval(shared.config.tick());
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // What the client has sent is seen before it is judged.
            biased;
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!("a connection ended: {error}");
                }
                return;
            }
            () = &mut draining, if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            () = &mut left => {
                tracing::debug!("a client has left");
                return;
            }
            // It writes them itself, when it is polled next.
            () = pulse.words.rung() => {}
            can = pulse.has_to_leave() => {
                if can {
                    return;
                }
            }
            _ = tick.tick() => match watchman.look(&pulse, &shared.config) {
                None => {}
                Some(End::Idle) => return,
                Some(end) => {
                    shared.metrics.cut_off.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!("a connection was cut off: {end:?}");
                    return;
                }
            }
        }
    }
}

/// hyper's own timer for header sections is off: it would also end connections that are merely idle, and the watchman knows
/// the difference.
fn builder(shared: &Shared) -> auto::Builder<Streams> {
    let max_head = shared.config.max_head;
    let mut builder = auto::Builder::new(Streams::new(&shared.config, &shared.metrics));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(max_head.max(8 << 10))
        .auto_date_header(false)
        .http2()
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    builder
}
