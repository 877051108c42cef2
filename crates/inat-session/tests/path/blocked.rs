//! The session in code that is not async, in every executor, and between threads.

use std::io::Read;

use inat_session::{Clock, Error, Kind, Request, Response, Session, SessionBuilder, Token, blocking};

use crate::support::{BODY, Stub, always, offline, ok, scripted, secs, waits};

const TAXA: &str = "taxa/1";

fn is_shared<T: Send + Sync + Clone + 'static>() {}
fn is_send<T: Send>() {}
fn is_sent<T: Send + 'static>(_: &T) {}

#[test]
fn what_may_go_between_threads() {
    is_shared::<Session>();
    is_shared::<blocking::Session>();
    is_shared::<Request>();
    is_shared::<Response>();
    is_shared::<Error>();
    is_shared::<Token>();
    is_send::<SessionBuilder>();
    let clock = Clock::manual();
    let inat = offline(always(&[]), &clock).build().unwrap();
    let future = async move { inat.send(Request::get(TAXA)).await };
    is_sent(&future);
}

fn is_inside(result: Result<Response, Error>) {
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), Kind::InsideAsync), "{error:?}");
    assert!(error.hint().is_some());
}

#[test]
fn inside_async_it_is_an_error_and_not_a_panic() {
    let (inat, _) = scripted(&always(&[]));
    for runtime in [
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    ] {
        runtime.block_on(async {
            is_inside(inat.get(TAXA));
            is_inside(inat.post(TAXA, &serde_json::json!({})));
            assert!(matches!(inat.close().unwrap_err().kind(), Kind::InsideAsync));
            let there = inat.clone();
            tokio::spawn(async move { is_inside(there.get(TAXA)) }).await.unwrap();
            let there = inat.clone();
            let answer = tokio::task::spawn_blocking(move || there.get(TAXA)).await.unwrap();
            assert_eq!(answer.unwrap().text().unwrap(), BODY);
            let local = tokio::task::LocalSet::new();
            let there = inat.clone();
            local.run_until(async move { is_inside(there.get(TAXA)) }).await;
            // The async one over the same core works.
            assert_eq!(inat.as_async().get(TAXA).await.unwrap().text().unwrap(), BODY);
        });
    }
    futures_executor::block_on(async { is_inside(inat.get("taxa/2")) });
    assert_eq!(inat.get("taxa/2").unwrap().status(), 200);
}

#[test]
fn a_reader_inside_async_is_an_error_and_not_a_panic() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |_, _| Ok(ok(&[])));
    let inat = offline(stub, &clock).build().unwrap();
    let stream = || Request::get(TAXA).stream().expire_after(inat_session::Lifetime::DoNotCache);
    let read = |answer: Response| {
        let mut text = String::new();
        answer.into_reader().read_to_string(&mut text).map(|_| text)
    };
    let answer = futures_executor::block_on(inat.send(stream())).unwrap();
    assert_eq!(read(answer).unwrap(), BODY);
    futures_executor::block_on(async {
        let answer = inat.send(stream()).await.unwrap();
        assert!(read(answer).is_err());
    });
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let answer = inat.send(stream()).await.unwrap();
        assert!(read(answer).is_err());
        let answer = inat.send(stream()).await.unwrap();
        assert_eq!(tokio::task::spawn_blocking(move || read(answer).unwrap()).await.unwrap(), BODY);
    });
}

#[test]
fn where_a_runtime_lets_one_wait_it_waits() {
    let (inat, _) = scripted(&always(&[]));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _entered = runtime.enter();
    assert_eq!(inat.get(TAXA).unwrap().status(), 200);
    let there = inat.clone();
    runtime.block_on(async move {
        let task = tokio::spawn(async move { tokio::task::block_in_place(|| there.get("taxa/2")) });
        assert_eq!(task.await.unwrap().unwrap().status(), 200);
    });
}

#[test]
fn every_executor_will_do() {
    let clock = Clock::system();
    let stub =
        Stub::at_once(&clock, |number, _| Ok(if number == 0 { crate::support::reply(503, &[], "") } else { ok(&[]) }));
    let inat = offline(stub, &clock).unlimited().build().unwrap();
    assert_eq!(futures_executor::block_on(inat.get("taxa/1")).unwrap().status(), 200);
    let bare = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(bare.block_on(inat.get("taxa/2")).unwrap().status(), 200, "a runtime without timers");
    drop(bare);
    assert_eq!(futures_executor::block_on(inat.get("taxa/3")).unwrap().status(), 200);
    futures_executor::block_on(inat.close());
}

const REQUESTS: u64 = 10;

#[test]
fn a_connection_outlives_the_runtime_that_made_it() {
    let sandbox = inat_sandbox::Sandbox::start(inat_sandbox::Config::default()).unwrap();
    let inat =
        Session::builder().base_url(sandbox.url()).cache_disabled(true).budget_in_memory().unlimited().build().unwrap();
    for _ in 0..REQUESTS {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(runtime.block_on(inat.get("v1/taxa/48662")).unwrap().origin().attempts(), 1);
    }
    // A connection is back in the pool a moment after its answer is here, so that not every request finds it.
    let last = sandbox.log().iter().map(|seen| seen.connection).max().unwrap();
    assert!(last < REQUESTS, "{last} connections");
}

#[test]
fn many_threads_share_one_session() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |_, _| Ok(ok(&[])));
    let inat = waits(offline(stub.clone(), &clock).unlimited());
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let inat = &inat;
            scope.spawn(move || {
                for id in 0..25 {
                    let answer = inat.send(Request::get("taxa").ids([(thread + id) % 20 + 1])).unwrap();
                    assert_eq!(answer.text().unwrap(), BODY);
                }
            });
        }
    });
    assert_eq!(stub.count(), 20);
}

#[test]
fn every_method_of_the_blocking_session() {
    let (inat, clock) = scripted(&always(&[]));
    assert_eq!(inat.get("a").unwrap().method(), "GET");
    assert_eq!(inat.post("a", &serde_json::json!({})).unwrap().method(), "POST");
    assert_eq!(inat.put("a", &serde_json::json!({})).unwrap().method(), "PUT");
    assert_eq!(inat.delete("a").unwrap().method(), "DELETE");
    assert_eq!(inat.json::<serde_json::Value>(Request::get("a")).unwrap()["total_results"], 1);
    assert!(inat.json::<Vec<u8>>(Request::get("a")).is_err());
    assert!(inat.plan(Request::get("a")).unwrap().lookup.contains("find"));
    assert_eq!(inat.budget().unwrap()[0].windows.len(), 3);
    assert_eq!(inat.clear_cache().unwrap(), 1);
    assert_eq!(inat.refresh_params("a").unwrap(), None);
    clock.advance(secs(1));
    inat.close().unwrap();
    let built =
        blocking::Session::builder().transport(always(&[])).cache_in_memory().budget_in_memory().build().unwrap();
    assert_eq!(built.get("a").unwrap().status(), 200);
}
