//! The line that says where an answer came from, what it cost, and how long it stays good.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use inat_session::cache::StaleBecause;
use inat_session::limit::BucketReport;
use inat_session::{Expiry, Origin, Response, Timestamp};

use super::span;
use crate::in_process::InProcess;

/// `200 · from iNaturalist in 0.2 s · good for 5 min · 9,987 of 10,000 left today`
pub(crate) fn line(response: &Response, budget: &[BucketReport]) -> String {
    let now = Timestamp::from(SystemTime::now());
    let host = response.url().host_str().unwrap_or_default();
    let mut parts = vec![response.status().as_u16().to_string()];
    origin(response.origin(), &named(host), response.elapsed(), &mut parts);
    if let Some(good) = good_for(response, now) {
        parts.push(good);
    }
    if let Some(redirects) = Some(response.history().len()).filter(|count| *count > 0) {
        parts.push(format!("after {redirects} {}", if redirects == 1 { "redirect" } else { "redirects" }));
    }
    if response.status().is_redirection() && response.header("location").is_some() {
        parts.push("--follow goes where it leads".to_owned());
    }
    if is_page(response) {
        parts.push("a page for people, not data".to_owned());
    }
    parts.extend(left(&authority(response.url()), budget));
    parts.join(" · ")
}

fn origin(origin: &Origin, server: &str, took: Duration, parts: &mut Vec<String>) {
    match origin {
        Origin::Network { attempts, waited } => {
            parts.push(format!("from {server} in {}{}", span(took.saturating_sub(*waited)), cost(*attempts, *waited)));
        }
        Origin::Revalidated { attempts, waited } => parts.push(format!(
            "from the cache; {server} says it is unchanged, in {}{}",
            span(took.saturating_sub(*waited)),
            cost(*attempts, *waited)
        )),
        Origin::Cached { age, .. } => parts.push(format!("from the cache, {} old", span(*age))),
        Origin::Stale { age, because } => {
            parts.push(format!("from the cache, {} old and expired: {}", span(*age), why_stale(*because)));
        }
        Origin::Shared(inner) => {
            parts.push("shared with a twin in flight".to_owned());
            self::origin(inner, server, took, parts);
        }
        // A plan is shown instead.
        _ => {}
    }
}

fn cost(attempts: u32, waited: Duration) -> String {
    let mut text = String::new();
    if attempts > 1 {
        let _ = write!(text, ", at the {} try", ordinal(attempts));
    }
    if waited >= Duration::from_millis(100) {
        let _ = write!(text, ", after {} in the queue", span(waited));
    }
    text
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn why_stale(because: StaleBecause) -> &'static str {
    match because {
        StaleBecause::MaxStale => "--max-stale allows it",
        StaleBecause::WhileRevalidating => "it is refreshed meanwhile",
        StaleBecause::Error => "the server cannot be reached, or failed",
        StaleBecause::OnlyIfCached => "the server must not be asked",
        other => other.as_str(),
    }
}

fn good_for(response: &Response, now: Timestamp) -> Option<String> {
    let fresh = match response.origin() {
        Origin::Cached { fresh_for: Some(fresh), .. } => return Some(format!("good for {} more", span(*fresh))),
        Origin::Cached { fresh_for: None, .. } => return Some("good for ever".to_owned()),
        Origin::Stale { .. } => return None,
        _ => response.expiry(),
    };
    match fresh {
        Expiry::Never => Some("good for ever".to_owned()),
        Expiry::At(at) if at > now => Some(format!("good for {}", span(at.since(now)))),
        Expiry::At(_) => Some("checked again at each use".to_owned()),
        // What arrived in pieces is kept when it is whole, and that is not known here.
        Expiry::NotStored if response.bytes().is_err() => None,
        Expiry::NotStored if response.method().is_safe() => Some("not kept".to_owned()),
        _ => None,
    }
}

/// What a host is called in messages.
pub(crate) fn named(host: &str) -> String {
    match host {
        InProcess::HOST => "the sandbox".to_owned(),
        host if host == "inaturalist.org" || host.ends_with(".inaturalist.org") => "iNaturalist".to_owned(),
        host => host.to_owned(),
    }
}

/// Whether the API answered with HTML: a login or an error page of something in between, under a status that says all is well.
fn is_page(response: &Response) -> bool {
    let api = matches!(response.url().path_segments().and_then(|mut parts| parts.next()), Some("v1" | "v2"));
    let kind = response.header("content-type").unwrap_or_default();
    api && kind.trim_start().to_ascii_lowercase().starts_with("text/html")
}

/// Host and port, as buckets are named.
fn authority(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// How much of the longest window is left in the bucket of this host.
fn left(host: &str, budget: &[BucketReport]) -> Option<String> {
    let bucket = match named(host).as_str() {
        "iNaturalist" => "inaturalist",
        _ => host,
    };
    let is_ours = |report: &&BucketReport| report.bucket == bucket || report.bucket.ends_with(&format!(":{bucket}"));
    let window = budget.iter().find(is_ours)?.windows.last()?;
    Some(format!("{} of {} left {}", thousands(window.left), thousands(window.limit), super::budget::during(window)))
}

/// `10,000`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (10_000, "10,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(thousands(number), expected);
        }
        for (number, expected) in
            [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd"), (113, "113th")]
        {
            assert_eq!(ordinal(number), expected);
        }
    }

    #[test]
    fn hosts() {
        assert_eq!(named("api.inaturalist.org"), "iNaturalist");
        assert_eq!(named("notinaturalist.org"), "notinaturalist.org");
        assert_eq!(named("sandbox.inat.localhost"), "the sandbox");
    }
}
