//! What the tests of the path share: a transport that does what a test says, sessions without network and waiting, and
//! children of this very program.
#![allow(unreachable_pub, reason = "each test program takes what it needs")]

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use inat_session::{
    Chunks, Clock, Expiry, Fault, Incoming, Outgoing, Script, Sending, Session, SessionBuilder, Timeouts, Timestamp,
    Transport, blocking,
};
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;

#[path = "../children/mod.rs"]
mod children;

pub use children::{Actor, hear, part, tell};

pub const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
pub const BODY: &str = r#"{"total_results":1,"results":[{"id":48662}]}"#;

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A session without network, files and waiting, and without chance: the backoff has no jitter.
pub fn offline(transport: impl Transport + 'static, clock: &Clock) -> SessionBuilder {
    watch();
    Session::builder()
        .transport(transport)
        .clock(clock.clone())
        .cache_in_memory()
        .budget_in_memory()
        .backoff_jitter(0.0)
}

pub fn waits(builder: SessionBuilder) -> blocking::Session {
    watch();
    builder.build().unwrap().into()
}

/// Ends this program some day: on a manual clock no time limit passes, and a test that awaits what never comes would for ever.
fn watch() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        std::thread::spawn(|| {
            std::thread::sleep(secs(900));
            // What a macro prints would be kept until the test ends.
            let _ = std::io::stderr().write_all(b"a test does not end: it is one of those that are not `ok` yet\n");
            std::process::abort();
        });
    });
}

/// A blocking session over a script, and its clock.
pub fn scripted(script: &Script) -> (blocking::Session, Clock) {
    let clock = Clock::manual();
    (waits(offline(script.clone(), &clock)), clock)
}

/// A server that always answers 200 with these fields and [`BODY`].
pub fn always(fields: &[(&str, &str)]) -> Script {
    let mut all = vec![JSON];
    all.extend_from_slice(fields);
    Script::new().answer(200, &all, BODY)
}

/// How long after `now` an answer stops being fresh.
pub fn good_for(expiry: Expiry, now: Timestamp) -> Option<u64> {
    match expiry {
        Expiry::At(at) => Some(at.since(now).as_secs()),
        Expiry::Never => Some(u64::MAX),
        _ => None,
    }
}

/// A request as a [`Stub`] saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub url: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub timeouts: Timeouts,
    pub verify: bool,
    pub at: Timestamp,
}

impl Seen {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub type Played = Pin<Box<dyn Future<Output = Result<Incoming, Fault>> + Send>>;

type Play = dyn Fn(usize, &Seen) -> Played + Send + Sync;

/// A transport whose answers are made by a function, and which notes what it saw and when.
#[derive(Clone)]
pub struct Stub {
    clock: Clock,
    seen: Arc<Mutex<Vec<Seen>>>,
    play: Arc<Play>,
}

impl Stub {
    /// `play` gets the number of the request, from 0.
    pub fn new(clock: &Clock, play: impl Fn(usize, &Seen) -> Played + Send + Sync + 'static) -> Self {
        Self { clock: clock.clone(), seen: Arc::default(), play: Arc::new(play) }
    }

    /// Answers come at once.
    pub fn at_once(
        clock: &Clock,
        play: impl Fn(usize, &Seen) -> Result<Incoming, Fault> + Send + Sync + 'static,
    ) -> Self {
        Self::new(clock, move |number, seen| {
            let answer = play(number, seen);
            Box::pin(async move { answer })
        })
    }

    /// Answers come when the gate lets them.
    pub fn gated(clock: &Clock, gate: &Gate, play: impl Fn(usize, &Seen) -> Incoming + Send + Sync + 'static) -> Self {
        let gate = gate.clone();
        Self::new(clock, move |number, seen| {
            let (gate, answer) = (gate.clone(), play(number, seen));
            Box::pin(async move {
                gate.pass().await;
                Ok(answer)
            })
        })
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Transport for Stub {
    fn send(&self, outgoing: Outgoing) -> Sending<'_> {
        let (parts, body) = outgoing.request.into_parts();
        let seen = Seen {
            method: parts.method.to_string(),
            url: parts.uri.to_string(),
            headers: parts.headers,
            body,
            timeouts: outgoing.timeouts,
            verify: outgoing.verify,
            at: self.clock.now(),
        };
        let number = {
            let mut all = self.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        (self.play)(number, &seen)
    }
}

/// Holds answers back until it is opened.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    pub fn shut() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets everybody through from now on.
    pub fn open(&self) {
        self.0.add_permits(1 << 20);
    }

    /// Lets one through.
    pub fn let_one(&self) {
        self.0.add_permits(1);
    }

    pub async fn pass(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

pub fn fields(list: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in list {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

pub fn reply(status: u16, list: &[(&str, &str)], body: impl Into<Bytes>) -> Incoming {
    Incoming::new(StatusCode::from_u16(status).unwrap(), fields(list), body)
}

/// 200 with [`BODY`].
pub fn ok(list: &[(&str, &str)]) -> Incoming {
    let mut all = vec![JSON];
    all.extend_from_slice(list);
    reply(200, &all, BODY)
}

/// An answer whose body arrives as this stream.
pub fn arriving(status: u16, list: &[(&str, &str)], body: Chunks) -> Incoming {
    let mut incoming = reply(status, list, Bytes::new());
    incoming.body = body;
    incoming
}

/// Waits for something other threads do; fails after half a minute, however slow the machine.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < secs(30), "not in half a minute: {what}");
        std::thread::yield_now();
    }
}

/// The same for async tests.
pub async fn until_async(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < secs(30), "not in half a minute: {what}");
        tokio::task::yield_now().await;
    }
}

/// An address where nobody listens, nor can anybody while the socket is kept.
pub fn nobody() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Every file of a folder and its folders, with its bytes.
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

pub fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}
