//! A server whose certificate nobody vouches for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use inat_session::{Fault, Kind, Request, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::BODY;

/// Made for this test and nothing else; it signs itself, for `localhost` and 127.0.0.1.
const CERTIFICATE: &[u8] = include_bytes!("tls/cert.der");
const KEY: &[u8] = include_bytes!("tls/key.der");

/// Answers everybody who gets through the handshake; counts connections.
async fn server() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], PrivateKeyDer::try_from(KEY).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(socket).await else { return };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
                let _ =
                    stream.write_all(format!("{head}content-length: {}\r\n\r\n{BODY}", BODY.len()).as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (address, connections)
}

#[tokio::test]
async fn an_unknown_certificate_is_refused_once_and_taken_when_told_to() {
    let (address, connections) = server().await;
    let inat = Session::builder().cache_in_memory().budget_in_memory().unlimited().build().unwrap();
    for host in [format!("https://{address}/"), format!("https://localhost:{}/", address.port())] {
        let before = connections.load(Ordering::SeqCst);
        let error = inat.get(&host).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Network(Fault::Certificate(_))), "{error:?}");
        assert!(!error.is_transient() && error.hint().is_some());
        assert_eq!((error.attempts(), connections.load(Ordering::SeqCst) - before), (1, 1));

        let answer = inat.send(Request::get(&*host).verify(false)).await.unwrap();
        assert_eq!(answer.text().unwrap(), BODY);
        let again = inat.send(Request::get(&*host).verify(false)).await.unwrap();
        assert!(again.is_from_cache(), "who asks the same way again gets what is stored");
        // That one request was not checked says nothing about the next, nor is its answer one to it.
        let error = inat.get(&host).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Network(Fault::Certificate(_))), "{error:?}");
    }
}
