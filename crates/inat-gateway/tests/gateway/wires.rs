//! Other ways in: HTTP/2 without TLS, and Unix sockets.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Runtime;

use crate::support::{ENOUGH, Origin, Say, before, config, in_time, plain, start};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A connection over which requests go side by side.
async fn connect(to: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(to).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[test]
fn http_2_with_prior_knowledge() {
    let origin = Origin::start(|seen| {
        assert_eq!(seen.field("host").as_deref().map(|host| host.starts_with("127.0.0.1:")), Some(true));
        Say::ok(
            "Cache-Control: max-age=600\r\nConnection: keep-alive\r\n",
            &format!("{}{}", seen.target(), seen.body.len()),
        )
    });
    let gateway = before(&origin);
    runtime().block_on(in_time(async {
        let mut sender = connect(gateway.addr).await;
        let mut ask = async |method: &str, host: &str, path: &str, body: &'static str| {
            let uri = format!("http://{host}{path}");
            let request = Request::builder().method(method).uri(uri).version(Version::HTTP_2);
            let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
            let response = sender.send_request(request).await.unwrap();
            let (parts, body) = response.into_parts();
            (parts, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
        };
        let own = gateway.addr.to_string();
        for hit in [false, true] {
            let (parts, body) = ask("GET", &own, "/two?a=%20", "").await;
            assert_eq!((parts.status.as_u16(), parts.version, body.as_str()), (200, Version::HTTP_2, "/two?a=%200"));
            assert_eq!(parts.headers["cache-status"].to_str().unwrap().contains("; hit"), hit);
            assert!(!parts.headers.contains_key("connection"));
        }
        assert_eq!(ask("POST", &own, "/body", "hello").await.1, "/body5");
        assert_eq!(ask("GET", "evil.example", "/two", "").await.0.status.as_u16(), 421);
        let (head, body) = ask("HEAD", &own, "/two?a=%20", "").await;
        assert_eq!((head.headers["content-length"].to_str().unwrap(), body.as_str()), ("11", ""));
    }));
    assert_eq!(origin.seen()[0].field("via").map(|via| via.starts_with("2 inat-")), Some(true));
}

/// Its client goes on with others on the same connection, which is therefore never idle.
#[test]
fn an_answer_that_is_left_lying_is_cut_off() {
    let big = "z".repeat(20 << 20);
    let origin = Origin::start(move |seen| Say::ok("", if seen.target() == "/big" { &big } else { "small" }));
    let mut config = config(vec![origin.upstream()]);
    config.stall_timeout = std::time::Duration::from_secs(1);
    let gateway = start(config, plain());
    runtime().block_on(in_time(async {
        let mut sender = connect(gateway.addr).await;
        let mut ask = async |path: &str| {
            let request = Request::builder().uri(format!("http://{}{path}", gateway.addr)).version(Version::HTTP_2);
            sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap()
        };
        let lying = ask("/big").await;
        assert_eq!(lying.status().as_u16(), 200);
        let start = std::time::Instant::now();
        while gateway.metric("inat_connections_cut_off_total") == 0 {
            assert_eq!(ask("/small").await.into_body().collect().await.unwrap().to_bytes(), "small");
            assert!(start.elapsed() < ENOUGH / 2, "it lies there for ever");
        }
        assert!(lying.into_body().collect().await.is_err(), "it does not end as if it were whole");
        assert_eq!(ask("/small").await.status().as_u16(), 200, "the others go on");
    }));
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_its_owners() {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    use crate::support::Answer;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inat.sock");
    let origin = Origin::start(|_| Say::ok("", "over a socket"));
    let settings = || {
        let mut config = config(vec![origin.upstream()]);
        config.listen = vec![format!("unix:{}", path.display()).parse().unwrap()];
        config
    };
    let ask = || {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(ENOUGH)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: whatever.example\r\n\r\n").unwrap();
        Answer::read(&mut stream).unwrap()
    };
    let gateway = start(settings(), plain());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(ask().text(), "over a socket");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(in_time(inat_gateway::serve(settings(), plain()))).is_err(), "somebody listens there");
    gateway.join();
    assert!(!path.exists());

    // Left behind by one that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let gateway = start(settings(), plain());
    assert_eq!(ask().text(), "over a socket");
    gateway.join();

    std::fs::write(&path, "precious").unwrap();
    assert!(runtime.block_on(in_time(inat_gateway::serve(settings(), plain()))).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left lying about");
}
