//! What happens on the way, told as it happens: to `tracing`, and to whoever asked to be told.
//!
//! The library never prints. A program that wants to show why it waits sets a listener (`SessionBuilder::on_event`); the
//! command's `-v` is one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use url::Url;

use crate::prepare::Prepared;
use crate::secret::mask_url;
use crate::stage::Stage;

/// One thing that happened to one request, at one stage of its path.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The method of the request.
    pub method: Method,
    /// Its URL, masked.
    pub url: String,
    /// Where on the path.
    pub stage: Stage,
    /// What, in a few words; nothing secret.
    pub what: String,
    /// How long the request is going to wait because of it.
    pub wait: Option<Duration>,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10} {}", self.stage.to_string(), self.what)
    }
}

/// What an event is about.
#[derive(Clone, Debug)]
pub(crate) struct About<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
}

impl<'a> From<&'a Prepared> for About<'a> {
    fn from(prepared: &'a Prepared) -> Self {
        Self { method: &prepared.method, url: &prepared.url }
    }
}

/// Who is told.
#[derive(Clone, Default)]
pub(crate) struct Listener(Option<Arc<Told>>);

type Told = dyn Fn(&Event) + Send + Sync;

impl Listener {
    pub(crate) fn new(listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Tells what happened. The text is only made when somebody listens: a cache hit must not pay for it.
    pub(crate) fn tell<'a>(&self, about: impl Into<About<'a>>, stage: Stage, what: impl FnOnce() -> String) {
        self.tell_wait(about, stage, None, what);
    }

    pub(crate) fn tell_wait<'a>(
        &self,
        about: impl Into<About<'a>>,
        stage: Stage,
        wait: Option<Duration>,
        what: impl FnOnce() -> String,
    ) {
        let traced = tracing::enabled!(tracing::Level::DEBUG);
        if self.0.is_none() && !traced {
            return;
        }
        let About { method, url } = about.into();
        let event = Event { method: method.clone(), url: mask_url(url), stage, what: what(), wait };
        if traced {
            let wait = event.wait.map(|wait| wait.as_secs_f64());
            tracing::debug!(stage = %event.stage, %method, url = event.url, wait, "{}", event.what);
        }
        if let Some(listener) = &self.0 {
            listener(&event);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Listener" } else { "nobody" })
    }
}
