//! What controllers give back, and its way into an answer.

use serde_json::{Value, json};

use super::call::{Call, Paging, Version};
use crate::Answer;

/// What `Cache-Control` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// Nothing: the CDN decides.
    Unsaid,
    NoStore,
    Seconds(u32),
}

#[derive(Debug, Clone)]
enum Body {
    Json(Value),
    Ready(Answer),
}

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    body: Body,
    lifetime: Lifetime,
    status: u16,
}

impl Reply {
    pub(crate) fn json(value: Value) -> Self {
        Self { body: Body::Json(value), lifetime: Lifetime::Unsaid, status: 200 }
    }

    /// An answer that is not JSON of the API.
    pub(crate) fn ready(answer: Answer) -> Self {
        Self { status: answer.status, body: Body::Ready(answer), lifetime: Lifetime::Unsaid }
    }

    #[allow(clippy::needless_pass_by_value, reason = "every caller has just made them")]
    pub(crate) fn page(total: usize, paging: Paging, results: Vec<Value>) -> Self {
        Self::json(
            json!({ "total_results": total, "page": paging.page, "per_page": paging.per_page, "results": results }),
        )
    }

    /// Records asked for by id. v2 says 404 where none is left, v1 is content with an empty list.
    pub(crate) fn shown(call: &Call<'_>, per_page: usize, results: Vec<Value>) -> Self {
        let status = if call.is_v2() && results.is_empty() { 404 } else { 200 };
        let per_page = u64::try_from(per_page).unwrap_or(30);
        Self { status, ..Self::page(results.len(), Paging { page: 1, per_page }, results) }
    }

    pub(crate) fn lasting(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    pub(crate) fn into_answer(self, call: &Call<'_>) -> Answer {
        match self.body {
            Body::Ready(answer) => answer,
            Body::Json(value) => {
                let mut answer = Answer::json(&value);
                answer.status = self.status;
                if self.status == 200 && call.method == "GET" {
                    control(&mut answer, self.lifetime, call);
                }
                answer
            }
        }
    }
}

/// `ttl` goes before the route's lifetime, with the oddities of each version.
fn control(answer: &mut Answer, lifetime: Lifetime, call: &Call<'_>) {
    const NO_STORE: &str = "private, no-cache, no-store";
    let ttl = call.get("ttl").and_then(|ttl| ttl.parse::<i64>().ok());
    let value = match (lifetime, ttl, call.version) {
        (Lifetime::NoStore, _, _) | (_, Some(-1), Version::V2) => {
            answer.set("Expires", "-1");
            NO_STORE.to_owned()
        }
        (_, Some(0), _) | (Lifetime::Unsaid, None, _) => return,
        (_, Some(ttl), _) => format!("public, max-age={ttl}"),
        (Lifetime::Seconds(seconds), None, _) => format!("public, max-age={seconds}"),
    };
    answer.set("Cache-Control", value);
}

/// An error in the words and the shape of its version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    status: u16,
    message: Message,
}

#[derive(Debug, Clone, PartialEq)]
enum Message {
    Own(String),
    /// Passed on from the Rails application behind the API.
    Rails(Value),
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: Message::Own(message.into()) }
    }

    pub(crate) fn rails(status: u16, original: Value) -> Self {
        Self { status, message: Message::Rails(original) }
    }

    pub(crate) fn unknown(parameter: &str, value: &str) -> Self {
        Self::new(422, format!("Unknown {parameter} {value}"))
    }

    /// Express's own page for a route that is not there.
    pub(crate) fn no_route(call: &Call<'_>) -> Answer {
        let path =
            call.seen.path().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        let page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n\
             <pre>Cannot {} {path}</pre>\n</body>\n</html>\n",
            call.seen.method
        );
        Answer::html(404, page)
            .header("Content-Security-Policy", "default-src 'none'")
            .header("X-Content-Type-Options", "nosniff")
    }

    pub(crate) fn into_answer(self, call: &Call<'_>) -> Answer {
        let status = self.status;
        let value = match (call.version, self.message) {
            (Version::V2, Message::Own(message)) => {
                let code = status.to_string();
                json!({ "status": code, "errors": [{ "errorCode": code, "message": message }] })
            }
            (Version::V2, Message::Rails(original)) => {
                let code = status.to_string();
                json!({ "status": code, "errors": [{ "errorCode": code, "message": original.to_string(), "from": "externalAPI" }] })
            }
            // Outside the versions it is Rails itself that speaks.
            (Version::Other, Message::Rails(original)) => original,
            (_, Message::Own(message)) => json!({ "error": message, "status": status }),
            (_, Message::Rails(original)) => json!({ "error": { "original": original }, "status": status }),
        };
        let mut answer = Answer::json(&value);
        answer.status = status;
        answer
    }
}
