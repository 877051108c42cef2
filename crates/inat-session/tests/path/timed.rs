//! Time limits on real sockets: a server that is slow, silent, gone, or never was.

use std::time::Duration;

use inat_sandbox::{Config, Fault as Bad, Sandbox};
use inat_session::{Fault, Kind, Phase, Request, RequestTimeout, Session, SessionBuilder, blocking};

use crate::support::{nobody, secs, waits};

const TAXA: &str = "taxa/48662";
/// Passes while nothing comes.
const SHORT: Duration = Duration::from_millis(250);
/// Does not pass while something comes, even where the machine does much else.
const LONG: Duration = Duration::from_secs(3);

fn real(sandbox: &Sandbox) -> SessionBuilder {
    Session::builder()
        .base_url(&format!("{}/v1/", sandbox.url()))
        .cache_in_memory()
        .budget_in_memory()
        .unlimited()
        .backoff_factor(0.0)
        .backoff_jitter(0.0)
}

/// A server of which these things are to be feared, and a session that waits for it for so long.
fn with(faults: &[&str], timeout: Duration) -> (Sandbox, blocking::Session) {
    let sandbox = Sandbox::start(Config::default()).unwrap();
    sandbox.script("/v1/", faults.iter().map(|fault| fault.parse::<Bad>().unwrap()));
    let inat = waits(real(&sandbox).timeout(timeout).write_timeout(timeout));
    (sandbox, inat)
}

#[test]
fn a_silent_server_is_left_and_asked_again() {
    let (sandbox, inat) = with(&["slow=60000"], LONG);
    assert_eq!(inat.get(TAXA).unwrap().origin().attempts(), 2);
    assert_eq!(sandbox.count("/v1/taxa"), 2);
}

#[test]
fn silence_before_and_in_the_middle_of_an_answer() {
    for fault in ["slow=60000", "drip=50000"] {
        let (_sandbox, inat) = with(&[fault; 3], SHORT);
        let error = inat.send(Request::get(TAXA).retries(1)).unwrap_err();
        let Kind::Network(Fault::Timeout { phase: Phase::Reading, after }) = error.kind() else { panic!("{error:?}") };
        assert_eq!((*after, error.attempts()), (SHORT, 2));
        // The time for connecting is not added to it.
        assert!(
            error.elapsed() >= 2 * SHORT && error.elapsed() < RequestTimeout::CONNECT,
            "{fault} {:?}",
            error.elapsed()
        );
        assert_eq!(inat.cache().stats().unwrap().entries, 0);
    }
}

#[test]
fn a_write_is_given_its_own_time_and_sent_once() {
    let sandbox = Sandbox::start(Config::default()).unwrap();
    sandbox.script("/v1/", ["slow=700".parse::<Bad>().unwrap()]);
    let inat = waits(real(&sandbox).timeout(SHORT).write_timeout(secs(30)));
    let answer = inat.send(Request::post("observations").raise_for_status(false)).unwrap();
    assert_eq!(answer.origin().attempts(), 1);

    let (sandbox, inat) = with(&["slow=60000"], LONG);
    let error = inat.send(Request::post("observations")).unwrap_err();
    assert!(matches!(error.kind(), Kind::Network(Fault::Timeout { .. })), "{error:?}");
    assert_eq!(sandbox.count("/v1/"), 1);
}

#[test]
fn a_deadline_is_a_deadline_for_every_method() {
    for request in [Request::get(TAXA), Request::post("observations"), Request::get(TAXA).retries(0)] {
        let sandbox = Sandbox::start(Config::default()).unwrap();
        sandbox.script("/v1/", vec!["slow=60000".parse::<Bad>().unwrap(); 3]);
        let inat = waits(real(&sandbox));
        let error = inat.send(request.deadline(SHORT)).unwrap_err();
        assert!(matches!(error.kind(), Kind::Deadline(within) if *within == SHORT), "{error:?}");
        assert!(error.elapsed() >= SHORT && error.elapsed() < secs(15));
    }
}

#[test]
fn a_refused_connection_is_typed_and_retried() {
    let (_kept, closed) = nobody();
    let inat = waits(
        Session::builder()
            .base_url(&format!("http://{closed}/"))
            .cache_in_memory()
            .budget_in_memory()
            .unlimited()
            .backoff_factor(0.0),
    );
    for request in [Request::get("a"), Request::post("a")] {
        let error = inat.send(request).unwrap_err();
        assert!(matches!(error.kind(), Kind::Network(Fault::Connect(_))), "{error:?}");
        assert_eq!(error.attempts(), 6);
        assert!(error.is_transient() && error.hint().is_some());
    }
}

#[test]
fn a_host_that_does_not_exist() {
    let inat = waits(Session::builder().cache_in_memory().budget_in_memory().unlimited().max_retries(0));
    let error = inat.get("http://no-such-host.invalid/").unwrap_err();
    // Where those who should know the name say nothing at all, the time for connecting passes.
    let fits = match error.kind() {
        Kind::Network(Fault::Dns(_)) => true,
        Kind::Network(Fault::Timeout { phase, .. }) => *phase == Phase::Connecting,
        _ => false,
    };
    assert!(fits, "{error:?}");
}

#[test]
fn connections_that_break() {
    for fault in ["reset", "close", "cut-length", "cut-chunked", "cut-gzip", "reset-mid"] {
        let (sandbox, inat) = with(&[fault, fault], secs(30));
        let answer = inat.get(TAXA).unwrap();
        assert_eq!((answer.origin().attempts(), sandbox.count("/v1/taxa")), (3, 3), "{fault}");
        assert!(answer.text().unwrap().contains("Danaus plexippus"), "{fault}");

        let (sandbox, inat) = with(&[fault; 9], secs(30));
        let error = inat.get(TAXA).unwrap_err();
        let fits = match fault {
            "reset" | "close" => matches!(error.kind(), Kind::Network(Fault::Reset(_))),
            _ => matches!(error.kind(), Kind::Network(Fault::Truncated(_) | Fault::Reset(_)) | Kind::BadBody(_)),
        };
        assert!(fits, "{fault}: {error:?}");
        assert_eq!((sandbox.count("/v1/taxa"), inat.cache().stats().unwrap().entries), (6, 0), "{fault}");
    }
}

#[test]
fn json_cut_at_its_announced_length_is_noticed() {
    let (sandbox, inat) = with(&["cut-body"], secs(30));
    assert!(inat.get(TAXA).unwrap().text().unwrap().contains("Danaus plexippus"));
    assert_eq!(sandbox.count("/v1/taxa"), 2);
}

#[test]
fn answers_that_are_no_http() {
    for bytes in
        ["", "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\n", "HTTP/1.1 999999 No\r\n\r\n"]
    {
        let sandbox = Sandbox::start(Config::default()).unwrap();
        sandbox.script("/v1/taxa", vec![Bad::raw(bytes); 2]);
        let inat = waits(real(&sandbox));
        assert_eq!(inat.get(TAXA).unwrap().origin().attempts(), 3, "{bytes:?}");
        sandbox.script("/v1/taxa", [Bad::raw(bytes)]);
        let error = inat.send(Request::get("taxa/1").retries(0)).unwrap_err();
        assert!(matches!(error.kind(), Kind::Network(_)), "{error:?}");
    }
}

#[test]
fn gzip_is_undone_before_anything_is_kept() {
    let sandbox = Sandbox::start(Config::default()).unwrap();
    let inat = waits(real(&sandbox));
    let first = inat.get(TAXA).unwrap();
    let second = inat.get(TAXA).unwrap();
    assert!(second.is_from_cache());
    for answer in [first, second] {
        assert_eq!(answer.json::<serde_json::Value>().unwrap()["results"][0]["name"], "Danaus plexippus");
        assert_eq!(answer.header("content-encoding"), None);
    }
    let asked = sandbox.log();
    assert!(asked[0].header("accept-encoding").is_some_and(|accepts| accepts.contains("gzip")), "{asked:?}");
}

#[test]
fn a_lost_answer_to_a_create_is_repeated_only_on_the_callers_word() {
    let body = serde_json::json!({"observation": {"uuid": "6d7c2d5e-8a9e-4d0b-9a51-0d7ff4a1b001", "taxon_id": 48662}});
    for (vouched, sent) in [(false, 1), (true, 2)] {
        let sandbox = Sandbox::start(Config::default()).unwrap();
        sandbox.script("/v1/observations", ["lost".parse::<Bad>().unwrap()]);
        let inat = waits(real(&sandbox));
        let token = inat_session::Token::new(Sandbox::jwt(7, 3600));
        let mut request = Request::post("observations").json(&body).token(&token);
        if vouched {
            request = request.idempotent();
        }
        assert_eq!(inat.send(request).is_ok(), vouched);
        assert_eq!(sandbox.count("/v1/observations"), sent);
        assert!(sandbox.created_observations() <= 1, "an upsert on its uuid");
    }
}
