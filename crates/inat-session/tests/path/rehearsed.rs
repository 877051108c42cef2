//! Dry runs touch nothing, and say what they would do.

use std::time::Duration;

use inat_session::{Clock, Kind, Origin, Request, Session, Token, Upload};

use crate::support::{Actor, always, offline, part, scripted, secs, tell, waits};

#[test]
fn no_file_no_folder_no_request_no_slot() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, budget) = (folder.path().join("a/b/cache.db"), folder.path().join("c/budget.db"));
    let clock = Clock::manual();
    let script = always(&[]);
    let inat = waits(offline(script.clone(), &clock).cache_file(&cache).ratelimit_path(&budget));
    for request in [
        Request::get("taxa/1"),
        Request::post("observations").json(&serde_json::json!({"a": 1})),
        Request::put("photos").file(Upload::path(folder.path().join("not there.jpg"))),
        Request::post("photos").file(Upload::url("http://127.0.0.1:1/unreachable.jpg")),
        Request::delete("observations/1").refresh(),
        Request::get("taxa/1").only_if_cached(),
    ] {
        let dry = inat.send(request.clone().dry_run(true)).unwrap();
        assert!(matches!(dry.origin(), Origin::DryRun(_)));
        assert_eq!(dry.elapsed(), Duration::ZERO);
        inat.plan(request).unwrap();
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the folder is as empty as before");
    assert_eq!((script.seen().len(), clock.slept()), (0, Duration::ZERO));
}

#[test]
fn a_dry_run_still_says_what_is_wrong() {
    let (inat, _) = scripted(&always(&[]));
    let error = inat.send(Request::get("observations").query("page", 0).dry_run(true)).unwrap_err();
    assert!(matches!(error.kind(), Kind::Invalid(_)), "{error:?}");
}

#[test]
fn the_plan_knows_what_is_stored_and_what_is_spent() {
    let clock = Clock::manual();
    let script = always(&[("cache-control", "max-age=600")]);
    let inat = waits(offline(script.clone(), &clock).per_second(0.0).per_minute(1.0));
    let before = inat.plan(Request::get("taxa/1")).unwrap();
    assert_eq!(before.wait, Ok(Duration::ZERO));
    inat.get("taxa/1").unwrap();
    let entries = inat.cache().stats().unwrap();

    let hit = inat.plan(Request::get("taxa/1")).unwrap();
    assert!(hit.lookup.contains("find it: cached"), "{}", hit.lookup);
    assert_eq!(hit.wait, Ok(Duration::ZERO), "a hit does not wait");
    let miss = inat.plan(Request::get("taxa/2")).unwrap();
    assert!(miss.wait.as_ref().is_ok_and(|wait| *wait >= secs(55)), "{:?}", miss.wait);
    let write = inat.plan(Request::put("taxa/1")).unwrap();
    assert!(write.store.contains("api.inaturalist.org/v1/taxa/1"), "{}", write.store);
    assert_eq!((hit.retries, write.timeouts.send), (5, Some(secs(60))));
    assert_eq!((script.seen().len(), inat.cache().stats().unwrap()), (1, entries));
}

#[test]
fn the_command_line_of_a_plan_is_masked() {
    let (inat, _) = scripted(&always(&[]));
    let request = Request::post("https://api.inaturalist.org/v1/x?client_secret=S3CR3T")
        .token(&Token::new("S3CR3T"))
        .header("X-Api-Key", "S3CR3T")
        .json(&serde_json::json!({"Password": "S3CR3T", "it's": "fine"}));
    let plan = inat.plan(&request).unwrap();
    let texts =
        [plan.as_curl().to_owned(), plan.to_string(), format!("{plan:?}"), plan.headers.clone(), plan.url.clone()];
    for text in texts {
        assert!(!text.contains("S3CR3T"), "{text}");
    }
    assert!(plan.as_curl().starts_with("curl -X POST 'https://api.inaturalist.org/v1/x?client_secret=[REDACTED]'"));
    assert!(plan.as_curl().contains(r"it'\''s"), "{}", plan.as_curl());
}

#[test]
fn what_the_environment_says_the_request_may_overrule() {
    if part().is_some() {
        let script = always(&[]);
        let (inat, _) = scripted(&script);
        inat.send(Request::post("x")).unwrap();
        inat.send(Request::get("x")).unwrap();
        tell(&script.seen().len().to_string());
        inat.send(Request::post("x").dry_run(false)).unwrap();
        tell(&script.seen().len().to_string());
        return;
    }
    let name = "rehearsed::what_the_environment_says_the_request_may_overrule";
    let mut actor = Actor::start(name, "child", &[("DRY_RUN_WRITE_ONLY", "yes")]);
    assert_eq!((actor.told(), actor.told()), ("1".to_owned(), "2".to_owned()));
    actor.ends_well();
}

/// The session of the process keeps its files where `INAT_HOME` says, and is made once.
#[test]
fn the_local_session() {
    if let Some(url) = part() {
        let session = inat_session::blocking::local_session().unwrap();
        assert!(!inat_session::blocking::get(&url).unwrap().is_from_cache());
        assert!(inat_session::blocking::local_session().unwrap().get(&url).unwrap().is_from_cache());
        inat_session::blocking::put(&url, &serde_json::json!({})).unwrap();
        inat_session::blocking::post(&url, &serde_json::json!({})).unwrap();
        inat_session::blocking::delete(&url).unwrap();
        assert!(!session.get(&url).unwrap().is_from_cache());
        assert_eq!(inat_session::blocking::clear_cache().unwrap(), 1);
        let asynchronous = tokio::runtime::Runtime::new().unwrap();
        asynchronous.block_on(async {
            assert!(!inat_session::get(&url).await.unwrap().is_from_cache());
            assert!(inat_session::send(Request::get(url.as_str())).await.unwrap().is_from_cache());
            for answer in [
                inat_session::put(&url, &serde_json::json!({})).await,
                inat_session::post(&url, &serde_json::json!({})).await,
                inat_session::delete(&url).await,
            ] {
                assert_eq!(answer.unwrap().status(), 200);
            }
            assert_eq!(inat_session::clear_cache().unwrap(), 0);
        });
        tell("fine");
        return;
    }
    let sandbox = inat_sandbox::Sandbox::start(inat_sandbox::Config::handler(|_| {
        Some(inat_sandbox::Answer::json(&serde_json::json!({"results": []})))
    }))
    .unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut actor = Actor::start(
        "rehearsed::the_local_session",
        &format!("{}/v1/taxa/1", sandbox.url()),
        &[("INAT_HOME", &home.path().display().to_string())],
    );
    assert_eq!(actor.told(), "fine");
    actor.ends_well();
    for name in ["http.db", "budget.db"] {
        assert!(home.path().join(name).exists(), "{name}");
    }
    assert_eq!(Session::API, "https://api.inaturalist.org/v1/");
}
