//! An origin that says exactly the bytes a test wants, a client that does the same, and a gateway between them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use inat_gateway::{Config, Drained, Error, Listen, Upstream, faithful, serve};
use inat_session::{Session, SessionBuilder};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;

/// Longer than anything here takes on a machine that does much else: what takes longer never ends.
pub const ENOUGH: Duration = Duration::from_secs(60);

/// A request as the origin saw it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub line: String,
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub connection: usize,
}

impl Seen {
    pub fn field(&self, name: &str) -> Option<String> {
        let mut found = self.fields.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        assert!(found.next().is_none(), "{name} came twice");
        value
    }

    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }
}

/// What the origin says, and whether it goes on listening afterwards.
pub struct Say(pub Vec<u8>, pub bool);

impl Say {
    pub fn raw(text: impl Into<Vec<u8>>) -> Self {
        Self(text.into(), true)
    }

    pub fn close(text: impl Into<Vec<u8>>) -> Self {
        Self(text.into(), false)
    }

    /// A 200 with these field lines.
    pub fn ok(fields: &str, body: &str) -> Self {
        Self::raw(format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len()))
    }
}

#[derive(Clone)]
pub struct Origin {
    pub addr: SocketAddr,
    log: Arc<Mutex<Vec<Seen>>>,
}

impl Origin {
    pub fn start(say: impl Fn(&Seen) -> Say + Send + Sync + 'static) -> Self {
        Self::by_hand(move |seen, stream| {
            let Say(bytes, keep) = say(seen);
            stream.write_all(&bytes).is_ok() && keep
        })
    }

    /// One that says what it says when it likes, and says whether it goes on listening.
    pub fn by_hand(say: impl Fn(&Seen, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = Self { addr: listener.local_addr().unwrap(), log: Arc::default() };
        let (log, say) = (origin.log.clone(), Arc::new(say));
        let numbers = AtomicUsize::new(0);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, say, number) = (log.clone(), say.clone(), numbers.fetch_add(1, Ordering::SeqCst));
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let mut stream = stream;
                    while let Some(mut seen) = read_request(&mut reader) {
                        seen.connection = number;
                        log.lock().unwrap().push(seen.clone());
                        if !say(&seen, &mut stream) {
                            return;
                        }
                    }
                });
            }
        });
        origin
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.log.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.log.lock().unwrap().len()
    }

    pub fn upstream(&self) -> Upstream {
        Upstream::origin(&format!("http://{}", self.addr)).unwrap()
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut seen = Seen { line: line(reader)?, ..Seen::default() };
    let mut length = 0;
    loop {
        let mut raw = Vec::new();
        reader.read_until(b'\n', &mut raw).ok()?;
        let raw = raw.trim_ascii_end();
        if raw.is_empty() {
            break;
        }
        let at = raw.iter().position(|byte| *byte == b':')?;
        let (name, value) = (String::from_utf8_lossy(&raw[..at]).into_owned(), raw[at + 1..].trim_ascii().to_vec());
        if name.eq_ignore_ascii_case("content-length") {
            length = String::from_utf8_lossy(&value).parse().unwrap();
        }
        assert!(!name.eq_ignore_ascii_case("transfer-encoding"), "the gateway sends lengths");
        seen.fields.push((name, value));
    }
    seen.body = vec![0; length];
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

fn line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}

/// Where an origin waits until the test lets it go on.
pub struct Gate(Mutex<Receiver<()>>);

/// Each word lets one through, and without the other end everybody goes through.
pub fn gate() -> (Sender<()>, Gate) {
    let (go, wait) = channel();
    (go, Gate(Mutex::new(wait)))
}

impl Gate {
    pub fn pass(&self) {
        let word = self.0.lock().unwrap().recv_timeout(ENOUGH);
        assert_ne!(word, Err(RecvTimeoutError::Timeout), "nobody opens the gate");
    }
}

/// An address where nobody listens, nor can anybody while the socket is kept.
pub fn nobody() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// A connection that waits for bytes, and for room for them, but not for ever.
pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(ENOUGH)).unwrap();
    stream.set_write_timeout(Some(ENOUGH)).unwrap();
    stream
}

/// Waits until it holds; a test that waits in vain fails.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < ENOUGH, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What comes of it; a test that waits in vain fails.
pub async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(ENOUGH, work).await.expect("waited in vain")
}

/// A gateway on a runtime of its own.
pub struct Running {
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Option<Drained>>>,
}

/// A session that only does what HTTP says.
pub fn plain() -> SessionBuilder {
    by_the_librarys_rules().headers_only()
}

/// A session that knows what it has in front of it.
pub fn by_the_librarys_rules() -> SessionBuilder {
    faithful(Session::builder()).cache_in_memory().budget_in_memory().unlimited().timeout(ENOUGH / 2)
}

/// In front of this origin, as a plain caching proxy.
pub fn before(origin: &Origin) -> Running {
    start(config(vec![origin.upstream()]), plain())
}

pub fn config(upstreams: Vec<Upstream>) -> Config {
    let mut config = Config::default();
    config.listen = vec!["127.0.0.1:0".parse().unwrap()];
    config.upstreams = upstreams;
    config
}

pub fn start(config: Config, builder: SessionBuilder) -> Running {
    try_to_start(config, builder).unwrap()
}

/// Starts it where it can listen as it is told to.
pub fn try_to_start(config: Config, builder: SessionBuilder) -> Result<Running, Error> {
    let (ready, opened) = channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async move {
            let gateway = match serve(config, builder).await {
                Ok(gateway) => gateway,
                Err(error) => {
                    ready.send(Err(error)).unwrap();
                    return None;
                }
            };
            ready.send(Ok(gateway.listening().to_vec())).unwrap();
            Some(gateway.run_until(async { drop(stopped.await) }).await)
        })
    });
    let listening = opened.recv_timeout(ENOUGH).unwrap()?;
    let addr = listening
        .iter()
        .find_map(|listen| if let Listen::Tcp(addr) = listen { Some(*addr) } else { None })
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 1)));
    Ok(Running { addr, stop: Some(stop), thread: Some(thread) })
}

impl Running {
    pub fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub fn join(mut self) -> Drained {
        self.stop();
        ended(self.thread.take().unwrap()).unwrap().unwrap()
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.addr)
    }

    /// Says these bytes on a connection of their own.
    pub fn tell(&self, bytes: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(bytes.as_ref()).unwrap();
        stream
    }

    /// Asks for this, and leaves the answer to be read.
    pub fn ask(&self, target: &str, fields: &str) -> TcpStream {
        self.tell(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"))
    }

    /// Says these bytes on a connection of their own, and reads one answer.
    pub fn say(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.tell(&bytes);
        Answer::read(&mut stream).unwrap_or_else(|| panic!("no answer to {}", String::from_utf8_lossy(bytes.as_ref())))
    }

    pub fn request(&self, method: &str, target: &str, fields: &str, body: &str) -> Answer {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let text = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n{fields}{length}\r\n{body}", self.addr);
        let mut stream = self.tell(&text);
        Answer::read_to(method, &mut stream).unwrap_or_else(|| panic!("no answer to {text}"))
    }

    pub fn get(&self, target: &str) -> Answer {
        self.request("GET", target, "", "")
    }

    pub fn get_with(&self, target: &str, fields: &str) -> Answer {
        self.request("GET", target, fields, "")
    }

    /// One number of `/-/metrics`.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.get("/-/metrics").text();
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// Waits until it holds; a test that waits in vain fails.
    pub fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        until(what, || holds(self));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
        // A test that has failed waits for nothing.
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            let _ = ended(thread);
        }
    }
}

fn ended<T>(thread: JoinHandle<T>) -> std::thread::Result<T> {
    until("the gateway ends", || thread.is_finished());
    thread.join()
}

/// An answer as the client saw it.
#[derive(Debug)]
pub struct Answer {
    /// What was said before it.
    pub interim: Vec<String>,
    pub status: u16,
    pub head: Vec<u8>,
    pub body: Vec<u8>,
    /// Whether the body came to its end as announced.
    pub whole: bool,
}

impl Answer {
    pub fn read(stream: &mut impl Read) -> Option<Self> {
        Self::read_to("GET", stream)
    }

    pub fn read_to(method: &str, stream: &mut impl Read) -> Option<Self> {
        let mut reader = OneByOne(stream);
        let mut interim = Vec::new();
        loop {
            let head = reader.head()?;
            let text = String::from_utf8_lossy(&head).into_owned();
            let status: u16 = text.split(' ').nth(1)?.parse().unwrap();
            if (100..200).contains(&status) && status != 101 {
                interim.push(text);
                continue;
            }
            let mut answer = Self { interim, status, head, body: Vec::new(), whole: true };
            if method == "HEAD" || matches!(status, 204 | 304) {
                return Some(answer);
            }
            if answer.field("transfer-encoding").is_some() {
                answer.whole = reader.chunks(&mut answer.body).is_some();
            } else if let Some(length) = answer.field("content-length") {
                let length: usize = length.parse().unwrap();
                answer.body = vec![0; length];
                let got = reader.fill(&mut answer.body);
                answer.body.truncate(got);
                answer.whole = got == length;
            } else {
                answer.whole = reader.0.read_to_end(&mut answer.body).is_ok();
            }
            return Some(answer);
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn all(&self, name: &str) -> Vec<Vec<u8>> {
        self.head
            .split(|byte| *byte == b'\n')
            .skip(1)
            .filter_map(|line| {
                let at = line.iter().position(|byte| *byte == b':')?;
                line[..at].eq_ignore_ascii_case(name.as_bytes()).then(|| line[at + 1..].trim_ascii().to_vec())
            })
            .collect()
    }

    pub fn field(&self, name: &str) -> Option<String> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} came {} times", all.len());
        all.first().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    pub fn cache(&self) -> String {
        self.all("cache-status").last().map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }
}

/// Reads no further than it has to, so that what follows stays on the connection.
struct OneByOne<'a, R>(&'a mut R);

impl<R: Read> OneByOne<'_, R> {
    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        matches!(self.0.read(&mut byte), Ok(1)).then_some(byte[0])
    }

    fn head(&mut self) -> Option<Vec<u8>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.byte()?);
        }
        Some(head)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.byte()?);
        }
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    fn fill(&mut self, into: &mut [u8]) -> usize {
        let mut got = 0;
        while got < into.len() {
            match self.0.read(&mut into[got..]) {
                Ok(more) if more > 0 => got += more,
                _ => break,
            }
        }
        got
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> Option<()> {
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).ok()?;
            let mut chunk = vec![0; size];
            let got = self.fill(&mut chunk);
            body.extend_from_slice(&chunk[..got]);
            if got < size {
                return None;
            }
            self.line()?;
            if size == 0 {
                return Some(());
            }
        }
    }
}
