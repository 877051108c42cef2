//! Making connections: TLS checked against the system's certificates, the system's proxy where one is set.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;
use tower_service::Service;
use tracing::Instrument;

use inat_session::Clock;

use crate::Upstream;

/// What the client dials with.
pub(super) type Connector = Gated;
type Fault = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn connector(upstreams: &[Upstream]) -> io::Result<Connector> {
    let dial = Dial::new();
    let encrypted = upstreams.iter().any(Upstream::is_encrypted);
    let builder = HttpsConnectorBuilder::new();
    if encrypted {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = builder.with_provider_and_platform_verifier(provider)?;
        return Ok(Gated(builder.https_or_http().enable_all_versions().wrap_connector(dial)));
    }
    // Nothing is asked for over TLS, so no certificate of the system need be read.
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(Gated(builder.with_tls_config(config).https_or_http().enable_http1().wrap_connector(dial)))
}

tokio::task_local! {
    /// The request whose future is being polled. A client polls the connector within the request that needs the connection.
    pub(super) static CURRENT: Needs;
}

/// What a request wants of the connection that is made for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Needs {
    /// How long connecting may take.
    pub(super) within: Option<Duration>,
    /// Whether a connection was wanted for it.
    pub(super) has_dialed: Arc<AtomicBool>,
}

/// A connector that knows for which request it makes a connection.
#[derive(Clone, Debug)]
pub(super) struct Gated(HttpsConnector<Dial>);

impl Service<Uri> for Gated {
    type Response = <HttpsConnector<Dial> as Service<Uri>>::Response;
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Fault>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let needs = CURRENT.try_with(Clone::clone).ok();
        let connecting = self.0.call(to);
        let Some(Needs { within, has_dialed }) = needs else { return Box::pin(connecting) };
        has_dialed.store(true, Ordering::Release);
        // In a task of its own: no step of making a connection is a step of the request, but that it is there.
        let making = async move {
            let made = match within {
                None => connecting.await,
                Some(limit) => match Clock::system().within(limit, connecting).await {
                    Some(made) => made,
                    None => Err(TookTooLong.into()),
                },
            };
            // What fails is not to wait for a slot before it says so.
            has_dialed.store(made.is_ok(), Ordering::Release);
            made
        };
        let making = AbortOnDropHandle::new(tokio::spawn(making.in_current_span()));
        Box::pin(async move { making.await? })
    }
}

/// Connecting did.
#[derive(Debug, thiserror::Error)]
#[error("no connection in time")]
pub(super) struct TookTooLong;

/// Dials directly, or through the proxy the environment names. Plain HTTP goes directly: proxies take it in another form,
/// and it is for servers nearby.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    http: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Dial {
    fn new() -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(Duration::from_secs(60)));
        Self { http, proxies: Arc::new(Matcher::from_system()) }
    }
}

impl Service<Uri> for Dial {
    type Response = Link;
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<Link, Fault>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.http.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let proxy = (to.scheme() == Some(&Scheme::HTTPS)).then(|| self.proxies.intercept(&to)).flatten();
        let mut http = self.http.clone();
        Box::pin(async move {
            let io = match proxy {
                None => http.call(to).await?,
                Some(proxy) => {
                    let mut tunnel = Tunnel::new(proxy.uri().clone(), http);
                    if let Some(credentials) = proxy.basic_auth() {
                        tunnel = tunnel.with_auth(credentials.clone());
                    }
                    tunnel.call(to).await?
                }
            };
            Ok(Link::new(io))
        })
    }
}

/// How many requests a connection has carried.
#[derive(Clone, Debug)]
pub(super) struct Uses(pub(super) Arc<AtomicU32>);

/// A connection that knows how often it was used, and goes on reading when nobody listens to what is written.
///
/// A server may answer before it has read a request to its end, and close the connection: a refusal of what is too large, say. What
/// it said is there to be read (RFC 9112 §9.5 wants that one looks), but hyper gives a connection up when it cannot write to it.
#[derive(Debug)]
pub(super) struct Link {
    io: TokioIo<TcpStream>,
    uses: Uses,
    /// Whether the other side has stopped listening. What is written then is lost, and reading tells how it ends.
    is_deaf: bool,
}

impl Link {
    fn new(io: TokioIo<TcpStream>) -> Self {
        Self { io, uses: super::unused(), is_deaf: false }
    }

    /// What came of writing so many bytes.
    fn written(&mut self, written: Poll<io::Result<usize>>, length: usize) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Err(error))
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) =>
            {
                self.is_deaf = true;
                Poll::Ready(Ok(length))
            }
            _ => written,
        }
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        self.io.connected().extra(self.uses.clone())
    }
}

impl Read for Link {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_deaf {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.written(written, buf.len())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if self.is_deaf {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.written(written, length)
    }
}
