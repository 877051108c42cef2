//! Interim answers (RFC 9110 §15.2): what upstream says before it answers. A gateway has to hand it on.
//!
//! The session knows only answers, and one flight may fly for several clients. So who waits is written down here by what it
//! asked for, and the transport tells all of them. The words then go out between two answers, which only the connection's
//! [`Wire`](crate::wire::Wire) knows how to do: hyper, as a server, sends none.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONTENT_LENGTH, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE, USER_AGENT,
};
use http::{HeaderMap, Request, StatusCode, Version};
use tokio::sync::Notify;

use crate::hop;

/// What one connection keeps for its client. A server that has more to say before it answers is not heard.
const MOST: usize = 32 << 10;

/// Clients that are known to understand interim answers, by what they call themselves. All that are built on Python's own
/// `http.client` take whatever comes first for the answer, and may call themselves anything; RFC 8297 §3 lets such be spared.
const KNOWING: [&str; 7] = ["bun/", "curl/", "deno/", "go-http-client/", "hyper/", "node", "undici"];
/// Sent by whatever has `fetch`, browsers above all. Their names are borrowed by all kinds of programs.
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Fields that the session adds or takes away, so that they tell nobody apart here.
const SETTLED: [HeaderName; 5] = [ACCEPT_ENCODING, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE];

/// What tells requests apart: a hash of everything that is sent.
type Fingerprint = u64;

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Interim {
    waiting: Mutex<HashMap<Fingerprint, Vec<Arc<Words>>>>,
    hasher: RandomState,
}

/// Somebody waits, for as long as this lives.
pub(crate) struct Subscription {
    all: Arc<Interim>,
    fingerprint: Fingerprint,
    words: Arc<Words>,
}

impl Interim {
    /// Notes that what upstream says to this request is to be told.
    pub(crate) fn subscribe(self: &Arc<Self>, request: &Request<Bytes>, words: &Arc<Words>) -> Subscription {
        let fingerprint = self.hash(request);
        self.lock().entry(fingerprint).or_default().push(words.clone());
        Subscription { all: self.clone(), fingerprint, words: words.clone() }
    }

    /// Has those told what upstream says to this request who wait for its answer when it is said.
    pub(crate) fn listen(self: &Arc<Self>, request: &mut Request<Bytes>) {
        let (all, fingerprint) = (self.clone(), self.hash(request));
        hyper::ext::on_informational(request, move |said| {
            if let Some(text) = text(said.status(), said.headers())
                && let Some(waiting) = all.lock().get(&fingerprint)
            {
                for words in waiting {
                    words.say(&text);
                }
            }
        });
    }

    fn hash(&self, request: &Request<Bytes>) -> Fingerprint {
        let mut hasher = self.hasher.build_hasher();
        // A body may be long, and is shared and not copied on its way: where it lies says which it is.
        let body = Some(request.body()).filter(|body| !body.is_empty()).map(|body| (body.as_ptr(), body.len()));
        (request.method(), request.uri(), body).hash(&mut hasher);
        for (name, value) in request.headers().iter().filter(|(name, _)| !SETTLED.contains(name)) {
            (name, value).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Vec<Arc<Words>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(waiting) = all.get_mut(&self.fingerprint) {
            if let Some(at) = waiting.iter().position(|words| Arc::ptr_eq(words, &self.words)) {
                waiting.swap_remove(at);
            }
            if waiting.is_empty() {
                all.remove(&self.fingerprint);
            }
        }
    }
}

/// Whether a client can be told: HTTP/1.0 has no interim answers (RFC 9110 §15.2), none are sent over HTTP/2, and some clients do
/// not know them.
pub(crate) fn is_understood(version: Version, headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let knows = headers.contains_key(SEC_FETCH_MODE) || KNOWING.iter().any(|knowing| agent.contains(knowing));
    version == Version::HTTP_11 && knows
}

/// An interim answer as it is written. 100 is between neighbours, as `Expect` is, and 101 is none.
fn text(status: StatusCode, headers: &HeaderMap) -> Option<Bytes> {
    if !status.is_informational() || matches!(status, StatusCode::CONTINUE | StatusCode::SWITCHING_PROTOCOLS) {
        return None;
    }
    let mut headers = headers.clone();
    hop::strip(&mut headers);
    headers.remove(CONTENT_LENGTH);
    let reason = status.canonical_reason().unwrap_or_default();
    let mut text = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in &headers {
        for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            text.extend_from_slice(piece);
        }
    }
    text.extend_from_slice(b"\r\n");
    Some(text.into())
}

/// What one connection is to say before its next answer.
#[derive(Debug, Default)]
pub(crate) struct Words {
    text: Mutex<Vec<u8>>,
    rung: Notify,
}

impl Words {
    fn say(&self, text: &[u8]) {
        let mut all = self.lock();
        if all.len() + text.len() <= MOST {
            all.extend_from_slice(text);
            self.rung.notify_one();
        }
    }

    /// Ends when there is something to say.
    pub(crate) async fn rung(&self) {
        self.rung.notified().await;
    }

    /// What there is to say; from now on it counts as said.
    pub(crate) fn take(&self) -> Bytes {
        std::mem::take(&mut *self.lock()).into()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn what_is_handed_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("link", "</a>"), ("connection", "x"), ("x", "1"), ("link", "</b>"), ("content-length", "5")]
        {
            headers.append(name, HeaderValue::from_static(value));
        }
        let hints = text(StatusCode::EARLY_HINTS, &headers).unwrap();
        assert_eq!(hints, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\n\r\n");
        let odd = text(StatusCode::from_u16(199).unwrap(), &HeaderMap::new()).unwrap();
        assert_eq!(odd, "HTTP/1.1 199 \r\n\r\n");
        for status in [100, 101, 200, 304] {
            assert_eq!(text(StatusCode::from_u16(status).unwrap(), &headers), None, "{status}");
        }
    }

    #[test]
    fn who_is_told() {
        let with = |agent: &'static str| HeaderMap::from_iter([(USER_AGENT, HeaderValue::from_static(agent))]);
        for agent in ["curl/8.0", "node", "undici", "httr2/1.0.0 r-curl/5.2.0 libcurl/8.5.0"] {
            assert!(is_understood(Version::HTTP_11, &with(agent)), "{agent}");
            assert!(!is_understood(Version::HTTP_10, &with(agent)) && !is_understood(Version::HTTP_2, &with(agent)));
        }
        let mut browser = with("Mozilla/5.0 (X11)");
        browser.insert(SEC_FETCH_MODE, HeaderValue::from_static("cors"));
        assert!(is_understood(Version::HTTP_11, &browser));
        for agent in
            ["python-requests/2.32", "Python-urllib/3.11", "Mozilla/5.0 (X11)", "my script (me@example.org)", ""]
        {
            assert!(!is_understood(Version::HTTP_11, &with(agent)), "{agent}");
        }
        assert!(!is_understood(Version::HTTP_11, &HeaderMap::new()));
    }

    #[test]
    fn what_tells_requests_apart() {
        let all = Interim::default();
        let hash = |method: &str, url: &str, field: (&str, &str), body: &'static str| {
            let request = Request::builder().method(method).uri(url).header("a", "1").header(field.0, field.1);
            all.hash(&request.body(Bytes::from(body)).unwrap())
        };
        let plain = hash("GET", "http://h/a", ("b", "2"), "");
        assert_eq!(plain, hash("GET", "http://h/a", ("b", "2"), ""));
        for other in [
            hash("PUT", "http://h/a", ("b", "2"), ""),
            hash("GET", "http://h/b", ("b", "2"), ""),
            hash("GET", "http://h/a", ("b", "3"), ""),
            hash("GET", "http://h/a", ("authorization", "me"), ""),
            hash("GET", "http://h/a", ("b", "2"), "x"),
        ] {
            assert_ne!(plain, other);
        }
        let conditional = hash("GET", "http://h/a", ("if-none-match", "x"), "");
        assert_eq!(conditional, hash("GET", "http://h/a", ("if-none-match", "y"), ""), "the session may add one");
    }

    #[test]
    fn nobody_is_left_on_the_list_and_nobody_hears_too_much() {
        let (all, words) = (Arc::new(Interim::default()), Arc::new(Words::default()));
        let fingerprint = Request::get("http://h/a").header("x", "1").body(Bytes::new()).unwrap();
        let (one, other) = (all.subscribe(&fingerprint, &words), all.subscribe(&fingerprint, &Arc::default()));
        assert_eq!(all.lock().get(&all.hash(&fingerprint)).map(Vec::len), Some(2));
        drop(one);
        assert!(!Arc::ptr_eq(&all.lock()[&all.hash(&fingerprint)][0], &words));
        drop(other);
        assert!(all.lock().is_empty());
        for _ in 0..MOST {
            words.say(b"12345");
        }
        assert!((MOST - 5..=MOST).contains(&words.take().len()));
        assert!(words.take().is_empty());
    }
}
