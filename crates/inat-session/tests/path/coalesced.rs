//! Twins: in one process, between processes, and those who only look alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use inat_sandbox::{Answer, Config, Fault as Bad, Sandbox};
use inat_session::{Clock, Error, Fault, Kind, Origin, Request, Response, Session, Token};

use crate::support::{Actor, BODY, Gate, JSON, Stub, hear, offline, ok, part, reply, secs, tell, until_async, waits};

const TAXA: &str = "taxa/1";

/// Sends all of them at once: each is on its way before the first is answered.
async fn together(inat: &Session, gate: &Gate, requests: Vec<Request>) -> Vec<Result<Response, Error>> {
    let callers = requests.into_iter().map(|request| inat.send(request));
    let (answers, ()) = tokio::join!(join_all(callers), async { gate.open() });
    answers
}

#[tokio::test]
async fn a_hundred_callers_are_one_request() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, _| ok(&[]));
    let inat = offline(stub.clone(), &clock).build().unwrap();
    let answers = together(&inat, &gate, vec![Request::get(TAXA); 100]).await;
    assert_eq!((stub.count(), clock.slept()), (1, Duration::ZERO));
    let shared = answers.iter().filter(|answer| matches!(answer.as_ref().unwrap().origin(), Origin::Shared(_))).count();
    assert_eq!(shared, 99);
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().text().unwrap() == BODY));
    let attempts: u32 = answers.iter().map(|answer| answer.as_ref().unwrap().origin().attempts()).sum();
    assert_eq!(attempts, 1);
}

#[tokio::test]
async fn an_answer_that_may_not_be_shared_releases_the_others_at_once() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, _| ok(&[("cache-control", "no-store")]));
    let inat = offline(stub.clone(), &clock).unlimited().build().unwrap();
    let answers = together(&inat, &gate, vec![Request::get(TAXA); 20]).await;
    assert!(answers.iter().all(|answer| matches!(answer.as_ref().unwrap().origin(), Origin::Network { .. })));
    assert_eq!(stub.count(), 20);
    assert_eq!(clock.slept(), Duration::ZERO, "nobody queues behind the others");
}

/// RFC 9111 §4: requests are collapsed where the answer may be reused. The library's own rules prefer one request.
#[tokio::test]
async fn what_needs_validation_is_not_shared_where_only_http_decides() {
    for (directives, is_fresh) in [("max-age=60", true), ("max-age=60, no-cache", false), ("max-age=0", false)] {
        for only_http in [false, true] {
            let (clock, gate) = (Clock::manual(), Gate::shut());
            let stub = Stub::gated(&clock, &gate, move |_, _| ok(&[("cache-control", directives), ("etag", "\"1\"")]));
            let builder = offline(stub.clone(), &clock).unlimited();
            let inat = if only_http { builder.headers_only() } else { builder }.build().unwrap();
            together(&inat, &gate, vec![Request::get(TAXA); 3]).await;
            assert_eq!(stub.count(), if is_fresh || !only_http { 1 } else { 3 }, "{directives}, {only_http}");
        }
    }
}

/// RFC 9111 §4 again: where only HTTP decides, a failure that may not be kept is nobody else's, and nor are its cookies.
#[tokio::test]
async fn failures_are_shared_where_http_lets_them_be() {
    for (fields, only_http, expected) in [
        (&[("cache-control", "no-store"), ("set-cookie", "s=1")][..], true, 3),
        (&[], true, 3),
        (&[("cache-control", "max-age=60")], true, 1),
        (&[("cache-control", "no-store")], false, 1),
    ] {
        let (clock, gate) = (Clock::manual(), Gate::shut());
        let stub = Stub::gated(&clock, &gate, move |_, _| reply(500, fields, "no"));
        let builder = offline(stub.clone(), &clock).unlimited().max_retries(0);
        let inat = if only_http { builder.headers_only() } else { builder }.build().unwrap();
        together(&inat, &gate, vec![Request::get(TAXA); 3]).await;
        assert_eq!(stub.count(), expected, "{fields:?}, {only_http}");
    }
}

/// Two ask for the same entry, each in their own way; the one in front may have more patience.
#[tokio::test]
async fn nobody_waits_longer_for_another_than_for_a_slot() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, _| ok(&[]));
    let inat = offline(stub.clone(), &clock).unlimited().build().unwrap();
    let send = |request: Request, max_delay: Option<Duration>| {
        let (inat, mut prepared) = (inat.clone(), inat.prepare(&request).unwrap());
        prepared.options.max_delay = max_delay;
        tokio::spawn(async move { inat.send(&prepared).await })
    };
    let patient = send(Request::get(TAXA), None);
    until_async("the first is sent", || stub.count() == 1).await;
    let hasty = send(Request::get(TAXA).header("x-other", "1"), Some(secs(2)));
    until_async("the second is sent", || stub.count() == 2).await;
    assert!(clock.slept() >= secs(2) && clock.slept() < secs(4), "{:?}", clock.slept());
    gate.open();
    assert!(patient.await.unwrap().is_ok() && hasty.await.unwrap().is_ok());
}

/// A part that was on its way when a write was answered is not joined with what is stored.
#[tokio::test]
async fn a_part_from_before_a_write_is_not_kept() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let doors = gate.clone();
    let stub = Stub::new(&clock, move |number, seen| {
        let (gate, range) = (doors.clone(), seen.field("range").map(str::to_owned));
        Box::pin(async move {
            if number == 1 {
                gate.pass().await;
            }
            let part = |range: &str, body: &'static str| {
                let fields = [("etag", "\"1\""), ("cache-control", "max-age=600"), ("content-range", range)];
                reply(206, &fields, body)
            };
            Ok(match range.as_deref() {
                Some("bytes=0-1") => part("bytes 0-1/4", "ab"),
                Some(_) => part("bytes 2-3/4", "cd"),
                None => ok(&[]),
            })
        })
    });
    let inat = offline(stub.clone(), &clock).unlimited().headers_only().check_json(false).build().unwrap();
    let part = |range: &str| Request::get(TAXA).header("range", range);
    inat.send(part("bytes=0-1")).await.unwrap();
    let late = tokio::spawn({
        let (inat, request) = (inat.clone(), part("bytes=2-3"));
        async move { inat.send(request).await.unwrap() }
    });
    until_async("the part is on its way", || stub.count() == 2).await;
    inat.send(Request::put(TAXA)).await.unwrap();
    gate.open();
    assert_eq!(late.await.unwrap().bytes().unwrap(), "cd");
    assert_eq!(inat.send(Request::get(TAXA)).await.unwrap().bytes().unwrap(), BODY);
    assert_eq!(stub.count(), 4);
}

#[tokio::test]
async fn a_failure_once_is_no_reason_never_to_share_again() {
    let failures: [fn() -> Result<inat_session::Incoming, Fault>; 4] = [
        || Err(Fault::Connect("refused".to_owned())),
        || Ok(reply(503, &[], "")),
        || Ok(reply(404, &[], "")),
        || Ok(ok(&[("cache-control", "no-store")])),
    ];
    for failure in failures {
        let (clock, gate) = (Clock::manual(), Gate::shut());
        let doors = gate.clone();
        let stub = Stub::new(&clock, move |number, _| {
            let gate = doors.clone();
            Box::pin(async move {
                if number == 0 {
                    return failure();
                }
                gate.pass().await;
                Ok(ok(&[("cache-control", "max-age=10")]))
            })
        });
        let inat = offline(stub.clone(), &clock).max_retries(0).unlimited().build().unwrap();
        let _ = inat.get(TAXA).await;
        gate.let_one();
        inat.get(TAXA).await.unwrap();
        assert_eq!(stub.count(), 2);
        clock.advance(secs(20));
        for answer in together(&inat, &gate, vec![Request::get(TAXA); 8]).await {
            answer.unwrap();
        }
        assert_eq!(stub.count(), 3, "the eight went together");
    }
}

#[tokio::test]
async fn those_who_only_look_alike_go_alone() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, seen| {
        let whose = seen.field("authorization").unwrap_or("nobody").to_owned();
        ok(&[("x-whose", &whose), ("cache-control", "public, max-age=600")])
    });
    let inat = offline(stub.clone(), &clock).unlimited().build().unwrap();
    let asked = || Request::get(TAXA);
    let requests = vec![
        asked().token(&Token::new("a")),
        asked().token(&Token::new("b")),
        asked(),
        asked().token(&Token::new("a")),
        asked().token(&Token::new("b")),
        asked(),
    ];
    let answers = together(&inat, &gate, requests).await;
    let whose: Vec<&str> = answers.iter().map(|answer| answer.as_ref().unwrap().header("x-whose").unwrap()).collect();
    assert_eq!(whose, ["Bearer a", "Bearer b", "nobody", "Bearer a", "Bearer b", "nobody"]);
    assert_eq!(stub.count(), 3);
}

#[tokio::test]
async fn writes_are_never_joined() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, _| ok(&[]));
    let inat = offline(stub.clone(), &clock).unlimited().build().unwrap();
    for answer in together(&inat, &gate, vec![Request::post(TAXA); 5]).await {
        answer.unwrap();
    }
    assert_eq!(stub.count(), 5);
}

/// A write answered while a read is on its way: the read may have seen the world as it was.
#[tokio::test]
async fn who_has_written_does_not_read_what_was_before() {
    for streamed in [false, true] {
        let (clock, gate) = (Clock::manual(), Gate::shut());
        let doors = gate.clone();
        let stub = Stub::new(&clock, move |number, seen| {
            let (gate, is_write) = (doors.clone(), seen.method == "POST");
            Box::pin(async move {
                if number == 0 {
                    gate.pass().await;
                }
                let text = format!("{{\"number\":{number}}}");
                Ok(if is_write { ok(&[]) } else { reply(200, &[JSON, ("cache-control", "max-age=600")], text) })
            })
        });
        let inat = offline(stub.clone(), &clock).unlimited().read_whole(if streamed { 1 } else { 1000 });
        let inat = inat.build().unwrap();
        let before = tokio::spawn({
            let inat = inat.clone();
            async move { inat.get(TAXA).await.unwrap().read().await.unwrap() }
        });
        until_async("the read is on its way", || stub.count() == 1).await;
        inat.send(Request::post(TAXA)).await.unwrap();
        let after = tokio::spawn({
            let inat = inat.clone();
            async move { inat.get(TAXA).await.unwrap().read().await.unwrap() }
        });
        gate.open();
        assert_eq!(before.await.unwrap(), "{\"number\":0}");
        assert_eq!(after.await.unwrap(), "{\"number\":2}", "streamed: {streamed}");
        assert_eq!(inat.get(TAXA).await.unwrap().read().await.unwrap(), "{\"number\":2}", "streamed: {streamed}");
        assert_eq!(stub.count(), 3, "streamed: {streamed}");
    }
}

#[tokio::test]
async fn each_gets_an_error_or_an_answer_as_he_asked() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, _| reply(404, &[], "no"));
    let inat = offline(stub.clone(), &clock).unlimited().build().unwrap();
    let requests = vec![Request::get(TAXA), Request::get(TAXA).raise_for_status(false)];
    let answers = together(&inat, &gate, requests).await;
    assert_eq!(answers[0].as_ref().unwrap_err().status().unwrap(), 404);
    assert_eq!(answers[1].as_ref().unwrap().status(), 404);
}

#[tokio::test]
async fn a_failure_of_the_network_is_everybodys() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let doors = gate.clone();
    let stub = Stub::new(&clock, move |_, _| {
        let gate = doors.clone();
        Box::pin(async move {
            gate.pass().await;
            Err(Fault::Connect("refused".to_owned()))
        })
    });
    let inat = offline(stub.clone(), &clock).unlimited().max_retries(1).build().unwrap();
    let answers = together(&inat, &gate, vec![Request::get(TAXA); 10]).await;
    assert!(answers.iter().all(|answer| matches!(answer.as_ref().unwrap_err().kind(), Kind::Network(_))));
    assert_eq!(stub.count(), 2);
}

#[tokio::test]
async fn the_leader_may_leave() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let stub = Stub::gated(&clock, &gate, |_, _| ok(&[]));
    let inat = offline(stub.clone(), &clock).build().unwrap();
    let caller = || {
        let inat = inat.clone();
        tokio::spawn(async move { inat.get(TAXA).await })
    };
    let leader = caller();
    until_async("the leader sends", || stub.count() == 1).await;
    let mut followers: Vec<_> = (0..3).map(|_| inat.send(Request::get(TAXA))).map(Box::pin).collect();
    for follower in &mut followers {
        assert!(futures_util::poll!(follower).is_pending());
    }
    leader.abort();
    assert!(leader.await.is_err());
    gate.open();
    for follower in followers {
        assert_eq!(follower.await.unwrap().text().unwrap(), BODY);
    }
    assert_eq!(stub.count(), 1);
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn when_all_leave_the_request_ends_and_the_next_one_starts_anew() {
    let clock = Clock::manual();
    let ended = Arc::new(AtomicUsize::new(0));
    let counter = ended.clone();
    let stub = Stub::new(&clock, move |number, _| {
        let counted = Counted(counter.clone());
        Box::pin(async move {
            let _counted = counted;
            if number == 0 {
                std::future::pending::<()>().await;
            }
            Ok(ok(&[]))
        })
    });
    let inat = offline(stub.clone(), &clock).build().unwrap();
    let mut callers: Vec<_> = (0..5).map(|_| Box::pin(inat.send(Request::get(TAXA)))).collect();
    for caller in &mut callers {
        assert!(futures_util::poll!(caller).is_pending());
    }
    until_async("it is sent", || stub.count() == 1).await;
    drop(callers);
    until_async("it is dropped", || ended.load(Ordering::SeqCst) == 1).await;
    assert_eq!(inat.get(TAXA).await.unwrap().text().unwrap(), BODY);
    assert_eq!(stub.count(), 2);
}

#[tokio::test]
async fn a_transport_that_panics_takes_nobody_down_for_good() {
    let clock = Clock::manual();
    let stub = Stub::new(&clock, |number, _| {
        Box::pin(async move {
            assert!(number > 0, "a panic in a transport of somebody's own");
            Ok(ok(&[]))
        })
    });
    let inat = offline(stub.clone(), &clock).build().unwrap();
    let error = inat.get(TAXA).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Internal(_)), "{error:?}");
    assert_eq!(inat.get(TAXA).await.unwrap().status(), 200);
}

/// However often it is served meanwhile, a stale answer is refreshed once at a time; and it is refreshed.
#[tokio::test]
async fn one_refresh_in_the_background_at_a_time() {
    for _ in 0..20 {
        let clock = Clock::manual();
        let stub = Stub::at_once(&clock, |_, _| Ok(ok(&[("cache-control", "max-age=10"), ("etag", "\"1\"")])));
        let inat = offline(stub.clone(), &clock).unlimited().stale_while_revalidate(true).build().unwrap();
        inat.get(TAXA).await.unwrap();
        clock.advance(secs(20));
        let answers = join_all((0..8).map(|_| {
            let inat = inat.clone();
            async move { tokio::spawn(async move { inat.get(TAXA).await.unwrap() }).await.unwrap() }
        }))
        .await;
        assert!(answers.iter().any(|answer| matches!(answer.origin(), Origin::Stale { .. })));
        inat.close().await;
        assert_eq!(stub.count(), 2);
        assert_eq!(stub.seen()[1].field("if-none-match"), Some("\"1\""));
    }
}

#[tokio::test]
async fn a_refresh_that_fails_is_tried_again_at_the_next_use() {
    let clock = Clock::manual();
    let stub = Stub::at_once(&clock, |number, _| match number {
        1 => Err(Fault::Connect("refused".to_owned())),
        _ => Ok(ok(&[("cache-control", "max-age=10")])),
    });
    let inat = offline(stub.clone(), &clock).max_retries(0).stale_while_revalidate(true).build().unwrap();
    inat.get(TAXA).await.unwrap();
    clock.advance(secs(20));
    let start = std::time::Instant::now();
    while stub.count() < 3 {
        let answer = inat.get(TAXA).await.unwrap();
        assert!(matches!(answer.origin(), Origin::Stale { .. }) || stub.count() == 3, "{:?}", answer.origin());
        assert!(start.elapsed() < secs(30));
        tokio::task::yield_now().await;
    }
    inat.close().await;
    assert_eq!(stub.count(), 3);
}

const FOUR: &str = "coalesced::four_processes_are_one_request";

#[test]
fn four_processes_are_one_request() {
    if let Some(told) = part() {
        let (url, file) = told.split_once(' ').unwrap();
        let inat = waits(Session::builder().base_url(url).cache_file(file).budget_in_memory().unlimited());
        inat.get("taxa/warm").unwrap();
        tell("ready");
        hear();
        let answer = inat.get("taxa/cold").unwrap();
        tell(&format!("{} {}", answer.text().unwrap(), answer.origin().attempts()));
        return;
    }
    let sandbox =
        Sandbox::start(Config::handler(|_| Some(Answer::json(&serde_json::json!({"results": ["one"]}))))).unwrap();
    // Long enough for all four to miss; whoever comes later finds it stored, which is one request too.
    sandbox.script("/v1/taxa/cold", ["slow=1500".parse::<Bad>().unwrap()]);
    let folder = tempfile::tempdir().unwrap();
    let told = format!("{}/v1/ {}", sandbox.url(), folder.path().join("cache.db").display());
    let mut actors: Vec<Actor> = (0..4).map(|_| Actor::start(FOUR, &told, &[])).collect();
    for actor in &mut actors {
        assert_eq!(actor.told(), "ready");
    }
    for actor in &mut actors {
        actor.say("go");
    }
    let mut costs = Vec::new();
    for actor in &mut actors {
        let told = actor.told();
        let (body, cost) = told.rsplit_once(' ').unwrap();
        assert_eq!(body, "{\"results\":[\"one\"]}");
        costs.push(cost.parse::<u32>().unwrap());
    }
    costs.sort_unstable();
    assert_eq!((sandbox.count("/v1/taxa/cold"), costs), (1, vec![0, 0, 0, 1]));
    actors.into_iter().for_each(Actor::ends_well);
}

const KILLED: &str = "coalesced::a_leader_that_is_killed_is_replaced";

#[test]
fn a_leader_that_is_killed_is_replaced() {
    if let Some(told) = part() {
        let (url, file) = told.split_once(' ').unwrap();
        let inat =
            waits(Session::builder().base_url(url).cache_file(file).budget_in_memory().unlimited().timeout(secs(120)));
        tell("ready");
        hear();
        tell(&inat.get("taxa/1").unwrap().text().unwrap());
        return;
    }
    let sandbox = Sandbox::start(Config::handler(|_| Some(Answer::json(&serde_json::json!({"results": []}))))).unwrap();
    sandbox.script("/v1/taxa/1", ["slow=60000".parse::<Bad>().unwrap()]);
    let folder = tempfile::tempdir().unwrap();
    let told = format!("{}/v1/ {}", sandbox.url(), folder.path().join("cache.db").display());
    let (mut leader, mut follower) = (Actor::start(KILLED, &told, &[]), Actor::start(KILLED, &told, &[]));
    leader.told();
    follower.told();
    leader.say("go");
    assert!(sandbox.wait_for("/v1/taxa/1", 1, secs(30)));
    follower.say("go");
    leader.kill();
    assert_eq!(follower.told(), "{\"results\":[]}");
    assert_eq!(sandbox.count("/v1/taxa/1"), 2);
    follower.ends_well();
}

/// What may not be shared is renewed with what is stored all the same, and goes when the server has it no longer.
#[tokio::test]
async fn a_refresh_asks_with_what_is_stored_also_where_it_is_not_shared() {
    let clock = Clock::manual();
    let fields = [JSON, ("cache-control", "max-age=0, stale-while-revalidate=60"), ("etag", "\"1\"")];
    let stub = Stub::at_once(&clock, move |number, seen| match (number, seen.field("if-none-match")) {
        (0, _) => Ok(reply(200, &fields, BODY)),
        (1, Some("\"1\"")) => Ok(reply(304, &fields[1..], "")),
        (2, Some("\"1\"")) => Ok(reply(404, &[("cache-control", "no-store")], "")),
        (_, condition) => panic!("request {number} with {condition:?}"),
    });
    let inat = offline(stub.clone(), &clock).unlimited().headers_only().build().unwrap();
    inat.get(TAXA).await.unwrap();
    for refreshed in [2, 3] {
        clock.advance(secs(5));
        let stale = inat.get(TAXA).await.unwrap();
        assert!(matches!(stale.origin(), Origin::Stale { .. }), "{:?}", stale.origin());
        until_async("it is refreshed", || stub.count() == refreshed && inat.is_idle()).await;
    }
    assert_eq!(inat.cache().stats().unwrap().entries, 0, "it is gone there, and here");
}

/// A body that is still arriving goes to whoever asks for its pieces: each of several would get a part.
#[tokio::test]
async fn an_error_with_a_long_body_is_not_divided() {
    let (clock, gate) = (Clock::manual(), Gate::shut());
    let page = "x".repeat(10_000);
    let body = page.clone();
    let stub = Stub::gated(&clock, &gate, move |_, _| reply(500, &[], body.clone()));
    let inat = offline(stub.clone(), &clock).unlimited().max_retries(0).read_whole(1000).build().unwrap();
    let requests = vec![Request::get(TAXA).raise_for_status(false); 4];
    for answer in together(&inat, &gate, requests).await {
        let (mut answer, mut read) = (answer.unwrap(), Vec::new());
        while let Some(piece) = answer.chunk().await.unwrap() {
            read.extend_from_slice(&piece);
        }
        assert_eq!(read.len(), page.len());
    }
    assert_eq!(stub.count(), 4);
}
