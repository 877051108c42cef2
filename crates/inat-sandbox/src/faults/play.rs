//! What each fault does to a reply.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::{Fault, RetryAfter};
use crate::{
    Answer,
    origin::{gunzip, gzip},
};

/// What goes onto the connection.
#[derive(Debug)]
pub(crate) enum Wire {
    Reply(Answer, Manner),
    Raw(Bytes),
    Close,
    Reset,
}

/// How a reply is sent.
#[derive(Debug, Default)]
pub(crate) struct Manner {
    pub(crate) first_byte_after: Duration,
    pub(crate) per_byte: Duration,
    pub(crate) cut: Option<Cut>,
}

/// Where a reply breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Length,
    Chunked,
    Reset,
}

/// The reply of a fault that keeps the origin out of it; `None` for faults that alter the origin's reply.
pub(crate) fn refuse(fault: &Fault, now: SystemTime) -> Option<Wire> {
    let answer = match fault {
        Fault::Throttled(when) => throttled(*when, now),
        Fault::Status(status) => server_error(*status),
        Fault::Maintenance(seconds) => {
            let at = httpdate::fmt_http_date(now + Duration::from_secs(bounded(*seconds)));
            Answer::text(503, "iNaturalist is down for maintenance. Please try again later.\n")
                .header("Retry-After", at)
        }
        Fault::Blocked => blocked(),
        Fault::LoginPage => Answer::html(200, LOGIN_PAGE),
        Fault::Answer(answer) => answer.clone(),
        Fault::Raw(bytes) => return Some(Wire::Raw(bytes.clone())),
        Fault::Reset => return Some(Wire::Reset),
        Fault::Close => return Some(Wire::Close),
        _ => return None,
    };
    Some(Wire::Reply(answer, Manner::default()))
}

/// The origin's reply, altered.
pub(crate) fn play(fault: Option<&Fault>, mut answer: Answer) -> Wire {
    let mut manner = Manner::default();
    match fault {
        Some(Fault::Lost) => return Wire::Reset,
        Some(Fault::CutBody) => cut_whole(&mut answer),
        Some(Fault::CutGzip) => {
            if answer.get("content-encoding").is_none() {
                answer.body = gzip(&answer.body);
                answer.set("Content-Encoding", "gzip");
            }
            answer.remove("transfer-encoding");
            answer.body = half(&answer.body);
        }
        Some(Fault::WrongType(name)) => answer.set("Content-Type", name),
        Some(Fault::SlowStart(delay)) => manner.first_byte_after = *delay,
        Some(Fault::Drip(pause)) => manner.per_byte = *pause,
        Some(Fault::CutLength) => manner.cut = Some(Cut::Length),
        Some(Fault::CutChunked) => manner.cut = Some(Cut::Chunked),
        Some(Fault::ResetMid) => manner.cut = Some(Cut::Reset),
        _ => {}
    }
    Wire::Reply(answer, manner)
}

pub(crate) fn throttled(when: RetryAfter, now: SystemTime) -> Answer {
    let json = || Answer::json(&serde_json::json!({ "error": "normal_throttling" }));
    let mut answer = match when {
        RetryAfter::Absent => json(),
        RetryAfter::Seconds(seconds) => json().header("Retry-After", seconds.to_string()),
        RetryAfter::Date(seconds) => {
            json().header("Retry-After", httpdate::fmt_http_date(now + Duration::from_secs(bounded(seconds))))
        }
        RetryAfter::Page => Answer::html(429, nginx_page("429 Too Many Requests")),
    };
    answer.status = 429;
    answer
}

pub(crate) fn blocked() -> Answer {
    Answer::html(403, BLOCKED_PAGE)
}

fn server_error(status: u16) -> Answer {
    match status {
        500 => {
            let mut answer = Answer::json(&serde_json::json!({ "error": "Error", "status": 500 }));
            answer.status = 500;
            answer
        }
        502 => Answer::html(502, nginx_page("502 Bad Gateway")),
        503 => Answer::html(503, nginx_page("503 Service Temporarily Unavailable")),
        504 => Answer::html(504, nginx_page("504 Gateway Time-out")),
        other => Answer::html(other, nginx_page(&other.to_string())),
    }
}

fn nginx_page(title: &str) -> String {
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n\
         </body>\r\n</html>\r\n"
    )
}

/// Cuts the text, not its packing: what arrives can be unpacked, and is half of what it should be.
fn cut_whole(answer: &mut Answer) {
    let packed = answer.get("content-encoding").is_some_and(|coding| coding == "gzip");
    answer.body = match gunzip(&answer.body).filter(|_| packed) {
        Some(body) => gzip(&half(&body)),
        None => half(&answer.body),
    };
}

fn half(body: &Bytes) -> Bytes {
    body.slice(..body.len() / 2)
}

/// Dates far in the future overflow the calendar; ten years are far enough.
fn bounded(seconds: u64) -> u64 {
    seconds.min(315_360_000)
}

const BLOCKED_PAGE: &str = "<!DOCTYPE html>\n<html>\n<head><title>Forbidden</title></head>\n<body>\n<h1>403 Forbidden</h1>\n\
    <p>This IP has been blocked. Contact us at help@inaturalist.org if you think this is a mistake.</p>\n</body>\n</html>\n";

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html>\n<head><title>Log In · iNaturalist</title></head>\n<body>\n\
    <form class=\"log-in\" action=\"/session\" method=\"post\">\n<label>Username or email</label><input name=\"user[email]\">\n\
    <label>Password</label><input type=\"password\" name=\"user[password]\">\n</form>\n</body>\n</html>\n";
