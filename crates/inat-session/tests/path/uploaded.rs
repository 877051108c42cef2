//! Files on their way out.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use inat_sandbox::{Answer, Config, Fault as Bad, Sandbox};
use inat_session::{Clock, Fault, Kind, MAX_UPLOAD, Request, Session, Token, Upload, blocking};

use crate::support::{Seen, Stub, arriving, contains, offline, ok, reply, secs, waits};

const PHOTO: &[u8] = b"\xff\xd8\xff\xe0 the real bytes of a photo";
const FAR: &str = "https://photos.example/owl.jpg";

/// A server of photos that is also the API.
fn server(clock: &Clock) -> Stub {
    Stub::at_once(clock, |_, seen| {
        Ok(match seen.url.as_str() {
            FAR => reply(200, &[("content-type", "image/jpeg")], PHOTO),
            "https://photos.example/moved" => reply(302, &[("location", "/owl.jpg")], ""),
            "https://photos.example/gone" => reply(404, &[], ""),
            _ => ok(&[]),
        })
    })
}

fn posts(stub: &Stub) -> Vec<Seen> {
    stub.seen().into_iter().filter(|seen| seen.method == "POST").collect()
}

fn holds(body: &Bytes, part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

fn post(file: Upload) -> Request {
    Request::post("observation_photos").form("observation_photo[observation_id]", "7").file(file)
}

#[test]
fn every_source_sends_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("owl.jpg");
    std::fs::write(&path, PHOTO).unwrap();
    for file in [
        Upload::path(&path),
        Upload::bytes("owl.jpg", PHOTO),
        Upload::reader("owl.jpg", PHOTO),
        Upload::url(FAR),
        Upload::url("https://photos.example/moved"),
    ] {
        let clock = Clock::manual();
        let stub = server(&clock);
        let inat = waits(offline(stub.clone(), &clock));
        for _ in 0..2 {
            inat.send(post(file.clone())).unwrap();
        }
        let posts = posts(&stub);
        assert_eq!(posts.len(), 2, "{file:?}");
        for sent in posts {
            assert!(holds(&sent.body, PHOTO), "{file:?}");
            assert!(contains(&sent.body, "name=\"observation_photo[observation_id]\"\r\n\r\n7"), "{file:?}");
            assert!(contains(&sent.body, "name=\"file\"; filename="), "{file:?}");
            assert!(contains(&sent.body, "image/jpeg"), "{file:?}");
            assert!(sent.field("content-type").unwrap().starts_with("multipart/form-data; boundary="));
        }
    }
}

#[test]
fn the_second_upload_of_a_url_takes_it_from_the_cache() {
    let clock = Clock::manual();
    let stub = server(&clock);
    let inat = waits(offline(stub.clone(), &clock));
    inat.send(post(Upload::url(FAR))).unwrap();
    inat.send(post(Upload::url(FAR))).unwrap();
    assert_eq!(stub.count(), 3, "one photo, two posts");
}

#[test]
fn a_file_that_cannot_be_had_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("long.jpg");
    std::fs::File::create(&long).unwrap().set_len(MAX_UPLOAD + 1).unwrap();
    for (file, about_upload) in [
        (Upload::path(folder.path().join("none.jpg")), true),
        (Upload::path(folder.path()), true),
        (Upload::path(&long), true),
        (Upload::bytes("a", vec![0; 20_000_001]), true),
        (Upload::reader("a", std::io::repeat(1)), true),
        (Upload::url("ftp://photos.example/x"), true),
        (Upload::url("https://photos.example/gone"), false),
    ] {
        let clock = Clock::manual();
        let stub = server(&clock);
        let inat = waits(offline(stub.clone(), &clock));
        let error = inat.send(post(file.clone())).unwrap_err();
        assert_eq!(matches!(error.kind(), Kind::Upload(_)), about_upload, "{error:?}");
        assert!(posts(&stub).is_empty(), "{error:?}");
    }
}

/// An endless file, and how much of it was taken.
struct Endless(Arc<AtomicUsize>);

impl Stream for Endless {
    type Item = Result<Bytes, Fault>;
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.fetch_add(1 << 20, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Bytes::from(vec![7; 1 << 20]))))
    }
}

#[test]
fn a_file_from_the_web_that_is_too_large_is_not_even_read_to_its_end() {
    let clock = Clock::manual();
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = taken.clone();
    let stub = Stub::at_once(&clock, move |_, seen| {
        Ok(match seen.method.as_str() {
            "GET" => arriving(200, &[("content-type", "image/jpeg")], Box::pin(Endless(counter.clone()))),
            _ => ok(&[]),
        })
    });
    let inat = waits(offline(stub.clone(), &clock));
    let error = inat.send(post(Upload::url(FAR))).unwrap_err();
    assert!(matches!(error.kind(), Kind::Upload(_)), "{error:?}");
    assert!(posts(&stub).is_empty());
    assert!(taken.load(Ordering::SeqCst) < 200 << 20, "{taken:?}");
}

#[test]
fn the_token_does_not_go_where_the_file_is() {
    let clock = Clock::manual();
    let stub = server(&clock);
    let inat = waits(offline(stub.clone(), &clock).token(Token::new("S3CR3T")));
    inat.send(post(Upload::url(FAR)).token(&Token::new("S3CR3T-2")).header("Cookie", "s=S3CR3T")).unwrap();
    let seen = stub.seen();
    assert_eq!(seen[0].url, FAR);
    assert!(seen[0].headers.values().all(|value| !contains(value.as_bytes(), "S3CR3T")), "{:?}", seen[0].headers);
    assert_eq!(seen[1].headers["authorization"].as_bytes(), b"Bearer S3CR3T-2");
}

#[test]
fn an_upload_that_is_sent_again_is_the_same() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |number, seen| {
        Ok(match (seen.method.as_str(), number) {
            ("GET", _) => reply(200, &[("content-type", "image/jpeg")], PHOTO),
            (_, 1) => reply(429, &[("retry-after", "1")], ""),
            _ => ok(&[]),
        })
    });
    let inat = waits(offline(stub.clone(), &clock));
    inat.send(post(Upload::url(FAR))).unwrap();
    let posts = posts(&stub);
    assert_eq!(posts.len(), 2);
    assert!(posts[0].body == posts[1].body && posts[0].headers == posts[1].headers);
    assert_eq!(stub.count(), 3, "the photo is fetched once");
}

#[test]
fn the_deadline_covers_the_file() {
    let clock = Clock::manual();
    let moving = clock.clone();
    let stub = Stub::at_once(&clock, move |_, _| {
        moving.advance(secs(20));
        Ok(reply(503, &[], ""))
    });
    let inat = waits(offline(stub.clone(), &clock));
    let error = inat.send(post(Upload::url(FAR)).deadline(secs(30))).unwrap_err();
    assert!(matches!(error.kind(), Kind::Deadline(_)), "{error:?}");
    assert!(posts(&stub).is_empty() && stub.count() <= 2, "{}", stub.count());
}

fn real(sandbox: &Sandbox) -> blocking::Session {
    waits(
        Session::builder()
            .base_url(&format!("{}/v1/", sandbox.url()))
            .cache_in_memory()
            .budget_in_memory()
            .unlimited()
            .backoff_factor(0.0),
    )
}

#[test]
fn files_over_a_socket() {
    let sandbox = Sandbox::start(Config::handler(|seen| {
        (seen.path() == "/v1/photos").then(|| Answer::json(&serde_json::json!({"id": 1})))
    }))
    .unwrap();
    let inat = real(&sandbox);
    let large: Vec<u8> = (0..9_000_000u32).map(|i| i.to_le_bytes()[0]).collect();
    inat.send(Request::post("photos").file(Upload::bytes("large.jpg", large.clone()))).unwrap();
    let url = format!("{}/__sandbox/redirect/307/__sandbox/bytes/3000000", sandbox.url());
    inat.send(Request::post("photos").file(Upload::url(url))).unwrap();
    let sent: Vec<_> = sandbox.log().into_iter().filter(|seen| seen.method == "POST").collect();
    assert!(holds(&sent[0].body, &large));
    assert_eq!(sent[0].header("content-length"), Some(sent[0].body.len().to_string().as_str()));
    assert!(sent[0].header("transfer-encoding").is_none());
    assert!(sent[1].body.len() > 3_000_000);
    let too_large = format!("{}/__sandbox/bytes/30000000", sandbox.url());
    let error = inat.send(Request::post("photos").file(Upload::url(too_large))).unwrap_err();
    assert!(matches!(error.kind(), Kind::Upload(_)), "{error:?}");
    assert_eq!(sandbox.count("/v1/photos"), 2);

    sandbox.script("/__sandbox", ["cut-length".parse::<Bad>().unwrap(), "503".parse().unwrap()]);
    inat.send(Request::post("photos").file(Upload::url(format!("{}/__sandbox/bytes/1000", sandbox.url())))).unwrap();
}
