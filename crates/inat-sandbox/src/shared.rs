//! What all connections share, and the way of a request through the layers: log, throttle, faults, CDN, origin.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{
    Answer, Config, Seen, cdn,
    clock::Clock,
    faults::{self, Book, Fault, Manner, Wire},
    log::Log,
    origin::{self, Origin},
    server::Received,
    throttle::{Ledger, Verdict},
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) log: Log,
    pub(crate) book: Mutex<Book>,
    pub(crate) origin: Origin,
    ledger: Mutex<Ledger>,
    shelf: Mutex<cdn::Shelf>,
}

impl Shared {
    pub(crate) fn new(config: Config, url: &str) -> Self {
        Self {
            origin: Origin::new(&config, url),
            config,
            clock: Clock::default(),
            log: Log::default(),
            book: Mutex::default(),
            ledger: Mutex::default(),
            shelf: Mutex::default(),
        }
    }

    /// One request, from its arrival to what goes onto the connection.
    pub(crate) async fn answer(self: &Arc<Self>, received: Received, peer: SocketAddr, connection: u64) -> Wire {
        let seen = self.log.push(Seen {
            number: 0,
            connection,
            peer,
            at: Instant::now(),
            when: self.clock.now(),
            method: received.method,
            target: received.target,
            headers: received.headers,
            body: received.body,
            status: None,
            fault: None,
        });
        let number = seen.number;
        let shared = Arc::clone(self);
        // Handlers may wait and large pages take a while: neither may hold up other connections.
        let layers = tokio::task::spawn_blocking(move || catch_unwind(AssertUnwindSafe(|| shared.layers(&seen))));
        let (wire, fault) = match layers.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => {
                (Wire::Reply(Answer::text(500, "the handler of this sandbox panicked\n"), Manner::default()), None)
            }
        };
        let status = match &wire {
            Wire::Reply(answer, _) => Some(answer.status),
            Wire::Raw(_) | Wire::Close | Wire::Reset => None,
        };
        self.log.decided(number, status, fault);
        wire
    }

    fn layers(&self, seen: &Seen) -> (Wire, Option<Fault>) {
        if let Some(refused) = self.throttled(seen) {
            return (Wire::Reply(refused, Manner::default()), None);
        }
        let fault = lock(&self.book).choose(seen, &self.config.faults, self.config.seed);
        let wire = match fault.as_ref().and_then(|fault| faults::refuse(fault, self.clock.now())) {
            Some(wire) => wire,
            None => self.through_cdn(seen, fault.as_ref()),
        };
        (wire, fault)
    }

    fn throttled(&self, seen: &Seen) -> Option<Answer> {
        let throttle = self.config.throttle.as_ref()?;
        match lock(&self.ledger).admit(throttle, seen.peer.ip(), seen.when) {
            Verdict::Pass => None,
            Verdict::Throttled => Some(faults::throttled(throttle.retry_after, seen.when)),
            Verdict::Blocked => Some(faults::blocked()),
        }
    }

    fn through_cdn(&self, seen: &Seen, fault: Option<&Fault>) -> Wire {
        let Some(cdn) = self.config.cdn.as_ref().filter(|cdn| cdn::cacheable(cdn, seen)) else {
            return faults::play(fault, self.at_origin(seen));
        };
        if let Some(hit) = lock(&self.shelf).lookup(seen, self.clock.now()) {
            return faults::play(fault, origin::not_modified(seen, hit));
        }
        // Varnish asks for the whole reply even if the client would do with a 304.
        let mut whole = seen.clone();
        whole.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("if-"));
        let mut wire = faults::play(fault, self.at_origin(&whole));
        if let Wire::Reply(answer, _) = &mut wire {
            lock(&self.shelf).store(cdn, seen, answer, self.clock.now());
            answer.set("X-Cache", "MISS");
            *answer = origin::not_modified(seen, std::mem::take(answer));
        }
        wire
    }

    fn at_origin(&self, seen: &Seen) -> Answer {
        match self.config.handler.as_ref().and_then(|handler| handler(seen)) {
            Some(answer) => answer,
            None => self.origin.answer(seen, self.clock.now()),
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
