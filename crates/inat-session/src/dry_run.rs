//! Rehearsing a request: nothing is sent, no slot is taken, nothing is written. The caller gets the reference's mock answer,
//! and in its [`Origin::DryRun`] the plan: what each stage would have done.

mod curl;
mod mock;

pub(crate) use curl::mask_body;
pub use mock::MockResponse;

use std::fmt;
use std::time::Duration;

use http::Method;

use crate::human::Count;
use crate::prepare::{Payload, Prepared};
use crate::secret::{mask_headers, mask_url};
use crate::transport::Timeouts;

/// What would be done with a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The method.
    pub method: String,
    /// The URL, masked.
    pub url: String,
    /// The fields, masked, one a line.
    pub headers: String,
    /// The body in a few words.
    pub body: String,
    /// Whose answer it would be.
    pub identity: String,
    /// What the cache would say.
    pub lookup: String,
    /// How long it would wait for a slot of the budget; the reason when there would be none.
    pub wait: Result<Duration, String>,
    /// What would be kept, or dropped from the cache.
    pub store: String,
    /// The time limits.
    pub timeouts: Timeouts,
    /// How often it would be tried again.
    pub retries: u32,
    curl: String,
}

/// What the stages say they would do.
pub(crate) struct Forecast {
    pub(crate) lookup: String,
    pub(crate) wait: Result<Duration, String>,
    pub(crate) store: String,
    pub(crate) timeouts: Timeouts,
    pub(crate) retries: u32,
}

impl Plan {
    pub(crate) fn new(prepared: &Prepared, forecast: Forecast) -> Self {
        let Forecast { lookup, wait, store, timeouts, retries } = forecast;
        Self {
            method: prepared.method.to_string(),
            url: mask_url(&prepared.url),
            headers: mask_headers(&prepared.headers),
            body: describe(&prepared.payload),
            identity: prepared.identity.to_string(),
            curl: curl::line(prepared),
            lookup,
            wait,
            store,
            timeouts,
            retries,
        }
    }

    /// The request as a `curl` command line, masked.
    pub fn as_curl(&self) -> &str {
        &self.curl
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "would {}  {}  as {}  {}", self.method, self.url, self.identity, self.body)?;
        writeln!(f, "would look  {}", self.lookup)?;
        match &self.wait {
            Ok(wait) => writeln!(f, "would wait  {:.1} s", wait.as_secs_f64())?,
            Err(reason) => writeln!(f, "would not be sent  {reason}")?,
        }
        writeln!(f, "would keep  {}", self.store)?;
        f.write_str("nothing was sent")
    }
}

fn describe(payload: &Payload) -> String {
    match payload {
        Payload::Empty => "no body".to_owned(),
        Payload::Bytes(bytes) => Count(bytes.len(), "byte").to_string(),
        Payload::Multipart { fields, files } => {
            format!("a form of {} and {}", Count(fields.len(), "field"), Count(files.len(), "file"))
        }
    }
}

/// What the session says about dry runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DryRuns {
    /// Of all requests; `None` asks the environment.
    pub(crate) all: Option<bool>,
    /// Of those that write.
    pub(crate) writes: bool,
}

impl DryRuns {
    /// Whether a request with this method, which says nothing itself, is rehearsed.
    pub(crate) fn include(self, method: &Method) -> bool {
        (self.writes && is_write(method)) || self.all.unwrap_or_else(|| is_dry_run_enabled(method))
    }
}

/// Whether the environment asks for a dry run of a request with this method: `DRY_RUN_ENABLED` for all, `DRY_RUN_WRITE_ONLY`
/// for `POST`, `PUT`, `PATCH` and `DELETE`. Unset, empty, `0`, `no`, `off`, `false` and `none` (in any case) are off;
/// the reference took `0`, `no` and `off` for on.
///
/// ```
/// // With neither variable set:
/// # if std::env::var_os("DRY_RUN_ENABLED").is_none() && std::env::var_os("DRY_RUN_WRITE_ONLY").is_none() {
/// assert!(!inat_session::is_dry_run_enabled(&http::Method::POST));
/// # }
/// ```
pub fn is_dry_run_enabled(method: &Method) -> bool {
    enabled(method, |name| std::env::var_os(name)?.into_string().ok())
}

/// The same over any environment, so that tests need not touch the real one, which all threads share.
pub(crate) fn enabled(method: &Method, environment: impl Fn(&str) -> Option<String>) -> bool {
    let is_on = |name| environment(name).is_some_and(|value| is_truthy(&value));
    is_on("DRY_RUN_ENABLED") || (is_write(method) && is_on("DRY_RUN_WRITE_ONLY"))
}

fn is_truthy(value: &str) -> bool {
    !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "off" | "false" | "none")
}

fn is_write(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH | Method::DELETE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_of_the_reference() {
        let (get, post) = (Method::GET, Method::POST);
        // (DRY_RUN_ENABLED, DRY_RUN_WRITE_ONLY, method, expected)
        let rows = [
            (None, None, &get, false),
            (None, None, &post, false),
            (Some(""), None, &get, false),
            (Some("false"), None, &get, false),
            (Some("False"), None, &post, false),
            (Some("none"), None, &get, false),
            (Some("None"), None, &post, false),
            (Some("true"), None, &get, true),
            (Some("True"), None, &post, true),
            (Some("1"), None, &get, true),
            (None, Some("true"), &get, false),
            (None, Some("true"), &post, true),
            (None, Some("false"), &post, false),
            (Some("false"), Some("true"), &post, true),
            (Some("true"), Some("false"), &get, true),
            (Some("0"), None, &get, false),
            (Some("off"), Some("no"), &post, false),
            (Some(" NO "), None, &post, false),
            (None, Some("0"), &post, false),
        ];
        for (all, writes, method, expected) in rows {
            let environment = |name: &str| match name {
                "DRY_RUN_ENABLED" => all.map(str::to_owned),
                "DRY_RUN_WRITE_ONLY" => writes.map(str::to_owned),
                _ => None,
            };
            assert_eq!(enabled(method, environment), expected, "{all:?} {writes:?} {method}");
        }
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            assert!(enabled(&method, |name| (name == "DRY_RUN_WRITE_ONLY").then(|| "1".to_owned())), "{method}");
        }
    }
}
