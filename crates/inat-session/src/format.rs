//! Requests and answers as text for people, in the reference's layout, with every secret masked.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderName,
};
use http::{HeaderMap, header};

use crate::Timestamp;
use crate::dry_run::mask_body;
use crate::human::Count;
use crate::prepare::{Payload, Prepared};
use crate::response::{Expiry, Response};
use crate::secret::{mask_header, mask_headers, mask_text, mask_url};

/// Fields that say nothing about iNaturalist's answer.
const OMITTED: [HeaderName; 4] = [
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    header::X_CONTENT_TYPE_OPTIONS,
];

// Writing to a `String` cannot fail, so what `write!` returns is dropped.

/// A request as text: method and URL, fields, timeout, body.
///
/// ```
/// use inat_session::{Request, blocking::Session, format_request};
///
/// let inat = Session::builder().cache_in_memory().budget_in_memory().build()?;
/// let prepared = inat.prepare(&Request::get("taxa").query("q", "monarch"))?;
/// let text = format_request(&prepared, true, None);
/// assert!(text.starts_with("Request: (DRY RUN)\nGET https://api.inaturalist.org/v1/taxa?q=monarch\n"));
/// # Ok::<(), inat_session::Error>(())
/// ```
#[allow(clippy::cast_precision_loss, reason = "sizes for people, with two digits")]
pub fn format_request(request: &Prepared, dry_run: bool, timeout: Option<Duration>) -> String {
    let marker = if dry_run { " (DRY RUN)" } else { "" };
    let mut text =
        format!("Request:{marker}\n{} {}\n{}", request.method, mask_url(&request.url), mask_headers(&request.headers));
    if let Some(timeout) = timeout {
        let _ = write!(text, "\ntimeout={}", timeout.as_secs_f64());
    }
    match &request.payload {
        Payload::Empty => {}
        Payload::Bytes(bytes) if is_text(bytes) => {
            let _ = write!(text, "\n\n{}", mask_body(bytes));
        }
        Payload::Bytes(bytes) => {
            let _ = write!(text, "\n\n(non-JSON request body ({}))", size(bytes.len() as f64));
        }
        Payload::Multipart { fields, files } => {
            let (fields, files) = (Count(fields.len(), "field"), Count(files.len(), "file"));
            let _ = write!(text, "\n\n(non-JSON request body ({fields}, {files}))");
        }
    }
    text
}

/// An answer as text: where it came from, status, time, fields. When the status is an error, what the server says about it is
/// added: its message, or else the beginning of the body.
#[allow(clippy::cast_precision_loss, reason = "sizes for people, with two digits")]
pub fn format_response(response: &Response, now: Timestamp) -> String {
    let cached = match (response.is_from_cache(), response.expiry()) {
        (false, _) => "not cached".to_owned(),
        (true, Expiry::Never) => "cached; never expires".to_owned(),
        (true, Expiry::At(at)) if at > now => format!("cached; expires in {}", clock_time(at.since(now))),
        (true, Expiry::At(_) | Expiry::NotStored) => "cached; expired".to_owned(),
    };
    let mut text = format!("Response ({cached}):\n{} {}", response.status().as_u16(), response.reason());
    if response.status().as_u16() >= 400
        && let Some(message) = response.error_message().or_else(|| beginning(response))
    {
        let _ = write!(text, " {message}");
    }
    let _ = write!(text, "\nElapsed: {:.3}s", response.elapsed().as_secs_f64());
    if !response.is_from_cache()
        && let Ok(body) = response.bytes()
    {
        let length = body.len() as f64;
        let seconds = response.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 { length / seconds } else { length };
        let _ = write!(text, "; received {} @ {}/s", size(length), size(rate));
    }
    let shown = fields(response.headers());
    if !shown.is_empty() {
        text.push('\n');
        text.push_str(&shown);
    }
    text
}

/// The first words of a body that is text, masked.
fn beginning(response: &Response) -> Option<String> {
    let text = std::str::from_utf8(response.bytes().ok()?).ok()?;
    let masked = mask_text(&mask_body(text.trim().as_bytes()));
    Some(masked.chars().take(300).collect()).filter(|beginning: &String| !beginning.is_empty())
}

fn fields(headers: &HeaderMap) -> String {
    let shown = headers.iter().filter(|(name, _)| !OMITTED.contains(name));
    shown.map(|(name, value)| format!("{name}: {}", mask_header(name, value))).collect::<Vec<_>>().join("\n")
}

fn is_text(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
        || std::str::from_utf8(bytes).is_ok_and(|text| text.contains('='))
}

/// `0:01:00`, as Python writes a `timedelta`.
fn clock_time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let time = format!("{}:{:02}:{:02}", rest / 3600, rest % 3600 / 60, rest % 60);
    match days {
        0 => time,
        1 => format!("1 day, {time}"),
        _ => format!("{days} days, {time}"),
    }
}

fn size(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 1024.0 => format!("{bytes:.0} B"),
        bytes if bytes < 1024.0 * 1024.0 => format!("{:.2} KB", bytes / 1024.0),
        bytes => format!("{:.2} MB", bytes / 1024.0 / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes() {
        assert_eq!(clock_time(Duration::from_secs(60)), "0:01:00");
        assert_eq!(clock_time(Duration::from_secs(90_061)), "1 day, 1:01:01");
        assert_eq!(clock_time(Duration::from_secs(8 * 86_400)), "8 days, 0:00:00");
        assert_eq!(size(2540.0), "2.48 KB");
        assert_eq!(size(12.0), "12 B");
    }
}
