//! A server to fetch from, in a process of its own so that its work is nobody else's processor time. It counts who arrives.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Fallible;
use crate::body::{self, Size};
use crate::child::{self, Talking};

/// The server, seen from the process that measures.
#[derive(Debug)]
pub struct Origin {
    _child: Talking,
    port: u16,
}

impl Origin {
    pub fn start() -> Fallible<Self> {
        let mut child = Talking::start("origin", &[])?;
        let port = child.line()?.parse()?;
        Ok(Self { _child: child, port })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the `n`th body of this size, which may be kept for a day.
    pub fn url(&self, size: Size, n: usize) -> String {
        format!("http://127.0.0.1:{}/{}/{n}", self.port, size.name)
    }

    /// The URL of the `n`th of [`body::recorded`], over and over.
    pub fn recorded(&self, n: usize) -> String {
        format!("http://127.0.0.1:{}/{RECORDED}/{n}", self.port)
    }

    /// When requests arrived since this was last asked, in microseconds since the epoch.
    pub fn arrivals(&self) -> Fallible<Vec<u64>> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(b"GET /-/arrivals HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        body.split_whitespace().map(|stamp| Ok(stamp.parse()?)).collect()
    }

    /// Fails if any request arrived since this was last asked: then a hit was none.
    pub fn was_left_alone(&self) -> Fallible<()> {
        match self.arrivals()?.len() {
            0 => Ok(()),
            some => Err(format!("{some} requests reached the server although all should have been hits").into()),
        }
    }
}

const RECORDED: &str = "recorded";

struct Shelf {
    bodies: Vec<(Size, Bytes)>,
    recorded: Vec<Bytes>,
    arrivals: Mutex<Vec<u64>>,
}

impl Shelf {
    /// The body at a path.
    fn body(&self, path: &str) -> Option<Bytes> {
        let mut parts = path.split('/').skip(1);
        let (name, n) = (parts.next()?, parts.next().and_then(|n| n.parse::<usize>().ok()));
        if name == RECORDED {
            return self.recorded.get(n? % self.recorded.len().max(1)).cloned();
        }
        self.bodies.iter().find(|(size, _)| size.name == name).map(|(_, body)| body.clone())
    }

    fn arrivals(&self) -> MutexGuard<'_, Vec<u64>> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The role of the server: prints its port, and serves until its parent ends.
pub fn serve(_: &[String]) -> Fallible<()> {
    child::end_with_parent();
    let sizes = [body::SMALL, body::MEDIUM, body::LARGE, body::BLOB];
    let bodies = sizes.map(|size| (size, Bytes::from(body::json(size.len)))).into();
    let recorded = body::recorded().into_iter().map(Bytes::from).collect();
    let shelf = Arc::new(Shelf { bodies, recorded, arrivals: Mutex::default() });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let shelf = shelf.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(shelf.clone(), request));
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

/// `/{size}/{n}`, with the queries `no-store` (must not be kept) and `slow` (takes 50 ms).
async fn answer(shelf: Arc<Shelf>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    if path == "/-/arrivals" {
        let stamps: Vec<String> = shelf.arrivals().drain(..).map(|stamp| stamp.to_string()).collect();
        return Ok(Response::new(Full::from(stamps.join(" "))));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    shelf.arrivals().push(u64::try_from(now.as_micros()).unwrap_or(u64::MAX));
    if query.contains("slow") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let body = shelf.body(path);
    let may_keep = if query.contains("no-store") { "no-store" } else { "public, max-age=86400" };
    let mut response = Response::new(Full::new(body.unwrap_or_default()));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        (header::CACHE_CONTROL, may_keep),
        (header::ETAG, "W/\"d6-7Zx1yQ0Yb1m0dE2kq3mJw0B5u7c\""),
        (header::VARY, "Accept-Encoding"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    Ok(response)
}
