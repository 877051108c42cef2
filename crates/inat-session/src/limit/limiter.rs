//! The async face: from a URL to a permit.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use url::Url;

use super::bucket::{self, Bucket};
use super::bytes::ByteAsk;
use super::desk::{Desk, Held, step};
use super::ledger::{Ask, Ledger, LedgerError, Reserved, Slot, Why};
use super::limits::Limits;
use super::memory::MemoryLedger;
use super::penalty::Stop;
use super::permit::{Patience, Permit, Refusal, Wait, WaitReason};
use super::rate::Window;
use super::refresh;
use super::report::{self, BucketReport};
use super::turn::Turn;
use super::waits::Waits;
use crate::{Clock, Timestamp};

/// Hands out permits to send. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Limiter(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    pub(super) ledger: Arc<dyn Ledger>,
    /// For buckets without limits: the server's refusals are still obeyed, and no file is opened.
    aside: Arc<dyn Ledger>,
    desks: Mutex<HashMap<Bucket, Arc<Desk>>>,
    pub(super) waits: Waits,
}

impl Limiter {
    /// A limiter over this ledger. Nothing is opened yet.
    pub fn new(limits: Limits, ledger: Arc<dyn Ledger>, clock: Clock) -> Self {
        let aside = Arc::new(MemoryLedger::new(clock.clone()));
        Self(Arc::new(Inner { limits, clock, ledger, aside, desks: Mutex::default(), waits: Waits::default() }))
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Reserves the earliest legal slot and sleeps until it; the caller then sends at once. `on_wait` hears why and until when,
    /// each time that changes.
    ///
    /// A dropped future hands its slot back where nobody has reserved after it.
    pub async fn acquire(
        &self,
        url: &Url,
        patience: Patience,
        on_wait: &(dyn Fn(&Wait) + Send + Sync),
    ) -> Result<Permit, Refusal> {
        let desk = self.desk(url);
        let clock = &self.0.clock;
        let started = clock.monotonic();
        let until = self.latest(&patience);
        if desk.windows.is_empty() {
            return self.unlimited(&desk, until, started, on_wait).await;
        }
        loop {
            let mut held = self.line_up(&desk, until, on_wait).await?;
            // The caller may have been busy elsewhere when its slot came.
            let overdue = held.is_overdue(clock);
            if let Some(permit) = self.permit(&desk, &mut held, overdue, until, started).await? {
                return Ok(permit);
            }
        }
    }

    /// The same permit where it has not passed, or its slot could be moved to now; else another, which is waited for.
    pub async fn renew(
        &self,
        url: &Url,
        permit: Permit,
        patience: Patience,
        on_wait: &(dyn Fn(&Wait) + Send + Sync),
    ) -> Result<Permit, Refusal> {
        let clock = &self.0.clock;
        if !permit.has_passed(clock) {
            return Ok(Permit { waited: Duration::ZERO, ..permit });
        }
        let desk = self.desk(url);
        let started = clock.monotonic();
        let mut held =
            Held { desk: Arc::clone(&desk), slot: permit.slot, before: started, due: clock.now(), waiter: None };
        match self.permit(&desk, &mut held, true, self.latest(&patience), started).await? {
            Some(permit) => Ok(permit),
            None => self.acquire(url, patience, on_wait).await,
        }
    }

    /// A permit for this slot, unless it is lost.
    async fn permit(
        &self,
        desk: &Desk,
        held: &mut Held,
        doubt: bool,
        until: Option<Duration>,
        started: Duration,
    ) -> Result<Option<Permit>, Refusal> {
        let stands = self.stands(held, doubt, until).await?;
        let clock = &self.0.clock;
        let (at, monotonic) = (clock.now(), clock.monotonic());
        Ok(held.slot.take().filter(|_| stands).map(|slot| Permit {
            waited: monotonic.saturating_sub(started),
            at,
            leave_by: at.plus(desk.grace),
            rate_share: slot.share,
            until: monotonic.saturating_add(desk.grace),
            slot: Some(slot),
        }))
    }

    /// How long a request would wait. Takes nothing, and creates no file.
    pub fn forecast(&self, url: &Url) -> Result<Duration, Refusal> {
        let desk = self.desk(url);
        let ask = Ask { max_told: Some(self.0.limits.retry_after_cap), ..Ask::new(&desk.name, &desk.windows) };
        let reserved = desk.ledger.forecast(&ask, desk.turn.waiting())?;
        let slot = granted(reserved, self.0.clock.now())?;
        // There has to be room for bytes as well, where they are counted.
        let bytes = match bucket::of_bytes(url, &self.0.limits) {
            Some(bucket) => self.forecast_bytes(&bucket)?,
            None => Duration::ZERO,
        };
        Ok(slot.wait.max(bytes))
    }

    fn forecast_bytes(&self, bucket: &str) -> Result<Duration, LedgerError> {
        self.0.ledger.forecast_bytes(&ByteAsk { bucket, limits: self.0.limits.bytes, expected: None, max_wait: None })
    }

    /// Hands a permit back that was not used. `false` when others have reserved after it: then it stays used.
    pub async fn give_back(&self, url: &Url, permit: Permit) -> Result<bool, LedgerError> {
        let Some(slot) = permit.slot else { return Ok(false) };
        step(&self.desk(url), move |desk, at_once| desk.ledger.release(&desk.name, &slot, at_once)).await
    }

    /// How every bucket stands.
    pub fn budget(&self) -> Result<Vec<BucketReport>, LedgerError> {
        let Inner { limits, clock, ledger, aside, .. } = &*self.0;
        let media: Vec<String> =
            limits.media_hosts.iter().map(|host| bucket::named(&host.to_ascii_lowercase(), limits)).collect();
        let bytes = bucket::named("media", limits);
        let mut reports = Vec::new();
        let limited = if limits.is_unlimited() { Vec::new() } else { ledger.buckets()? };
        for (ledger, name) in
            limited.into_iter().map(|name| (ledger, name)).chain(aside.buckets()?.into_iter().map(|name| (aside, name)))
        {
            let counts_bytes = name == bytes;
            let windows = if counts_bytes { Vec::new() } else { limits.windows(media.contains(&name)) };
            let account = ledger.account(&Ask::new(&name, &windows))?;
            let mut report = report::bucket(account, &windows, counts_bytes.then_some(limits.bytes), clock.now());
            if counts_bytes {
                report.waits_for_bytes(self.forecast_bytes(&name)?, clock.now());
            }
            reports.push(report);
        }
        Ok(reports)
    }

    /// The version to ask an endpoint with to be sure of a fresh answer: the lowest one not used for it in the last 122 s, by
    /// any process. `None` means that no version is needed.
    #[doc(alias = "get_refresh_params")]
    pub fn refresh_version(&self, endpoint: &str) -> Result<Option<u32>, LedgerError> {
        let ledger = if self.0.limits.is_unlimited() { &self.0.aside } else { &self.0.ledger };
        ledger.refresh_version(endpoint, refresh::HOLD)
    }

    /// Ends all waiting: whoever waits gets [`LedgerError::Closed`], as does who comes later, and the slots of the future are handed
    /// back. Done when the last one is.
    pub async fn end_waits(&self) {
        self.0.waits.end().await;
    }

    /// Closes the ledger's files. Requests for permits fail from now on. Slots that are waited for stay used, unless
    /// [`Limiter::end_waits`] comes before.
    pub fn close(&self) {
        self.0.ledger.close();
        self.0.aside.close();
    }

    pub(super) fn desk(&self, url: &Url) -> Arc<Desk> {
        let inner = &*self.0;
        let bucket = bucket::of(url, &inner.limits);
        let mut desks = inner.desks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(desk) = desks.get(&bucket) {
            return Arc::clone(desk);
        }
        let windows = inner.limits.windows(bucket.media);
        let ledger = if windows.is_empty() { &inner.aside } else { &inner.ledger };
        let desk = Arc::new(Desk {
            name: bucket.name.clone(),
            grace: windows.iter().map(Window::grace).min().unwrap_or(Duration::MAX),
            windows,
            ledger: Arc::clone(ledger),
            turn: Arc::new(Turn::new()),
            slow: AtomicBool::new(false),
        });
        desks.insert(bucket, Arc::clone(&desk));
        desk
    }

    /// The last moment a caller is ready to wait for, by the process's own time: the wall clock may be set meanwhile.
    pub(super) fn latest(&self, patience: &Patience) -> Option<Duration> {
        let left = patience.until.map(|until| until.since(self.0.clock.now()));
        let least = [patience.max_delay, self.0.limits.max_delay, left].into_iter().flatten().min();
        least.map(|delay| self.0.clock.monotonic().saturating_add(delay))
    }

    /// What the wall clock will say at a moment of the process's own time.
    pub(super) fn by_the_wall(&self, at: Duration) -> Timestamp {
        self.0.clock.now().plus(at.saturating_sub(self.0.clock.monotonic()))
    }

    pub(super) fn ask<'a>(
        &self,
        bucket: &'a str,
        windows: &'a [Window],
        until: Option<Duration>,
        at_once: bool,
    ) -> Ask<'a> {
        let max_wait = until.map(|until| until.saturating_sub(self.0.clock.monotonic()));
        Ask { bucket, windows, max_wait, max_told: Some(self.0.limits.retry_after_cap), at_once }
    }

    /// Without windows there are no slots; only a refusal of the server holds a request up.
    async fn unlimited(
        &self,
        desk: &Desk,
        until: Option<Duration>,
        started: Duration,
        on_wait: &(dyn Fn(&Wait) + Send + Sync),
    ) -> Result<Permit, Refusal> {
        let clock = &self.0.clock;
        loop {
            self.0.waits.check()?;
            let ask = self.ask(&desk.name, &desk.windows, until, false);
            let slot = granted(desk.ledger.reserve(&ask)?, clock.now())?;
            let at = clock.now();
            if slot.wait.is_zero() {
                let waited = clock.monotonic().saturating_sub(started);
                return Ok(Permit {
                    waited,
                    at,
                    leave_by: Timestamp::MAX,
                    rate_share: 1.0,
                    until: Duration::MAX,
                    slot: None,
                });
            }
            on_wait(&Wait { until: at.plus(slot.wait), why: reason(slot.why) });
            self.0.waits.sleep_until(clock, at.plus(slot.wait)).await?;
        }
    }
}

/// A slot, or the refusal that the ledger's answer amounts to.
pub(super) fn granted(reserved: Reserved, now: Timestamp) -> Result<Slot, Refusal> {
    match reserved {
        Reserved::Slot(slot) => Ok(slot),
        Reserved::TooLong { wait, .. } => Err(Refusal::TooLong { until: now.plus(wait) }),
        Reserved::Told { wait, status } => Err(Refusal::RetryAfter { until: now.plus(wait), status }),
        Reserved::Blocked { wait } => Err(Refusal::Blocked { until: now.plus(wait) }),
    }
}

pub(super) fn reason(why: Option<Why>) -> WaitReason {
    match why {
        Some(Why::Window(name)) => WaitReason::Rate(name),
        Some(Why::Reduced(name)) => WaitReason::Halved(name),
        Some(Why::Stopped(Stop::Told(status))) => WaitReason::ServerSaidWait(status),
        Some(Why::Stopped(Stop::Throttled(status))) => WaitReason::Throttled(status),
        Some(Why::Stopped(Stop::BlockPage)) => WaitReason::BlockPage,
        Some(Why::Lost) => WaitReason::LedgerLost,
        Some(Why::Queue) | None => WaitReason::Turn(0),
    }
}
