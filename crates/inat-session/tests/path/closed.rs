//! The end of a session.

use std::time::Instant;

use inat_session::{Clock, Kind, Origin, Request, blocking};

use crate::support::{Gate, Stub, always, offline, ok, scripted, secs, until_async, waits};

const TAXA: &str = "taxa/1";

#[test]
fn after_closing_there_is_a_typed_error() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual();
    let script = always(&[]);
    let inat = waits(
        offline(script.clone(), &clock)
            .cache_file(folder.path().join("cache.db"))
            .ratelimit_path(folder.path().join("budget.db")),
    );
    let clone = inat.clone();
    inat.get(TAXA).unwrap();
    inat.close().unwrap();
    inat.close().unwrap();
    for session in [&inat, &clone] {
        for request in
            [Request::get(TAXA), Request::get("taxa/2"), Request::put(TAXA), Request::get(TAXA).dry_run(true)]
        {
            let error = session.send(request).unwrap_err();
            assert!(matches!(error.kind(), Kind::Closed), "{error:?}");
            assert!(error.hint().is_some());
        }
        // What is asked by name fails or is empty; nothing panics.
        let _ = (session.budget(), session.cache().stats(), session.clear_cache(), session.refresh_params("a"));
    }
    assert_eq!(script.seen().len(), 1);
}

/// Whatever it waits for has not happened yet.
async fn is_waited_for(mut closing: impl Future<Output = ()> + Unpin) {
    for _ in 0..10 {
        assert!(futures_util::poll!(&mut closing).is_pending());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn closing_waits_for_a_refresh_in_the_background() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, _| ok(&[("cache-control", "max-age=10")]));
    let inat = offline(stub.clone(), &clock).stale_while_revalidate(true).build().unwrap();
    gate.let_one();
    inat.get(TAXA).await.unwrap();
    clock.advance(secs(20));
    assert!(matches!(inat.get(TAXA).await.unwrap().origin(), Origin::Stale { .. }));
    until_async("the refresh is sent", || stub.count() == 2).await;
    let mut closing = Box::pin(inat.close());
    is_waited_for(&mut closing).await;
    gate.open();
    closing.await;
}

#[tokio::test]
async fn a_request_in_flight_when_the_session_is_closed_still_ends() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub =
        Stub::gated(&clock, &gate, |number, _| if number == 0 { crate::support::reply(503, &[], "") } else { ok(&[]) });
    let inat = offline(stub.clone(), &clock).build().unwrap();
    let flying = tokio::spawn({
        let inat = inat.clone();
        async move { inat.get(TAXA).await }
    });
    until_async("it is sent", || stub.count() == 1).await;
    inat.close().await;
    gate.open();
    // Its second try finds the session closed, and says so.
    let error = flying.await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), Kind::Closed), "{error:?}");
}

/// Whoever ends its program after a write has the word of the server that it was done.
#[tokio::test]
async fn closing_waits_for_a_write_under_way() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, _| ok(&[]));
    let inat = offline(stub.clone(), &clock).build().unwrap();
    let writing = tokio::spawn({
        let inat = inat.clone();
        async move { inat.send(Request::post(TAXA)).await }
    });
    until_async("it is sent", || stub.count() == 1).await;
    let mut closing = Box::pin(inat.close());
    is_waited_for(&mut closing).await;
    gate.open();
    closing.await;
    writing.await.unwrap().unwrap();
}

#[tokio::test]
async fn closing_at_once_ends_whatever_is_under_way() {
    for request in [Request::get(TAXA), Request::get(TAXA).stream(), Request::post(TAXA)] {
        let (clock, gate) = (Clock::manual(), Gate::shut());
        let stub = Stub::gated(&clock, &gate, |_, _| ok(&[]));
        let inat = offline(stub.clone(), &clock).build().unwrap();
        let flying = tokio::spawn({
            let inat = inat.clone();
            async move { inat.send(request).await }
        });
        until_async("it is sent", || stub.count() == 1).await;
        inat.close_now().await;
        let error = flying.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), Kind::Closed), "{error:?}");
    }
}

#[test]
fn a_session_is_dropped_without_waiting() {
    let start = Instant::now();
    for _ in 0..50 {
        let (inat, _) = scripted(&always(&[]));
        inat.get(TAXA).unwrap();
        drop(inat);
    }
    assert!(start.elapsed() < secs(30));
    let session: blocking::Session = offline(always(&[]), &Clock::manual()).build().unwrap().into();
    drop(session);
}

#[tokio::test]
async fn who_waits_when_the_session_is_closed_hands_the_slot_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("budget.db");
    let clock = Clock::system();
    let session = || {
        offline(always(&[]), &clock)
            .ratelimit_path(&file)
            .unlimited()
            .per_minute(1.0)
            .cache_disabled(true)
            .build()
            .unwrap()
    };
    let reserved = |inat: &inat_session::Session| inat.budget().unwrap()[0].reserved;
    session().get(TAXA).await.unwrap();
    for closing_now in [false, true] {
        let (inat, other) = (session(), session());
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let inat = inat.clone();
                tokio::spawn(async move { inat.get(TAXA).await })
            })
            .collect();
        until_async("one waits", || reserved(&other) == 1).await;
        if closing_now {
            inat.close_now().await;
        } else {
            inat.close().await;
        }
        until_async("it is handed back", || reserved(&other) == 0).await;
        for waiting in waiting {
            let error = waiting.await.unwrap().unwrap_err();
            assert!(matches!(error.kind(), Kind::Closed), "{error:?}");
        }
    }
}
