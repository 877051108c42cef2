//! Bodies on their way: handed over piece by piece, kept only when they are whole.

use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use inat_sandbox::{Config, Fault as Bad, Sandbox};
use inat_session::{Chunks, Clock, Expiry, Fault, Kind, Phase, Request, Session, blocking};
use tokio::sync::mpsc;

use crate::support::{BODY, JSON, Stub, always, arriving, offline, reply, scripted, secs, until, until_async, waits};

const PHOTO: &str = "https://h.example/photo.jpg";
const JPEG: (&str, &str) = ("content-type", "image/jpeg");

type Piece = Result<Bytes, Fault>;

/// A transport whose first answer is fed by the test; others come at once.
fn fed(clock: &Clock, fields: &'static [(&'static str, &'static str)]) -> (Stub, mpsc::UnboundedSender<Piece>) {
    let (feed, pieces) = mpsc::unbounded_channel();
    let pieces = std::sync::Mutex::new(Some(pieces));
    let stub = Stub::at_once(clock, move |_, _| {
        let Some(pieces) = pieces.lock().unwrap().take() else { return Ok(reply(200, &[JPEG], "again")) };
        let body: Chunks = Box::pin(stream::unfold(pieces, |mut pieces: mpsc::UnboundedReceiver<Piece>| async move {
            let piece = pieces.recv().await?;
            Some((piece, pieces))
        }));
        Ok(arriving(200, fields, body))
    });
    (stub, feed)
}

#[allow(clippy::unnecessary_wraps, reason = "what goes through the channel")]
fn piece(text: &'static str) -> Piece {
    Ok(Bytes::from_static(text.as_bytes()))
}

fn entries(inat: &Session) -> u64 {
    inat.cache().stats().unwrap().entries
}

#[tokio::test]
async fn the_first_piece_does_not_wait_for_the_second() {
    for request in
        [Request::get(PHOTO).stream(), Request::get(PHOTO).stream().expire_after(inat_session::Lifetime::DoNotCache)]
    {
        let clock = Clock::manual();
        let (stub, feed) = fed(&clock, &[JPEG]);
        let inat = offline(stub, &clock).build().unwrap();
        feed.send(piece("one")).unwrap();
        let mut answer = inat.send(request).await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "one");
        feed.send(piece("two")).unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "two");
        drop(feed);
        assert_eq!(answer.chunk().await.unwrap(), None);
        assert_eq!(answer.chunk().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_streamed_answer_is_kept_when_it_is_whole_and_not_before() {
    let clock = Clock::manual();
    let (stub, feed) = fed(&clock, &[JPEG]);
    let inat = offline(stub.clone(), &clock).build().unwrap();
    feed.send(piece("one")).unwrap();
    let mut answer = inat.send(Request::get(PHOTO).stream()).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "one");
    assert!(answer.bytes().is_err(), "it is still arriving");
    assert_eq!(entries(&inat), 0);
    feed.send(piece("two")).unwrap();
    drop(feed);
    assert_eq!(answer.read().await.unwrap(), "two");
    assert_eq!(entries(&inat), 1, "who has read to the end finds it kept");
    let hit = inat.get(PHOTO).await.unwrap();
    assert_eq!((hit.is_from_cache(), hit.bytes().unwrap()), (true, &Bytes::from_static(b"onetwo")));
    assert_eq!(stub.count(), 1);
}

/// A body that never ends, and knows when it is dropped.
struct Endless(Arc<AtomicBool>);

impl Stream for Endless {
    type Item = Piece;
    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Piece>> {
        Poll::Ready(Some(Ok(Bytes::from_static(&[b'x'; 1000]))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_caller_who_leaves_in_the_middle_ends_the_transfer() {
    for fields in [&[JPEG][..], &[JPEG, ("cache-control", "no-store")][..]] {
        let clock = Clock::manual();
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = dropped.clone();
        let stub = Stub::at_once(&clock, move |_, _| Ok(arriving(200, fields, Box::pin(Endless(flag.clone())))));
        let inat = offline(stub, &clock).build().unwrap();
        let mut answer = inat.send(Request::get(PHOTO).stream()).await.unwrap();
        answer.chunk().await.unwrap().unwrap();
        assert!(!dropped.load(Ordering::SeqCst));
        drop(answer);
        until_async("the transfer ends", || dropped.load(Ordering::SeqCst)).await;
        assert_eq!(entries(&inat), 0);
    }
}

#[tokio::test]
async fn a_caller_who_leaves_a_silent_server_ends_the_transfer_too() {
    let clock = Clock::manual();
    let (stub, feed) = fed(&clock, &[JPEG]);
    let inat = offline(stub, &clock).timeout(None).build().unwrap();
    feed.send(piece("one")).unwrap();
    let mut answer = inat.send(Request::get(PHOTO).stream()).await.unwrap();
    answer.chunk().await.unwrap().unwrap();
    drop(answer);
    until_async("the transfer ends", || feed.is_closed()).await;
    assert_eq!(entries(&inat), 0);
}

/// Who reads nothing does not keep the connection for longer than the request may take, and learns why it has no more.
#[tokio::test]
async fn a_deadline_ends_a_transfer_that_nobody_reads() {
    for fields in [&[JPEG][..], &[JPEG, ("cache-control", "no-store")][..]] {
        let clock = Clock::system();
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = dropped.clone();
        let stub = Stub::at_once(&clock, move |_, _| Ok(arriving(200, fields, Box::pin(Endless(flag.clone())))));
        let inat = offline(stub, &clock).build().unwrap();
        let request = Request::get(PHOTO).stream().deadline(secs(2));
        let mut answer = inat.send(request).await.unwrap();
        until_async("the transfer ends", || dropped.load(Ordering::SeqCst)).await;
        let error = loop {
            match answer.chunk().await {
                Ok(piece) => assert!(piece.is_some(), "it does not end as if it were whole"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error.kind(), Kind::Network(Fault::Timeout { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn closing_at_once_ends_a_body_that_is_not_kept() {
    for fields in [&[JPEG][..], &[JPEG, ("cache-control", "no-store")][..]] {
        let clock = Clock::manual();
        let (stub, feed) = fed(&clock, fields);
        let inat = offline(stub, &clock).build().unwrap();
        feed.send(piece("one")).unwrap();
        let mut answer = inat.send(Request::get(PHOTO).stream()).await.unwrap();
        answer.chunk().await.unwrap().unwrap();
        inat.close_now().await;
        let error = answer.chunk().await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Closed), "{error:?}");
        until_async("the transfer ends", || feed.is_closed()).await;
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_and_not_kept() {
    let clock = Clock::manual();
    let (stub, feed) = fed(&clock, &[JPEG]);
    let inat = offline(stub.clone(), &clock).build().unwrap();
    feed.send(piece("one")).unwrap();
    feed.send(Err(Fault::Truncated("half".to_owned()))).unwrap();
    let mut answer = inat.send(Request::get(PHOTO).stream()).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "one");
    let error = answer.chunk().await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Network(Fault::Truncated(_))), "{error:?}");
    assert_eq!((answer.chunk().await.unwrap(), entries(&inat), stub.count()), (None, 0, 1));
    assert_eq!(inat.get(PHOTO).await.unwrap().text().unwrap(), "again");
}

#[tokio::test]
async fn json_that_streams_is_kept_only_if_it_is_json() {
    for (body, kept) in [("{\"a\":1}", 1), ("{\"a\":", 0)] {
        let clock = Clock::manual();
        let (stub, feed) = fed(&clock, &[JSON]);
        let inat = offline(stub, &clock).build().unwrap();
        feed.send(piece(body)).unwrap();
        drop(feed);
        let answer = inat.send(Request::get(PHOTO).stream()).await.unwrap();
        assert_eq!(answer.read().await.unwrap(), body, "it is handed over as it comes");
        assert_eq!(entries(&inat), kept, "{body}");
    }
}

#[tokio::test]
async fn a_page_in_place_of_json_is_not_kept_because_it_streamed() {
    let clock = Clock::manual();
    let (stub, feed) = fed(&clock, &[("content-type", "text/html")]);
    let inat = offline(stub, &clock).build().unwrap();
    feed.send(piece("<html>log in</html>")).unwrap();
    drop(feed);
    let answer = inat.send(Request::get("taxa/1").stream()).await.unwrap();
    assert_eq!(answer.read().await.unwrap(), "<html>log in</html>");
    assert_eq!(entries(&inat), 0);
}

/// Whoever stops waiting for a piece, because of a time limit of his own, has lost nothing.
#[tokio::test]
async fn a_piece_that_was_not_waited_for_is_still_there() {
    let clock = Clock::manual();
    let (stub, feed) = fed(&clock, &[JPEG]);
    let inat = offline(stub, &clock).build().unwrap();
    feed.send(piece("one")).unwrap();
    let mut answer = inat.send(Request::get(PHOTO).stream()).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "one");
    let mut other = answer.clone();
    {
        let mut waiting = Box::pin(answer.chunk());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert!(futures_util::poll!(Box::pin(other.chunk())).is_pending(), "the other clone waits too");
    }
    feed.send(piece("two")).unwrap();
    drop(feed);
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "two");
    assert_eq!(answer.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn errors_are_read_whole_although_a_stream_was_asked_for() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |_, _| Ok(reply(422, &[JSON], "{\"error\":\"Unknown place\"}")));
    let inat = offline(stub, &clock).build().unwrap();
    let error = inat.send(Request::get("observations").stream()).await.unwrap_err();
    assert!(error.to_string().contains("Unknown place"), "{error}");
}

#[tokio::test]
async fn what_is_larger_than_is_read_whole_streams_by_itself() {
    let clock = Clock::manual();
    let pieces: Vec<Piece> = (0..100).map(|_| Ok(Bytes::from(vec![b'x'; 1000]))).collect();
    for length in [None, Some("100000")] {
        let pieces = pieces.clone();
        let stub = Stub::at_once(&clock, move |_, _| {
            let mut fields = vec![JPEG];
            fields.extend(length.map(|length| ("content-length", length)));
            Ok(arriving(200, &fields, Box::pin(stream::iter(pieces.clone()))))
        });
        let inat = offline(stub.clone(), &clock).read_whole(10_000).build().unwrap();
        let answer = inat.get(PHOTO).await.unwrap();
        assert!(answer.bytes().is_err());
        assert_eq!(answer.read().await.unwrap().len(), 100_000);
        let hit = inat.get(PHOTO).await.unwrap();
        assert_eq!((hit.is_from_cache(), hit.bytes().unwrap().len()), (true, 100_000), "{length:?}");
        assert_eq!(stub.count(), 1);
    }
}

#[tokio::test]
async fn a_filter_sees_the_body_of_a_stream() {
    let clock = Clock::manual();
    for (body, kept) in [("good", 1), ("bad", 0)] {
        let stub = Stub::at_once(&clock, move |_, _| Ok(reply(200, &[JPEG], body)));
        let inat =
            offline(stub, &clock).filter(|answer| answer.text().is_ok_and(|text| text == "good")).build().unwrap();
        let answer = inat.send(Request::get(PHOTO).stream()).await.unwrap();
        assert_eq!(answer.read().await.unwrap(), body);
        assert_eq!(entries(&inat), kept, "{body}");
    }
}

#[tokio::test]
async fn streams_are_not_shared() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |_, _| Ok(reply(200, &[JPEG], "whole")));
    let inat = offline(stub.clone(), &clock).build().unwrap();
    let (one, two) = tokio::join!(inat.send(Request::get(PHOTO).stream()), inat.send(Request::get(PHOTO).stream()));
    assert_eq!(one.unwrap().read().await.unwrap(), "whole");
    assert_eq!(two.unwrap().read().await.unwrap(), "whole");
}

#[tokio::test]
async fn close_waits_for_what_is_being_stored() {
    let clock = Clock::manual();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cache.db");
    let (stub, feed) = fed(&clock, &[JPEG]);
    let inat = offline(stub, &clock).cache_file(&file).build().unwrap();
    feed.send(piece("one")).unwrap();
    let answer = inat.send(Request::get(PHOTO).stream()).await.unwrap();
    drop(feed);
    let (read, ()) = tokio::join!(answer.read(), inat.close());
    assert_eq!(read.unwrap(), "one");
    let inat = offline(always(&[]), &clock).cache_file(&file).build().unwrap();
    assert_eq!(inat.send(Request::get(PHOTO).only_if_cached()).await.unwrap().text().unwrap(), "one");
}

#[test]
fn a_hit_streams_too() {
    let (inat, _) = scripted(&always(&[]));
    inat.get(PHOTO).unwrap();
    let hit = inat.send(Request::get(PHOTO).stream()).unwrap();
    assert!(hit.is_from_cache());
    let mut text = String::new();
    hit.into_reader().read_to_string(&mut text).unwrap();
    assert_eq!(text, BODY);
}

fn real(sandbox: &Sandbox) -> blocking::Session {
    waits(
        Session::builder().base_url(sandbox.url()).cache_in_memory().budget_in_memory().unlimited().read_whole(1 << 20),
    )
}

#[test]
fn five_megabytes_over_a_socket() {
    let sandbox = Sandbox::start(Config::default()).unwrap();
    let inat = real(&sandbox);
    let mut copies = Vec::new();
    for request in [Request::get("__sandbox/bytes/5000000"), Request::get("__sandbox/bytes/5000000").stream()] {
        let mut copy = Vec::new();
        inat.send(request).unwrap().into_reader().read_to_end(&mut copy).unwrap();
        copies.push(copy);
    }
    assert_eq!(copies[0].len(), 5_000_000);
    assert!(copies[0] == copies[1]);
    assert_eq!(sandbox.count("/__sandbox"), 1, "the second one was kept");
}

#[test]
fn a_stream_over_a_socket_that_is_cut() {
    let sandbox = Sandbox::start(Config::default()).unwrap();
    sandbox.script("/__sandbox", ["cut-length".parse::<Bad>().unwrap(), "reset-mid".parse().unwrap()]);
    let inat = real(&sandbox);
    for _ in 0..2 {
        let answer = inat.send(Request::get("__sandbox/bytes/5000000").stream()).unwrap();
        let mut copy = Vec::new();
        let error = answer.into_reader().read_to_end(&mut copy).unwrap_err();
        assert!(copy.len() < 5_000_000, "{error}");
    }
    assert_eq!(inat.cache().stats().unwrap().entries, 0);
}

#[test]
fn a_stream_that_falls_silent_times_out_and_one_that_drips_meets_its_deadline() {
    let sandbox = Sandbox::start(Config::default()).unwrap();
    sandbox.script("/__sandbox", ["drip=50000".parse::<Bad>().unwrap(), "drip=20".parse().unwrap()]);
    let inat = real(&sandbox);
    // Both come to their beginning within it, and nothing more.
    let short = secs(2);
    let answer = inat.send(Request::get("__sandbox/bytes/5000").stream().timeout(short)).unwrap();
    let error = answer.into_reader().read_to_end(&mut Vec::new()).unwrap_err();
    let fault = error.get_ref().unwrap().downcast_ref::<Fault>().unwrap();
    assert!(matches!(fault, Fault::Timeout { phase: Phase::Reading, .. }), "{fault:?}");

    let answer = inat.send(Request::get("__sandbox/bytes/50000").stream().deadline(short)).unwrap();
    let start = std::time::Instant::now();
    let error = answer.into_reader().read_to_end(&mut Vec::new()).unwrap_err();
    assert!(start.elapsed() < secs(20), "{error}");
    until("nothing is kept", || inat.cache().stats().unwrap().entries == 0);
}

#[tokio::test]
async fn clones_of_a_streamed_answer_share_its_pieces() {
    let clock = Clock::manual();
    let (stub, feed) = fed(&clock, &[JPEG]);
    let inat = offline(stub, &clock).build().unwrap();
    for text in ["1", "2", "3"] {
        feed.send(piece(text)).unwrap();
    }
    drop(feed);
    let mut one = inat.send(Request::get(PHOTO).stream()).await.unwrap();
    let mut two = one.clone();
    let mut pieces = Vec::new();
    while let Some(piece) = one.chunk().await.unwrap() {
        pieces.push(piece);
        pieces.extend(two.chunk().await.unwrap());
    }
    assert_eq!(pieces.concat(), b"123");
    assert!(matches!(one.expiry(), Expiry::NotStored));
    let _ = stream::empty::<Piece>().next().await;
}

/// Who stops a long transfer has not used up what it would have brought.
#[tokio::test]
async fn closing_at_once_counts_what_was_read() {
    const VIDEO: &str = "https://static.inaturalist.org/photos/1/original.jpg";
    for (request, bound) in
        [(Request::get(VIDEO), 1 << 30), (Request::get(VIDEO).stream(), 0), (Request::get(VIDEO), 0)]
    {
        let folder = tempfile::tempdir().unwrap();
        // Two sessions on one file wait for each other, which on a manual clock they would not.
        let (clock, file) = (Clock::system(), folder.path().join("budget.db"));
        let (stub, feed) = fed(&clock, &[JPEG, ("content-length", "300000000")]);
        let session = |stub: Stub| offline(stub, &clock).ratelimit_path(&file).read_whole(bound).build().unwrap();
        let used = |inat: &Session| {
            let report = inat.budget().unwrap().into_iter().find(|report| report.bucket == "media");
            report.map_or(0, |report| report.bytes[0].used)
        };
        let (inat, other) = (session(stub.clone()), session(stub));
        let asking = tokio::spawn({
            let inat = inat.clone();
            async move {
                let mut answer = inat.send(request).await?;
                while answer.chunk().await?.is_some() {}
                Ok::<_, inat_session::Error>(())
            }
        });
        feed.send(piece("0123456789")).unwrap();
        until_async("it is reserved", || used(&other) == 300_000_000).await;
        inat.close_now().await;
        assert!(asking.await.unwrap().is_err());
        until_async("what was not read is given back", || used(&other) <= 10).await;
        until_async("nobody listens any more", || feed.is_closed()).await;
    }
}

#[tokio::test]
async fn events_are_handed_on_as_they_come_and_are_no_news_afterwards() {
    for (fields, is_kept) in [
        (&[("content-type", "text/event-stream")][..], false),
        (&[("content-type", "text/event-stream"), ("cache-control", "max-age=60")], true),
    ] {
        let clock = Clock::manual();
        let (stub, feed) = fed(&clock, fields);
        let inat = offline(stub.clone(), &clock).build().unwrap();
        feed.send(piece("data: 1\n\n")).unwrap();
        let mut answer = inat.get(PHOTO).await.unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), "data: 1\n\n");
        drop(feed);
        assert!(answer.chunk().await.unwrap().is_none());
        until_async("it is stored, or not", || inat.is_idle()).await;
        assert_eq!(inat.get(PHOTO).await.unwrap().is_from_cache(), is_kept);
    }
}
