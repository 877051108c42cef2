//! The budget in words.

use std::fmt::Write as _;

use inat_session::limit::{BucketReport, WindowReport};

use super::footer::thousands;
use super::{size, span};

/// One line for a bucket, and one for each thing out of the ordinary.
pub(crate) fn lines(report: &BucketReport) -> String {
    let mut parts: Vec<String> = report
        .windows
        .iter()
        .map(|window| format!("{} of {} left {}", thousands(window.left), thousands(window.limit), during(window)))
        .collect();
    parts.extend(
        report
            .bytes
            .iter()
            .map(|bytes| format!("{} of {} left per {}", size(bytes.left), size(bytes.limit), bytes.name)),
    );
    if parts.is_empty() {
        parts.push("no limits".to_owned());
    }
    parts.push(match report.wait.as_millis() {
        0 => "next slot now".to_owned(),
        _ => format!("next slot in {}", span(report.wait)),
    });
    let mut text = format!("{}: {}", report.bucket, parts.join(" · "));
    if let Some(until) = report.stopped_until {
        let why = report.stopped_because.as_deref().unwrap_or("the server asked for it");
        let _ = write!(text, "\n  stopped until {until}: {why}");
    }
    if report.rate_share < 1.0 {
        let _ = write!(
            text,
            "\n  at {:.0} % of the rate since a refusal; it recovers by itself",
            report.rate_share * 100.0
        );
    }
    text
}

/// `this minute`, `today`, or how long the window is.
pub(crate) fn during(window: &WindowReport) -> String {
    match (window.name.as_str(), window.length.as_secs()) {
        ("minute", 60) => "this minute".to_owned(),
        ("hour", 3_600) => "this hour".to_owned(),
        ("day", 86_400) => "today".to_owned(),
        ("month", 2_592_000) => "in 30 days".to_owned(),
        _ => format!("in {}", span(window.length)),
    }
}
