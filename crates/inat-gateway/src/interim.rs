//! Interim answers (RFC 9110 §15.2): what upstream says before it answers. A gateway has to hand it on.
//!
//! The session knows only answers, and one flight may fly for several clients. So who waits is written down here by what it
//! asked for, and the transport tells all of them. The words then go out between two answers, which only the connection's
//! [`Wire`](crate::wire::Wire) knows how to do: hyper, as a server, sends none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};
use inat_session::cache::Identity;
use tokio::sync::Notify;

use crate::{hop, identity};

/// What one connection keeps for its client. A server that has more to say before it answers is not heard.
const MOST: usize = 32 << 10;

/// Clients that take whatever comes first for the answer (all that are built on Python's own `http.client`). RFC 8297 §3 lets
/// these be spared.
const CONFUSED: [&[u8]; 2] = [b"python-requests/", b"python-urllib"];

/// What tells requests apart that may be answered differently.
type Asked = (Method, Uri, Identity);

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Interim(Mutex<HashMap<Asked, Vec<Arc<Words>>>>);

/// Somebody waits, for as long as this lives.
pub(crate) struct Waiting {
    all: Arc<Interim>,
    asked: Asked,
    words: Arc<Words>,
}

impl Interim {
    /// Notes that what upstream says to this request is to be told.
    pub(crate) fn wait(self: &Arc<Self>, asked: Asked, words: &Arc<Words>) -> Waiting {
        self.lock().entry(asked.clone()).or_default().push(words.clone());
        Waiting { all: self.clone(), asked, words: words.clone() }
    }

    /// Has those told what upstream says to this request who wait for its answer when it is said.
    pub(crate) fn listen<B>(self: &Arc<Self>, request: &mut Request<B>) {
        let identity = identity::of(request.headers(), request.uri().query());
        let asked = (request.method().clone(), request.uri().clone(), identity);
        let all = self.clone();
        hyper::ext::on_informational(request, move |said| {
            if let Some(text) = text(said.status(), said.headers())
                && let Some(waiting) = all.lock().get(&asked)
            {
                for words in waiting {
                    words.say(&text);
                }
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Asked, Vec<Arc<Words>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(waiting) = all.get_mut(&self.asked) {
            if let Some(at) = waiting.iter().position(|words| Arc::ptr_eq(words, &self.words)) {
                waiting.swap_remove(at);
            }
            if waiting.is_empty() {
                all.remove(&self.asked);
            }
        }
    }
}

/// Whether a client can be told: HTTP/1.0 has no interim answers (RFC 9110 §15.2), hyper sends none over HTTP/2, and some
/// clients do not know them.
pub(crate) fn is_understood(version: Version, headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map(|agent| agent.as_bytes().to_ascii_lowercase()).unwrap_or_default();
    version == Version::HTTP_11 && !CONFUSED.iter().any(|confused| agent.starts_with(confused))
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
    pub(crate) async fn are_there(&self) {
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
        assert!(is_understood(Version::HTTP_11, &HeaderMap::new()));
        assert!(is_understood(Version::HTTP_11, &with("curl/8.0")));
        assert!(!is_understood(Version::HTTP_10, &HeaderMap::new()));
        assert!(!is_understood(Version::HTTP_2, &HeaderMap::new()));
        assert!(!is_understood(Version::HTTP_11, &with("python-requests/2.32 pyinaturalist/0.20")));
        assert!(!is_understood(Version::HTTP_11, &with("Python-urllib/3.11")));
    }

    #[test]
    fn nobody_is_left_on_the_list_and_nobody_hears_too_much() {
        let (all, words) = (Arc::new(Interim::default()), Arc::new(Words::default()));
        let asked = || (Method::GET, Uri::from_static("http://h/a"), Identity::Anonymous);
        let (one, other) = (all.wait(asked(), &words), all.wait(asked(), &Arc::default()));
        assert_eq!(all.lock().get(&asked()).map(Vec::len), Some(2));
        drop(one);
        assert!(!Arc::ptr_eq(&all.lock()[&asked()][0], &words));
        drop(other);
        assert!(all.lock().is_empty());
        for _ in 0..MOST {
            words.say(b"12345");
        }
        assert!((MOST - 5..=MOST).contains(&words.take().len()));
        assert!(words.take().is_empty());
    }
}
