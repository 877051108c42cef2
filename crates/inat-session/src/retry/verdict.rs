//! The verdict on one try: an answer, another try, or the end. A pure table; reading it from top to bottom is its
//! documentation.

use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};

use super::Backoff;
use crate::transport::Fault;

/// What came of one try.
#[derive(Clone, Debug)]
pub(crate) enum Outcome<'a> {
    /// A sound answer.
    Answered {
        /// Its status.
        status: StatusCode,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// The beginning of the body, where some refusals can be told from others.
        text: &'a [u8],
    },
    /// A head came, but the body cannot be used.
    BadBody,
    /// No answer came.
    Failed(&'a Fault),
}

/// What was tried so far, and what may be.
#[derive(Clone, Debug)]
pub(crate) struct Tried<'a> {
    /// The method.
    pub method: &'a Method,
    /// Whether the caller says that sending it twice does no harm.
    pub idempotent: bool,
    /// Failed tries before this one, not counting those that were merely throttled.
    pub failures: u32,
    /// How many failures are allowed.
    pub max_retries: u32,
    /// Statuses that mean the server is throttling.
    pub limit_statuses: &'a [StatusCode],
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the answer, whatever its status.
    Answer,
    /// Try again.
    Again {
        /// Why.
        why: Why,
        /// After this long, besides the wait for a slot.
        after: Duration,
        /// How long the server itself asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server is throttling: wait as it says (or as the budget decides), then try again. Does not count as a failure.
    Throttled {
        /// With this status.
        status: StatusCode,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// This address is blocked; nothing more may be sent.
    Blocked,
    /// There is nothing left to try.
    GiveUp,
}

/// Why a try is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The server failed.
    Status(StatusCode),
    /// The body was unusable.
    BadBody,
    /// No answer came.
    Fault(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{}", status.as_u16()),
            Self::BadBody => f.write_str("unusable body"),
            Self::Fault(fault) => f.write_str(fault),
        }
    }
}

/// Judges one try. `random` between 0 and 1 feeds the jitter.
pub(crate) fn judge(outcome: &Outcome<'_>, tried: &Tried<'_>, backoff: &Backoff, random: f64) -> Verdict {
    let again = |why| {
        if tried.failures >= tried.max_retries {
            return Verdict::GiveUp;
        }
        Verdict::Again { why, after: backoff.before_retry(tried.failures + 1, random), retry_after: None }
    };
    let repeatable = tried.idempotent || tried.method.is_idempotent();
    match outcome {
        // Where no status means throttling, the server is not iNaturalist, and its pages are its own affair.
        Outcome::Answered { status, text, .. }
            if *status == StatusCode::FORBIDDEN && !tried.limit_statuses.is_empty() && is_block_page(text) =>
        {
            Verdict::Blocked
        }
        // A limiting status was refused before anything happened, so any method may come again. `max_retries = 0` means that
        // the caller wants to see it.
        Outcome::Answered { status, retry_after, .. } if tried.limit_statuses.contains(status) => {
            match tried.max_retries {
                0 => Verdict::Answer,
                _ => Verdict::Throttled { status: *status, retry_after: *retry_after },
            }
        }
        // 500 with this text is v2's way of saying that `page · per_page` exceeds 10,000. It will say so for ever.
        Outcome::Answered { status, text, .. } if is_server_trouble(*status) && is_window_too_large(text) => {
            Verdict::Answer
        }
        Outcome::Answered { status, retry_after, .. } if passes(*status, *retry_after) && repeatable => {
            match again(Why::Status(*status)) {
                // "At once", from a server in trouble, is no reason to hurry.
                Verdict::Again { why, after, .. } => {
                    let asked = retry_after.filter(|asked| !asked.is_zero());
                    Verdict::Again { why, after: asked.unwrap_or(after), retry_after: asked }
                }
                // The last answer is still an answer: the caller gets its status and body.
                _ => Verdict::Answer,
            }
        }
        Outcome::Answered { .. } => Verdict::Answer,
        Outcome::BadBody if repeatable => again(Why::BadBody),
        Outcome::Failed(Fault::Certificate(_) | Fault::Unsendable(_)) => Verdict::GiveUp,
        Outcome::Failed(fault) if repeatable || fault.is_before_sending() => again(Why::Fault(fault.to_string())),
        Outcome::BadBody | Outcome::Failed(_) => Verdict::GiveUp,
    }
}

/// Whether it will be over some time. A body too large is so for ever, unless the server says until when (RFC 9110 §15.5.14).
fn passes(status: StatusCode, retry_after: Option<Duration>) -> bool {
    is_server_trouble(status) || (status == StatusCode::PAYLOAD_TOO_LARGE && retry_after.is_some())
}

fn is_server_trouble(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// "Result window is too large", 403 on v1 and 500 on v2 (inaturalist-api §1.7).
fn is_window_too_large(text: &[u8]) -> bool {
    contains(text, b"Result window is too large")
}

/// The HTML page of a blocked address (inaturalist-api §1.3).
fn is_block_page(text: &[u8]) -> bool {
    contains(text, b"IP has been blocked") || contains(text, b"IP address has been blocked")
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    text[..text.len().min(4096)].windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITED: [StatusCode; 1] = [StatusCode::TOO_MANY_REQUESTS];
    const EXACT: Backoff = Backoff { factor: 0.5, jitter: 0.0 };

    fn verdict(method: &Method, outcome: &Outcome<'_>, failures: u32) -> Verdict {
        let tried = Tried { method, idempotent: false, failures, max_retries: 5, limit_statuses: &LIMITED };
        judge(outcome, &tried, &EXACT, 0.0)
    }

    fn status(code: u16) -> Outcome<'static> {
        Outcome::Answered { status: StatusCode::from_u16(code).unwrap(), retry_after: None, text: b"" }
    }

    #[test]
    fn every_status_has_its_verdict() {
        let again: Vec<u16> = (200..=599)
            .filter(|code| matches!(verdict(&Method::GET, &status(*code), 0), Verdict::Again { .. }))
            .collect();
        assert_eq!(again, [500, 502, 503, 504]);
        let throttled: Vec<u16> = (200..=599)
            .filter(|code| matches!(verdict(&Method::POST, &status(*code), 0), Verdict::Throttled { .. }))
            .collect();
        assert_eq!(throttled, [429]);
        assert!((200..=599).all(|code| !matches!(verdict(&Method::POST, &status(code), 0), Verdict::Again { .. })));
    }

    #[test]
    fn faults_by_method() {
        let connect = Fault::Connect("refused".into());
        let reset = Fault::Reset("closed".into());
        let cut = Fault::Truncated("half".into());
        let certificate = Fault::Certificate("expired".into());
        let retried = |method: &Method, fault: &Fault| {
            matches!(verdict(method, &Outcome::Failed(fault), 0), Verdict::Again { .. })
        };
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE] {
            assert!(retried(&method, &connect) && retried(&method, &reset) && retried(&method, &cut), "{method}");
            assert!(!retried(&method, &certificate), "{method}");
        }
        let report = Method::from_bytes(b"REPORT").unwrap();
        for method in [Method::POST, Method::PATCH, Method::CONNECT, report] {
            assert!(retried(&method, &connect) && !retried(&method, &reset) && !retried(&method, &cut), "{method}");
        }
    }

    #[test]
    fn the_caller_may_vouch_for_a_post() {
        let tried =
            Tried { method: &Method::POST, idempotent: true, failures: 0, max_retries: 5, limit_statuses: &LIMITED };
        let reset = Fault::Reset("closed".into());
        assert!(matches!(judge(&Outcome::Failed(&reset), &tried, &EXACT, 0.0), Verdict::Again { .. }));
    }

    #[test]
    fn the_series_ends() {
        let waits: Vec<Verdict> = (0..=5).map(|failures| verdict(&Method::GET, &status(503), failures)).collect();
        let seconds: Vec<Option<u64>> = waits
            .iter()
            .map(|verdict| match verdict {
                Verdict::Again { after, .. } => Some(after.as_secs()),
                _ => None,
            })
            .collect();
        assert_eq!(seconds, [Some(0), Some(1), Some(2), Some(4), Some(8), None]);
        assert_eq!(waits[5], Verdict::Answer);
        assert_eq!(verdict(&Method::GET, &Outcome::BadBody, 5), Verdict::GiveUp);
    }

    #[test]
    fn texts_that_mean_never() {
        let answered = |code: u16, text: &'static [u8]| Outcome::Answered {
            status: StatusCode::from_u16(code).unwrap(),
            retry_after: None,
            text,
        };
        let window = b"{\"errors\":[{\"message\":\"Result window is too large, page * per_page must be\"}]}";
        assert_eq!(verdict(&Method::GET, &answered(500, window), 0), Verdict::Answer);
        let page = b"<html><h1>This IP has been blocked. Contact us</h1>";
        assert_eq!(verdict(&Method::GET, &answered(403, page), 0), Verdict::Blocked);
        assert_eq!(verdict(&Method::GET, &answered(403, b"{}"), 0), Verdict::Answer);
    }

    #[test]
    fn retry_after_wins_over_backoff() {
        let busy = Outcome::Answered {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry_after: Some(Duration::from_secs(30)),
            text: b"",
        };
        let Verdict::Again { after, .. } = verdict(&Method::GET, &busy, 0) else { panic!("not again") };
        assert_eq!(after, Duration::from_secs(30));
    }
}
