//! How a connection is doing, so that the slow can be told from those who wait for us.
//!
//! hyper's own timer for header sections also runs while a connection is idle, and nothing in it watches a client that stops
//! reading. Here is both, as numbers that the connection's watchman looks at now and then.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::Config;

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
    /// Since when nothing is under way, in milliseconds after birth.
    idle_since: AtomicU64,
    /// When the first byte of a header section came; 0 when none has begun.
    head_since: AtomicU64,
    /// What came since the last request, as far as it may be a header section.
    heard: Mutex<Vec<u8>>,
    max_head: usize,
    /// HTTP/2 has no header sections to look at.
    framed: AtomicBool,
    /// An answer broke off, and only a reset can tell the client so.
    pub(crate) broken: AtomicBool,
    /// Rung when the connection has to make room.
    leave: Notify,
    /// Whether it was rung, and not heard yet.
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
            idle_since: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            heard: Mutex::default(),
            max_head,
            framed: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            leave: Notify::new(),
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

    /// A request is here. Gives back what was heard of it.
    pub(crate) fn begin(self: &Arc<Self>, framed: bool) -> (Handling, Vec<u8>) {
        self.framed.store(framed, Ordering::Relaxed);
        self.handling.fetch_add(1, Ordering::AcqRel);
        self.head_since.store(0, Ordering::Relaxed);
        let heard = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        (Handling(self.clone()), heard)
    }

    /// How long nothing has been under way; `None` when something is.
    pub(crate) fn idle(&self) -> Option<Duration> {
        if self.handling.load(Ordering::Acquire) > 0 || self.sending.load(Ordering::Acquire) > 0 {
            return None;
        }
        Some(Duration::from_millis(self.now().saturating_sub(self.idle_since.load(Ordering::Relaxed))))
    }

    /// How long it has been idle, if it may be asked to make room for others.
    pub(crate) fn dispensable(&self) -> Option<Duration> {
        // Who has only just come may be about to say something.
        let idle = self.idle().filter(|idle| *idle >= Duration::from_millis(100))?;
        (!self.asked_to_leave.load(Ordering::Relaxed)).then_some(idle)
    }

    /// Asks it to make room.
    pub(crate) fn ask_to_leave(&self) {
        self.asked_to_leave.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }

    /// Ends when it is asked to; says whether it can.
    pub(crate) async fn has_to_leave(&self) -> bool {
        self.leave.notified().await;
        self.asked_to_leave.store(false, Ordering::Relaxed);
        self.idle().is_some()
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
        self.0.sending.fetch_add(1, Ordering::AcqRel);
        Sending { pulse: self.0.clone(), starved: false, to_old }
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.rest();
        self.0.handling.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An answer on its way, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Sending {
    pulse: Arc<Pulse>,
    starved: bool,
    to_old: bool,
}

impl Sending {
    /// The connection asked for more; this much was there, or nothing yet.
    pub(crate) fn moved(&mut self, bytes: Option<usize>) {
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
}

/// Less than this in a whole `stall_timeout` is standing still.
const MIN_PROGRESS: u64 = 16 << 10;

impl Watchman {
    pub(crate) fn new() -> Self {
        Self { marked_at: Instant::now(), marked: 0 }
    }

    /// Whether the connection has to end.
    pub(crate) fn look(&mut self, pulse: &Pulse, config: &Config) -> Option<End> {
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
