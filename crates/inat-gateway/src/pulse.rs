//! How a connection is doing, so that the slow can be told from those who wait for us.
//!
//! hyper's own timer for header sections also runs while a connection is idle, and nothing in it watches a client that stops
//! reading. Here is both, as numbers that the connection's watchman looks at now and then.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use crate::interim::Words;
use crate::streams::Flow;
use crate::{Config, explain};

/// One connection's numbers.
#[derive(Debug)]
pub(crate) struct Pulse {
    born: Instant,
    /// Requests whose answer has not begun: they wait for us, or we read their body.
    handling: AtomicUsize,
    /// Answers on their way to the client.
    sending: AtomicUsize,
    /// Of these, how many wait for upstream.
    starved: AtomicUsize,
    /// Bytes of bodies handed to the connection.
    moved: AtomicU64,
    /// Requests whose body we wait for.
    listening: AtomicUsize,
    /// When what has come of a body would have come at the slowest rate allowed, in milliseconds after birth.
    due: AtomicU64,
    /// Whether the connection has bytes that the client has not taken.
    unsent: AtomicBool,
    /// How often it has had none left, and who waits for that.
    flushes: AtomicU64,
    flushed: AtomicWaker,
    /// How many it has taken.
    taken: AtomicU64,
    /// How many it had taken when it last took enough to be worth mentioning, and when that was.
    took: AtomicU64,
    took_at: AtomicU64,
    /// Since when nothing is under way, in milliseconds after birth.
    idle_since: AtomicU64,
    /// When the first byte of a header section came; 0 when none has begun.
    head_since: AtomicU64,
    /// What came since the last request, as far as it may be a header section.
    heard: Mutex<Vec<u8>>,
    max_head: usize,
    /// What is to be said before the next answer.
    pub(crate) words: Arc<Words>,
    /// HTTP/2 has no header sections to look at.
    framed: AtomicBool,
    /// An answer broke off, and only a reset can tell the client so.
    pub(crate) broken: AtomicBool,
    /// Rung when the connection has to make room.
    leave: Notify,
    /// The same, where a body is being waited for.
    hurry: Notify,
    /// Rung when the client has closed its side, and may still listen.
    silent: Notify,
    /// Whether one of the first two was rung, and not heard yet.
    asked_to_leave: AtomicBool,
}

impl Pulse {
    pub(crate) fn new(max_head: usize) -> Arc<Self> {
        Arc::new(Self {
            born: Instant::now(),
            handling: AtomicUsize::new(0),
            sending: AtomicUsize::new(0),
            starved: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
            listening: AtomicUsize::new(0),
            due: AtomicU64::new(0),
            unsent: AtomicBool::new(false),
            flushes: AtomicU64::new(0),
            flushed: AtomicWaker::new(),
            taken: AtomicU64::new(0),
            took: AtomicU64::new(0),
            took_at: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            heard: Mutex::default(),
            max_head,
            words: Arc::default(),
            framed: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            leave: Notify::new(),
            hurry: Notify::new(),
            silent: Notify::new(),
            asked_to_leave: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
    }

    /// These bytes came from the client.
    pub(crate) fn hear(&self, bytes: &[u8]) {
        if self.framed.load(Ordering::Relaxed) || self.handling.load(Ordering::Relaxed) > 0 {
            return;
        }
        if self.head_since.load(Ordering::Relaxed) == 0 {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.max_head.saturating_sub(heard.len());
        heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The client has closed its side. Says whether there is an answer under way that it may still want (RFC 9112 §9.6 has
    /// clients close so); of what was cut short there is none.
    pub(crate) fn falls_silent(&self) -> bool {
        let answering = self.handling.load(Ordering::Acquire) > self.listening.load(Ordering::Acquire)
            || self.sending.load(Ordering::Acquire) > 0
            || self.unsent.load(Ordering::Relaxed);
        let may_listen = answering && !self.framed.load(Ordering::Relaxed);
        if may_listen {
            self.silent.notify_one();
        }
        may_listen
    }

    /// Ends when a client that has closed its side has waited so long for an answer to begin that it is taken to have left.
    pub(crate) async fn until_left(&self, patience: Duration) {
        self.silent.notified().await;
        loop {
            tokio::time::sleep(patience).await;
            if self.handling.load(Ordering::Acquire) > 0 {
                return;
            }
        }
    }

    /// A request is here. Gives back what was heard of it.
    pub(crate) fn begin(self: &Arc<Self>, framed: bool) -> (Handling, Vec<u8>) {
        self.framed.store(framed, Ordering::Relaxed);
        self.handling.fetch_add(1, Ordering::AcqRel);
        self.head_since.store(0, Ordering::Relaxed);
        self.asked_to_leave.store(false, Ordering::Relaxed);
        let heard = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        (Handling(self.clone()), heard)
    }

    /// What is better said than this, where it is hyper's own answer to what it cannot read.
    pub(crate) fn explains(&self, written: &[u8]) -> Option<Bytes> {
        if self.handling.load(Ordering::Relaxed) > 0 || self.framed.load(Ordering::Relaxed) {
            return None;
        }
        explain::instead_of(written, &self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The connection wants to write.
    pub(crate) fn note_write(&self) {
        if !self.unsent.swap(true, Ordering::Relaxed) {
            self.took_at.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Whether all it was given has gone out.
    pub(crate) fn is_clear(&self) -> bool {
        !self.unsent.load(Ordering::Relaxed)
    }

    /// The client took this much.
    pub(crate) fn note_taken(&self, bytes: usize) {
        let taken = self.taken.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if taken - self.took.load(Ordering::Relaxed) >= MIN_PROGRESS {
            self.took.store(taken, Ordering::Relaxed);
            self.took_at.store(self.now(), Ordering::Relaxed);
        }
    }

    /// hyper has nothing left to write.
    pub(crate) fn note_flush(&self) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.flushed.wake();
        self.note_all_taken();
    }

    /// Everything written was taken.
    pub(crate) fn note_all_taken(&self) {
        if self.unsent.swap(false, Ordering::Relaxed) {
            self.rest();
        }
    }

    /// How long nothing has been under way; `None` when something is.
    pub(crate) fn idle(&self) -> Option<Duration> {
        if self.handling.load(Ordering::Acquire) > 0
            || self.sending.load(Ordering::Acquire) > 0
            || self.unsent.load(Ordering::Relaxed)
        {
            return None;
        }
        Some(self.since(&self.idle_since))
    }

    fn since(&self, at: &AtomicU64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(at.load(Ordering::Relaxed)))
    }

    /// How long everything under way has waited for the client: to send on, or to read on. `None` when anything waits for us.
    fn waits_for_client(&self) -> Option<Duration> {
        let listening = self.listening.load(Ordering::Acquire);
        let is_unread = self.unsent.load(Ordering::Relaxed);
        if self.handling.load(Ordering::Acquire) > listening || self.starved.load(Ordering::Acquire) > 0 {
            return None;
        }
        let sends = (listening > 0).then(|| self.since(&self.due));
        let reads = is_unread.then(|| self.since(&self.took_at));
        sends.into_iter().chain(reads).min()
    }

    /// Whether it may be asked to make room for others, and who goes first: those that are idle, for as long as they have been,
    /// then those whose client is slow.
    pub(crate) fn dispensable(&self) -> Option<(bool, Duration)> {
        if self.asked_to_leave.load(Ordering::Relaxed) {
            return None;
        }
        match self.idle() {
            // Who has only just come may be about to say something.
            Some(idle) => (idle >= Duration::from_millis(100)).then_some((true, idle)),
            None => self.waits_for_client().filter(|late| *late >= SLOW).map(|late| (false, late)),
        }
    }

    /// Asks it to make room.
    pub(crate) fn ask_to_leave(&self) {
        self.asked_to_leave.store(true, Ordering::Relaxed);
        if self.listening.load(Ordering::Acquire) > 0 {
            // That client is told.
            self.hurry.notify_one();
        } else {
            self.leave.notify_one();
        }
    }

    /// Ends when it is asked to; says whether it can.
    pub(crate) async fn has_to_leave(&self) -> bool {
        self.leave.notified().await;
        self.asked_to_leave.store(false, Ordering::Relaxed);
        self.idle().is_some() || self.waits_for_client().is_some_and(|late| late >= SLOW)
    }

    /// A body is waited for, for as long as what is returned lives.
    pub(crate) fn listen(self: &Arc<Self>) -> Listening {
        self.due.store(self.now(), Ordering::Relaxed);
        self.listening.fetch_add(1, Ordering::AcqRel);
        Listening(self.clone())
    }

    fn rest(&self) {
        self.idle_since.store(self.now(), Ordering::Relaxed);
    }
}

/// A request that is being handled, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Handling(Arc<Pulse>);

impl Handling {
    /// Its answer begins. `to_old` says that the client knows no chunks (HTTP/1.0).
    pub(crate) fn send(self, to_old: bool) -> Sending {
        if !self.0.is_clear() {
            // The answer will go out in one with what is still before it, and nothing fits in between.
            self.0.words.take();
        }
        self.0.sending.fetch_add(1, Ordering::AcqRel);
        Sending { pulse: self.0.clone(), starved: false, flushes: None, to_old, flow: Flow::own() }
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.rest();
        self.0.handling.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A body that is being waited for, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Listening(Arc<Pulse>);

impl Listening {
    /// What has come so far would have come by now at the slowest rate, had it begun this much later.
    pub(crate) fn note_lag(&self, late: Duration) {
        self.0.due.store(self.0.now().saturating_sub(millis(late)), Ordering::Relaxed);
    }

    /// Ends when others need the place of a client that is slow.
    pub(crate) async fn has_to_end(&self) {
        loop {
            self.0.hurry.notified().await;
            if self.0.asked_to_leave.swap(false, Ordering::Relaxed) {
                return;
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.listening.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An answer on its way, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Sending {
    pulse: Arc<Pulse>,
    starved: bool,
    /// How often the connection had nothing left, when it was first asked to send out all it has.
    flushes: Option<u64>,
    to_old: bool,
    /// Its stream, over HTTP/2.
    flow: Option<Arc<Flow>>,
}

impl Sending {
    /// The connection asked for more; this much was there, or nothing yet.
    pub(crate) fn moved(&mut self, bytes: Option<usize>) {
        if let Some(flow) = &self.flow {
            flow.moved(bytes);
        }
        if let Some(bytes) = bytes {
            self.pulse.moved.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        if self.starved != bytes.is_none() {
            self.starved = bytes.is_none();
            if self.starved {
                self.pulse.starved.fetch_add(1, Ordering::Relaxed);
            } else {
                self.pulse.starved.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Ends when all that the connection was given has gone out. HTTP/2 knows only when that holds for every answer on it, which
    /// may be never, so there nobody waits.
    pub(crate) fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.pulse.framed.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        self.pulse.flushed.register(cx.waker());
        let flushes = self.pulse.flushes.load(Ordering::Relaxed);
        if *self.flushes.get_or_insert(flushes) == flushes { Poll::Pending } else { Poll::Ready(()) }
    }

    /// It broke off. Where its length is not known either, an old client takes the end of the connection for its end, and has
    /// to be told by a reset; others see that something is missing, and keep what has come.
    pub(crate) fn broke(&self, has_length: bool) {
        if self.to_old && !has_length {
            self.pulse.broken.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.moved(Some(0));
        self.pulse.rest();
        self.pulse.sending.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Why a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing happens on it.
    Idle,
    /// Its header section takes too long.
    SlowHead,
    /// Its client takes too long to read.
    Stalled,
}

/// Looks at a connection now and then.
#[derive(Debug)]
pub(crate) struct Watchman {
    marked_at: Instant,
    marked: u64,
    looked_at: Instant,
}

/// How long a client may keep us waiting when others want its place.
const SLOW: Duration = Duration::from_secs(1);

/// Less than this in a whole `stall_timeout` is standing still.
pub(crate) const MIN_PROGRESS: u64 = 16 << 10;

impl Watchman {
    pub(crate) fn new() -> Self {
        Self { marked_at: Instant::now(), marked: 0, looked_at: Instant::now() }
    }

    /// Whether the connection has to end.
    pub(crate) fn look(&mut self, pulse: &Pulse, config: &Config) -> Option<End> {
        let since = std::mem::replace(&mut self.looked_at, Instant::now()).elapsed();
        if since > config.tick() * 2 + SLOW {
            // It is us who were away (stopped, or the machine slept). What came meanwhile is read until the next look.
            self.mark(pulse.moved.load(Ordering::Relaxed));
            return None;
        }
        let moved = pulse.moved.load(Ordering::Relaxed);
        match pulse.idle() {
            Some(idle) => {
                self.mark(moved);
                let head_since = pulse.head_since.load(Ordering::Relaxed);
                if head_since > 0 && pulse.now().saturating_sub(head_since) > millis(config.head_timeout) {
                    return Some(End::SlowHead);
                }
                (idle > config.idle_timeout).then_some(End::Idle)
            }
            None if pulse.framed.load(Ordering::Relaxed) => {
                // Each of its answers is watched by itself (`streams.rs`); of the connection it counts whether bytes leave.
                self.mark(moved);
                let is_unread = pulse.unsent.load(Ordering::Relaxed);
                (is_unread && pulse.since(&pulse.took_at) > config.stall_timeout).then_some(End::Stalled)
            }
            None if pulse.handling.load(Ordering::Relaxed) > 0 || pulse.starved.load(Ordering::Relaxed) > 0 => {
                self.mark(moved);
                None
            }
            None if moved.saturating_sub(self.marked) >= MIN_PROGRESS => {
                self.mark(moved);
                None
            }
            None => (self.marked_at.elapsed() > config.stall_timeout).then_some(End::Stalled),
        }
    }

    fn mark(&mut self, moved: u64) {
        (self.marked_at, self.marked) = (Instant::now(), moved);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
