//! Proxies under load: a caching one (nginx) and one that only passes on.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use inat_gateway::{Config, Upstream, faithful, serve};
use inat_session::Session;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use crate::body::SMALL;
use crate::child::{self, Talking};
use crate::origin::Origin;
use crate::repeat::{Spread, repeat};
use crate::report::{Row, Target, per_second};
use crate::timing::{Timed, percentiles};
use crate::{Effort, Fallible, peers};

const CONNECTIONS: usize = 8;

pub fn run(effort: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin, runtime) = (TempDir::new()?, Origin::start()?, peers::runtime()?);
    let upstream = format!("127.0.0.1:{}", origin.port());
    let mut proxy = Talking::start("proxy", &[&upstream])?;
    let proxy = port(&proxy.line()?)?;
    let file = folder.path().join("gateway.db");
    let mut gateway = Talking::start("gateway", &[&upstream, file.to_str().ok_or("a path that is not text")?])?;
    let gateway = port(&gateway.line()?)?;
    let nginx = Nginx::start(origin.port());
    let load = |to: SocketAddr, query: &'static str| runtime.block_on(load(effort, to, query));
    load(gateway, "")?;
    let mut rows = match &nginx {
        Ok(nginx) => {
            load(nginx.address, "")?;
            origin.arrivals()?;
            let hits = repeat(effort.repetitions, |_| Ok([load(gateway, "")?, load(nginx.address, "")?]))?;
            origin.was_left_alone()?;
            let tail = tail(hits.iter().map(|[ours, _]| ours));
            let theirs: Vec<f64> = hits.iter().map(|[_, theirs]| theirs.p99 / 1000.0).collect();
            vec![
                compare("gateway hits, small, 8 connections, vs nginx proxy_cache", &hits, 0.5),
                Row { yardstick: format!("{:.2} ms of nginx", Spread::of(&theirs).median), ..tail },
            ]
        }
        Err(why) => {
            origin.arrivals()?;
            let hits = repeat(effort.repetitions, |_| load(gateway, ""))?;
            origin.was_left_alone()?;
            let skipped = Row::skipped("gateway hits, small, 8 connections, vs nginx proxy_cache", &why.to_string());
            vec![skipped, tail(hits.iter())]
        }
    };
    let misses = repeat(effort.repetitions, |_| Ok([load(gateway, "no-store")?, load(proxy, "no-store")?]))?;
    rows.push(compare("gateway misses, small, 8 connections, vs a bare hyper proxy", &misses, 0.8));
    Ok(rows)
}

fn tail<'a>(hits: impl Iterator<Item = &'a Timed>) -> Row {
    let p99: Vec<f64> = hits.map(|timed| timed.p99 / 1000.0).collect();
    Row::alone("gateway hits, small, 8 connections: p99", &p99, "ms", Target::AtMost(2.0))
}

fn compare(case: &str, taken: &[[Timed; 2]], least: f64) -> Row {
    let of = |side: usize| -> Vec<f64> { taken.iter().map(|sides| sides[side].per_second).collect() };
    let ratios: Vec<f64> = taken.iter().map(|sides| sides[0].per_second / sides[1].per_second).collect();
    Row::ratio(case, per_second(&of(0)), per_second(&of(1)), &ratios, Target::AtLeast(least))
}

fn port(line: &str) -> Fallible<SocketAddr> {
    Ok(SocketAddr::from(([127, 0, 0, 1], line.parse()?)))
}

/// Requests over so many connections, one after the other on each.
async fn load(effort: Effort, to: SocketAddr, query: &str) -> Fallible<Timed> {
    let begun = Instant::now();
    let span = effort.span * 2;
    let one = async |connection: usize| -> Fallible<Vec<u64>> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let (mut sender, work) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let work = tokio::spawn(work);
        let mut nanos = Vec::new();
        while begun.elapsed() < span {
            let sent = Instant::now();
            let target = format!("/{}/{}?{query}", SMALL.name, (nanos.len() + connection * 7) % 100);
            let request = Request::get(target).header(header::HOST, to.to_string()).body(Empty::<Bytes>::new())?;
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            if !status.is_success() || body.len() != SMALL.len {
                return Err(format!("{status} with {} bytes", body.len()).into());
            }
            nanos.push(u64::try_from(sent.elapsed().as_nanos())?);
        }
        drop(sender);
        let _ = work.await;
        Ok(nanos)
    };
    let mut nanos = futures_util::future::try_join_all((0..CONNECTIONS).map(one)).await?.concat();
    let per_second = nanos.len() as f64 / begun.elapsed().as_secs_f64();
    let (p50, p99) = percentiles(&mut nanos);
    Ok(Timed { per_second, p50, p99 })
}

/// The program: where systems put it, which is not on everybody's path, or else wherever it is.
pub fn nginx() -> &'static str {
    const OF_THE_SYSTEM: &str = "/usr/sbin/nginx";
    if Path::new(OF_THE_SYSTEM).exists() { OF_THE_SYSTEM } else { "nginx" }
}

/// A caching nginx; ended when dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    fn start(upstream: u16) -> Fallible<Self> {
        let folder = TempDir::new()?;
        let address = StdListener::bind("127.0.0.1:0")?.local_addr()?;
        let at = folder.path().display();
        let port = address.port();
        let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
        let config = format!(
            "{user} daemon off; worker_processes auto; pid {at}/pid; error_log stderr crit;
             events {{ worker_connections 1024; }}
             http {{
               access_log off; keepalive_requests 100000000;
               client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/fastcgi;
               uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
               proxy_cache_path {at}/cache keys_zone=small:10m;
               upstream origin {{ server 127.0.0.1:{upstream}; keepalive 32; }}
               server {{
                 listen 127.0.0.1:{port};
                 location / {{
                   proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection \"\";
                   proxy_cache small; add_header X-Cache $upstream_cache_status;
                 }}
               }}
             }}"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config)?;
        let child = Command::new(nginx())
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("nginx cannot be started ({error}); install it to compare with it"))?;
        let nginx = Self { child, address, _folder: folder };
        for _ in 0..100 {
            if StdStream::connect(address).is_ok() {
                return Ok(nginx);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err("nginx does not answer".into())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its master ends its workers only when it is asked to end, not when it is killed.
        let asked = i32::try_from(self.child.id())
            .is_ok_and(|id| nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::SIGTERM).is_ok());
        if !asked {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// The role: the gateway, with its cache in a file, lifetimes as the server says, and no limits. Prints its port.
pub fn gateway(arguments: &[String]) -> Fallible<()> {
    let [upstream, file] = arguments else { return Err("upstream and file are missing".into()) };
    child::end_with_parent();
    let mut config = Config::default();
    config.listen = vec!["127.0.0.1:0".parse()?];
    config.upstreams = vec![Upstream::origin(&format!("http://{upstream}"))?];
    let session = faithful(Session::builder().cache_file(file)).headers_only().unlimited();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let gateway = serve(config, session).await?;
        let address = gateway.addresses().first().cloned().ok_or("it listens nowhere")?;
        let port = address.rsplit_once(':').ok_or("an address without a port")?.1;
        println!("{}", port.trim_end_matches('/'));
        gateway.run_until(std::future::pending()).await;
        Ok(())
    })
}

type Passed = BoxBody<Bytes, hyper::Error>;

/// The role: a proxy that passes everything on, and nothing else. Prints its port.
pub fn proxy(arguments: &[String]) -> Fallible<()> {
    let [upstream] = arguments else { return Err("the upstream is missing".into()) };
    child::end_with_parent();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let client: Client<HttpConnector, Incoming> = Client::builder(TokioExecutor::new()).build_http();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (client, upstream) = (client.clone(), upstream.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request| pass_on(client.clone(), upstream.clone(), request));
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

async fn pass_on(
    client: Client<HttpConnector, Incoming>,
    upstream: String,
    mut request: Request<Incoming>,
) -> Result<Response<Passed>, Infallible> {
    let target = format!("http://{upstream}{}", request.uri());
    let answer = match target.parse() {
        Ok(uri) => {
            *request.uri_mut() = uri;
            request.headers_mut().remove(header::HOST);
            client.request(request).await.map(|answer| answer.map(BodyExt::boxed)).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    Ok(answer.unwrap_or_else(|_| {
        let mut failed = Response::new(Empty::new().map_err(|never| match never {}).boxed());
        *failed.status_mut() = http::StatusCode::BAD_GATEWAY;
        failed
    }))
}
