//! A transport that plays a script, so that a program built on a session can be tested without network or waiting.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::{Fault, Incoming, Outgoing, Sending, Transport};

/// Answers to give, in order; after the last, that one again. Clones share one script.
///
/// ```
/// use inat_session::{Clock, Request, Script, blocking::Session};
/// use std::time::Duration;
///
/// let clock = Clock::manual();
/// let server = Script::new().busy(Duration::from_secs(2)).json(&serde_json::json!({"total_results": 0, "results": []}));
/// let inat = Session::builder().transport(server.clone()).clock(clock.clone()).cache_in_memory().budget_in_memory().build()?;
///
/// assert_eq!(inat.send(Request::get("taxa/1"))?.status(), 200);
/// assert_eq!(server.seen().len(), 2);                 // one 429, one answer
/// assert!(clock.slept() >= Duration::from_secs(2));   // and the test took no time at all
/// # Ok::<(), inat_session::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Script(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    steps: VecDeque<Step>,
    last: Option<Step>,
    seen: Vec<http::Request<Bytes>>,
}

#[derive(Clone, Debug)]
enum Step {
    Answer { status: StatusCode, headers: HeaderMap, body: Bytes },
    Cut { status: StatusCode, headers: HeaderMap, body: Bytes },
    Fail(Fault),
}

impl Script {
    /// An empty script; a request to it fails.
    pub fn new() -> Self {
        Self::default()
    }

    fn then(self, step: Step) -> Self {
        self.lock().steps.push_back(step);
        self
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Then an answer with this status, these fields and this body. Fields that cannot be sent are left out.
    #[must_use]
    pub fn answer(self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        let (status, headers) = head(status, headers);
        self.then(Step::Answer { status, headers, body: body.into() })
    }

    /// Then a 200 with this JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.answer(200, &[("content-type", "application/json; charset=utf-8")], body.to_string())
    }

    /// Then a 429 that asks to wait this long.
    #[must_use]
    pub fn busy(self, wait: Duration) -> Self {
        let body = "{\"error\":\"normal_throttling\"}";
        self.answer(429, &[("retry-after", &wait.as_secs().to_string()), ("content-type", "application/json")], body)
    }

    /// Then no answer, but this fault.
    #[must_use]
    pub fn fail(self, fault: Fault) -> Self {
        self.then(Step::Fail(fault))
    }

    /// Then an answer that breaks off after this part of its body.
    #[must_use]
    pub fn cut(self, status: u16, headers: &[(&str, &str)], part: impl Into<Bytes>) -> Self {
        let (status, headers) = head(status, headers);
        self.then(Step::Cut { status, headers, body: part.into() })
    }

    /// The requests that came, in order.
    pub fn seen(&self) -> Vec<http::Request<Bytes>> {
        self.lock().seen.clone()
    }
}

fn head(status: u16, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap) {
    let fields = headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(name, value);
    }
    (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), map)
}

impl Transport for Script {
    fn send(&self, outgoing: Outgoing) -> Sending<'_> {
        let step = {
            let mut state = self.lock();
            state.seen.push(outgoing.request);
            if let Some(step) = state.steps.pop_front() {
                state.last = Some(step);
            }
            state.last.clone()
        };
        Box::pin(async move {
            match step {
                None => Err(Fault::Other("the script is empty".to_owned())),
                Some(Step::Fail(fault)) => Err(fault),
                Some(Step::Answer { status, mut headers, body }) => {
                    if !headers.contains_key(header::CONTENT_LENGTH) {
                        headers.insert(header::CONTENT_LENGTH, body.len().into());
                    }
                    Ok(Incoming::new(status, headers, body))
                }
                Some(Step::Cut { status, headers, body }) => {
                    let mut incoming = Incoming::new(status, headers, body);
                    let cut = Fault::Truncated("the script cuts it here".to_owned());
                    incoming.body = Box::pin(incoming.body.chain(stream::iter([Err(cut)])));
                    Ok(incoming)
                }
            }
        })
    }
}
