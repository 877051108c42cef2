//! Starting, accepting, and ending well.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::maybe_done;
use futures_util::poll;
use inat_session::{Session, SessionBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::gate::Gate;
use crate::hop::Via;
use crate::interim::Interim;
use crate::listen::Listener;
use crate::metrics::Metrics;
use crate::pulse::Pulse;
use crate::receive::Purse;
use crate::shared::{Shared, Stage};
use crate::transport::Raw;
use crate::wire::{Socket, Wire};
use crate::{Config, Error, Listen, connection};

/// Connections that wait for room, or are being told that there is none.
const SQUEEZED: usize = 128;
/// How long a new connection waits for an idle one to make room.
const ROOM: Duration = Duration::from_secs(1);

/// Opens the doors of a gateway. The session is built from `builder`, made [`plain`](SessionBuilder::plain), and sends over
/// the gateway's own transport; everything else about it (cache, budget, retries, timeouts) is the caller's.
///
/// # Errors
/// [`Error::Config`], [`Error::Listen`], [`Error::Session`].
pub async fn serve(mut config: Config, builder: SessionBuilder) -> Result<Gateway, Error> {
    config.check()?;
    let mut listeners = Vec::with_capacity(config.listen.len());
    let mut doors = Vec::with_capacity(config.listen.len());
    for listen in &config.listen {
        let (listener, door) = Listener::open(listen).await?;
        listeners.push(listener);
        doors.push(door);
    }
    config.listen = doors;
    let metrics = Arc::new(Metrics::default());
    let interim = Arc::new(Interim::default());
    let session = builder.plain().transport(Raw::new(&config, metrics.clone(), interim.clone())?).build()?;
    let (stage, seen) = watch::channel(Stage::Open);
    let headers_only = session.cache().is_headers_only();
    let shared = Shared {
        gate: Gate::new(&config),
        places: Semaphore::new(config.max_waiting.min(Semaphore::MAX_PERMITS)),
        via: Via::new(),
        purse: Purse::default(),
        answers: Purse::default(),
        stage: seen,
        metrics,
        interim,
        headers_only,
        session,
        config,
    };
    Ok(Gateway { shared: Arc::new(shared), listeners, stage })
}

/// A session for a server that is not iNaturalist's, so that a gateway in front of it is a plain proxy: no retries, every
/// answer is handed on whatever its status says about the rate, and bodies are nobody's business.
///
/// With [`SessionBuilder::headers_only`] and [`SessionBuilder::unlimited`] on top nothing is left but HTTP.
pub fn faithful(builder: SessionBuilder) -> SessionBuilder {
    builder.max_retries(0).limit_statuses([]).check_json(false)
}

/// A gateway whose doors are open; [`Gateway::run_until`] lets people in.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    listeners: Vec<Listener>,
    stage: watch::Sender<Stage>,
}

/// How a gateway ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that were still busy at the end of the time allowed, and were cut off.
    pub cut_off: usize,
    /// How long it took.
    pub took: Duration,
}

impl Gateway {
    /// Where it listens, with the ports that were free.
    pub fn listening(&self) -> &[Listen] {
        &self.shared.config.listen
    }

    /// The same as text: `http://127.0.0.1:8017`, `unix:/run/inat.sock`.
    pub fn addresses(&self) -> Vec<String> {
        self.listening().iter().map(ToString::to_string).collect()
    }

    /// The session behind it.
    pub fn session(&self) -> &Session {
        &self.shared.session
    }

    /// Serves until `shutdown` ends. Then no connection is taken any more, those under way may finish within
    /// [`Config::drain`], and the session is closed.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Drained {
        self.run(shutdown, std::future::pending()).await
    }

    /// The same; but where `hurry` ends while something is still under way, that may not finish. It is begun when `shutdown` has
    /// ended, and not before.
    pub async fn run(self, shutdown: impl Future<Output = ()>, hurry: impl Future<Output = ()>) -> Drained {
        let crowd = Arc::new(Crowd::new(self.shared));
        let mut doors = JoinSet::new();
        for listener in self.listeners {
            doors.spawn(crowd.clone().admit(listener));
        }
        shutdown.await;
        let started = Instant::now();
        let mut hurry = pin!(maybe_done(hurry));
        // From here on, whatever is done first.
        let _ = poll!(&mut hurry);
        // Dropped with their tasks: who connects now is refused by the system.
        doors.shutdown().await;
        self.stage.send_replace(Stage::Draining);
        let drain = crowd.shared.config.drain;
        let mut cut_off = 0;
        let is_empty = tokio::select! {
            is_empty = crowd.is_empty_within(drain) => is_empty,
            () = &mut hurry => false,
        };
        if !is_empty {
            // Those who wait are told; then it is over.
            self.stage.send_replace(Stage::Closing);
            if !crowd.is_empty_within(Duration::from_secs(1)).await {
                cut_off = crowd.end();
            }
        }
        let session = &crowd.shared.session;
        tokio::select! {
            () = session.close() => {}
            () = hurry => session.close_now().await,
        }
        Drained { cut_off, took: started.elapsed() }
    }
}

/// Everybody who is connected.
#[derive(Debug)]
struct Crowd {
    shared: Arc<Shared>,
    slots: Arc<Semaphore>,
    squeezed: Arc<Semaphore>,
    connections: Mutex<HashMap<u64, Present>>,
    next: AtomicU64,
    left: tokio::sync::Notify,
}

#[derive(Debug)]
struct Present {
    pulse: Arc<Pulse>,
    task: Option<tokio::task::AbortHandle>,
}

impl Crowd {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(shared.config.max_connections.min(Semaphore::MAX_PERMITS))),
            squeezed: Arc::new(Semaphore::new(SQUEEZED)),
            connections: Mutex::default(),
            next: AtomicU64::new(0),
            left: tokio::sync::Notify::new(),
            shared,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Present>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes connections in, one after the other, for ever.
    async fn admit(self: Arc<Self>, listener: Listener) {
        let mut warned = None;
        loop {
            match listener.accept().await {
                Ok(socket) => match self.slots.clone().try_acquire_owned() {
                    Ok(slot) => self.clone().start(socket, slot),
                    Err(_) => self.clone().squeeze(socket).await,
                },
                Err(error) => self.wait_out(&error, &mut warned).await,
            }
        }
    }

    /// A connection that failed before it was taken is nobody's loss; no descriptor left is a matter of waiting, and of one
    /// warning a minute.
    async fn wait_out(&self, error: &io::Error, warned: &mut Option<Instant>) {
        const AGAIN: Duration = Duration::from_secs(60);
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
            return;
        }
        if warned.is_none_or(|at| at.elapsed() >= AGAIN) {
            *warned = Some(Instant::now());
            tracing::warn!("connections cannot be taken: {error}");
        }
        self.make_room();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    fn start(self: Arc<Self>, socket: Socket, slot: OwnedSemaphorePermit) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let pulse = Pulse::new(self.shared.config.max_head);
        self.lock().insert(id, Present { pulse: pulse.clone(), task: None });
        let crowd = self.clone();
        let task = tokio::spawn(async move {
            let _leaving = Leaving { crowd: crowd.clone(), id };
            connection::serve(crowd.shared.clone(), socket, pulse).await;
            drop(slot);
        });
        if let Some(present) = self.lock().get_mut(&id) {
            present.task = Some(task.abort_handle());
        }
    }

    /// There is no slot: the connection that has been idle for longest goes, and if none is, the new one does.
    /// While too many wait for that, none is taken, and the system keeps them in its queue.
    async fn squeeze(self: Arc<Self>, socket: Socket) {
        let Ok(Ok(turn)) = tokio::time::timeout(ROOM, self.squeezed.clone().acquire_owned()).await else {
            self.shared.metrics.turned_away.fetch_add(1, Ordering::Relaxed);
            return;
        };
        tokio::spawn(async move {
            if let Some(slot) = self.slot().await {
                self.start(socket, slot);
            } else {
                self.shared.metrics.turned_away.fetch_add(1, Ordering::Relaxed);
                turn_away(socket).await;
            }
            drop(turn);
        });
    }

    async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        let search = async {
            loop {
                self.make_room();
                let slot = self.slots.clone().acquire_owned();
                if let Ok(Ok(slot)) = tokio::time::timeout(Duration::from_millis(50), slot).await {
                    return slot;
                }
            }
        };
        tokio::time::timeout(ROOM, search).await.ok()
    }

    fn make_room(&self) {
        let longest = self
            .lock()
            .values()
            .filter_map(|present| Some((present.pulse.dispensable()?, present.pulse.clone())))
            .max_by_key(|(idle, _)| *idle);
        if let Some((_, pulse)) = longest {
            pulse.ask_to_leave();
        }
    }

    async fn is_empty_within(&self, time: Duration) -> bool {
        let empty = async {
            loop {
                let left = self.left.notified();
                if self.lock().is_empty() {
                    return;
                }
                left.await;
            }
        };
        tokio::time::timeout(time, empty).await.is_ok()
    }

    /// Cuts off whoever is left, and says how many they were.
    fn end(&self) -> usize {
        let tasks: Vec<_> = self.lock().values().filter_map(|present| present.task.clone()).collect();
        tasks.iter().for_each(tokio::task::AbortHandle::abort);
        tasks.len()
    }
}

/// Takes a connection off the list, however it ends.
struct Leaving {
    crowd: Arc<Crowd>,
    id: u64,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.crowd.lock().remove(&self.id);
        self.crowd.left.notify_one();
    }
}

/// Says that there is no room, and waits a little for the client to hear it: what it has sent and we have not read would
/// turn the end of the connection into a reset that swallows the answer.
async fn turn_away(socket: Socket) {
    const TEXT: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n\
        Cache-Control: no-store\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 49\r\n\r\n\
        {\"error\":\"too many connections\",\"status\":503}    ";
    let mut wire = Wire::new(socket, Pulse::new(0));
    let _ = tokio::time::timeout(Duration::from_secs(1), async {
        wire.write_all(TEXT).await?;
        wire.shutdown().await?;
        let mut rest = [0; 1024];
        while wire.read(&mut rest).await? > 0 {}
        Ok::<_, io::Error>(())
    })
    .await;
}

/// Ends when this process is told to end: SIGTERM, or Ctrl-C.
pub async fn signalled() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        let mut terminated = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(signal) => signal,
            Err(error) => {
                tracing::warn!("SIGTERM cannot be listened to: {error}");
                return interrupted.await;
            }
        };
        tokio::select! {
            () = interrupted => {}
            _ = terminated.recv() => {}
        }
    }
    #[cfg(not(unix))]
    interrupted.await;
}
