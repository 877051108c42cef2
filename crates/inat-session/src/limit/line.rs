//! Standing in line for a slot.
//!
//! What takes time happens in a task of its own: a future that its owner does not poll for a while (one of several in a
//! buffered stream, say) would else keep its place in the line, and with it everybody behind it, for as long as that takes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::desk::{Desk, Held, step};
use super::ledger::{Ask, Confirmed, LedgerError};
use super::limiter::{Limiter, granted, reason};
use super::permit::{Refusal, Wait, WaitReason};
use super::turn::{Head, Ticket, Turn};

type Heard<'a> = &'a (dyn Fn(&Wait) + Send + Sync);
type Place = Pin<Box<dyn Future<Output = Result<Head, Duration>> + Send>>;

/// How far a caller got without waiting.
enum Stage {
    /// Others are before it; its number in the queue.
    Queued(Place, u64),
    /// It is first, but the ledger is in use.
    First(Head),
    /// It has a slot of the future.
    Reserved(Head, Held),
}

/// What the task says to the caller.
enum News {
    Wait(Wait),
    Done(Result<Held, Refusal>),
}

impl Limiter {
    /// A slot whose time has come.
    pub(super) async fn line_up(
        &self,
        desk: &Arc<Desk>,
        until: Option<Duration>,
        on_wait: Heard<'_>,
    ) -> Result<Held, Refusal> {
        let stage = if let Some(front) = Turn::take_soon(&desk.turn) {
            match self.reserve_here(desk, until, true) {
                Ok(Ok(held)) if held.is_due() => return Ok(held),
                Ok(Ok(held)) => Stage::Reserved(front, held),
                Ok(Err(refusal)) => return Err(refusal),
                Err(LedgerError::Busy) => Stage::First(front),
                Err(error) => return Err(error.into()),
            }
        } else {
            let ticket = Ticket::draw(&desk.turn);
            let number = ticket.number();
            let mut place: Place = Box::pin(Turn::take(ticket, until));
            // The first poll takes the place: who comes first is served first.
            match place.as_mut().now_or_never() {
                Some(Ok(front)) => Stage::First(front),
                Some(Err(asleep)) => return Err(Refusal::TooLong { until: self.by_the_wall(asleep) }),
                None => Stage::Queued(place, number),
            }
        };
        let (say, news) = unbounded_channel();
        let work = self.clone().serve(Arc::clone(desk), until, stage, say);
        let Ok(runtime) = Handle::try_current() else {
            work.await; // A manual clock needs no runtime.
            return listen(news, on_wait).await;
        };
        let _ends_with_caller = AbortOnDropHandle::new(runtime.spawn(work.in_current_span()));
        listen(news, on_wait).await
    }

    async fn serve(self, desk: Arc<Desk>, until: Option<Duration>, stage: Stage, say: UnboundedSender<News>) {
        let heard = say.clone();
        // Nobody listens any more when the caller is gone, and then this task is gone too.
        let on_wait = move |wait: &Wait| drop(heard.send(News::Wait(wait.clone())));
        let held = self.wait_in_line(&desk, until, stage, &on_wait).await;
        drop(say.send(News::Done(held)));
    }

    async fn wait_in_line(
        &self,
        desk: &Arc<Desk>,
        until: Option<Duration>,
        stage: Stage,
        on_wait: Heard<'_>,
    ) -> Result<Held, Refusal> {
        let (front, mut reserved) = match stage {
            Stage::Queued(place, number) => {
                let taken = match select(place, std::pin::pin!(desk.turn.sleeps())).await {
                    Either::Left((taken, _)) => taken,
                    Either::Right(((), place)) => {
                        self.announce(desk, until, desk.turn.before(number), on_wait).await?;
                        place.await
                    }
                };
                let front = taken.map_err(|asleep| Refusal::TooLong { until: self.by_the_wall(asleep) })?;
                if let Some(why) = desk.turn.failed(number) {
                    return Err(why.into());
                }
                (front, None)
            }
            Stage::First(front) => (front, None),
            Stage::Reserved(front, held) => (front, Some(held)),
        };
        loop {
            let mut held = match reserved.take() {
                Some(held) => held,
                None => self.reserve(desk, until).await?,
            };
            if let Some(slot) = held.slot.filter(|_| !held.is_due()) {
                front.sleeps_until(held.before.saturating_add(slot.wait));
                on_wait(&Wait { until: held.due, why: reason(slot.why) });
                self.0.waits.sleep_until(&self.0.clock, held.due).await?;
            }
            let doubt = !held.is_due() || held.is_overdue(&self.0.clock);
            if self.stands(&mut held, doubt, until).await? {
                held.waiter = None;
                return Ok(held);
            }
            held.spent();
        }
    }

    /// What those ahead will need at least is clear already, and so is a wait that would be too long.
    async fn announce(
        &self,
        desk: &Arc<Desk>,
        until: Option<Duration>,
        ahead: u64,
        on_wait: Heard<'_>,
    ) -> Result<(), Refusal> {
        let limiter = self.clone();
        let expected = step(desk, move |desk, at_once| {
            desk.ledger.forecast(&limiter.ask(&desk.name, &desk.windows, until, at_once), ahead)
        });
        let expected = granted(expected.await?, self.0.clock.now())?;
        on_wait(&Wait { until: self.0.clock.now().plus(expected.wait), why: WaitReason::Turn(ahead + 1) });
        Ok(())
    }

    /// Reserves, on this thread if nobody holds the ledger, else on one that may wait.
    async fn reserve(&self, desk: &Arc<Desk>, until: Option<Duration>) -> Result<Held, Refusal> {
        let limiter = self.clone();
        let reserved = step(desk, move |desk, at_once| limiter.reserve_here(desk, until, at_once)).await;
        if let Err(why @ LedgerError::Locked { .. }) = &reserved {
            desk.turn.fails(why);
        }
        reserved?
    }

    fn reserve_here(
        &self,
        desk: &Arc<Desk>,
        until: Option<Duration>,
        at_once: bool,
    ) -> Result<Result<Held, Refusal>, LedgerError> {
        let clock = &self.0.clock;
        // Counted before it is looked whether all is over, so that who ends the waiting waits for this one, too.
        let waiter = self.0.waits.begin();
        self.0.waits.check()?;
        let before = clock.monotonic();
        let reserved = desk.ledger.reserve(&self.ask(&desk.name, &desk.windows, until, at_once))?;
        Ok(granted(reserved, clock.now()).map(|slot| {
            desk.slow.store(slot.share < 1.0, Ordering::Relaxed);
            let waiter = (!slot.wait.is_zero()).then_some(waiter);
            Held { desk: Arc::clone(desk), slot: Some(slot), before, due: clock.now().plus(slot.wait), waiter }
        }))
    }

    /// Whether a slot still stands; the ledger is asked when that is in doubt. `false`: reserve another.
    pub(super) async fn stands(
        &self,
        held: &mut Held,
        mut doubt: bool,
        until: Option<Duration>,
    ) -> Result<bool, Refusal> {
        let Some(slot) = held.slot else { return Ok(false) };
        while doubt {
            let before = self.0.clock.monotonic();
            let confirmed = step(&held.desk, move |desk, at_once| {
                let ask = Ask { at_once, ..Ask::new(&desk.name, &desk.windows) };
                desk.ledger.confirm(&ask, &slot)
            });
            match confirmed.await? {
                Confirmed::Go { at } => {
                    if at != slot.at {
                        held.moved_to(at, before, self.0.clock.now());
                    }
                    doubt = false;
                }
                Confirmed::Gone => return Ok(false),
                Confirmed::Early { wait } => {
                    let clock = &self.0.clock;
                    let due = clock.now().plus(wait);
                    if until.is_some_and(|until| clock.monotonic().saturating_add(wait) > until) {
                        return Err(Refusal::TooLong { until: due });
                    }
                    self.0.waits.sleep_until(clock, due).await?;
                }
            }
        }
        Ok(true)
    }
}

/// Passes on what the task says, until it is done.
async fn listen(mut news: UnboundedReceiver<News>, on_wait: Heard<'_>) -> Result<Held, Refusal> {
    while let Some(event) = news.recv().await {
        match event {
            News::Wait(wait) => on_wait(&wait),
            News::Done(held) => return held,
        }
    }
    Err(LedgerError::Other("the runtime is shutting down".to_owned()).into())
}
