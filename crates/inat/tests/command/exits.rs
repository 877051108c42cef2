//! Exit codes say what to do next.

use crate::home::{Home, Started, finish, sandbox};

#[cfg(unix)]
#[test]
fn an_interrupted_wait_hands_its_slot_back() {
    let (home, sandbox) = (Home::new(), sandbox());
    let url = sandbox.base_url();
    let once_an_hour = |target| ["get", target, "--rate", "1/h", "--max-wait", "none", "--base-url", &url];
    home.run(&once_an_hour("taxa/1")).ok();
    // The second asks for what the first was about to ask for, and has not to wait for it.
    for signal in ["-INT", "-TERM"] {
        let words = ["-v", "-o", "taxon.json", "--retries", "0"];
        let mut waiting = home.start(&[&once_an_hour("taxa/2")[..], &words].concat());
        let mut line = String::new();
        while !line.contains("slots of the hour") {
            assert!(!line.contains("another process"), "{line}");
            line = waiting.line().expect("it ended without waiting");
        }
        let budget = home.run(&["budget", "--json"]).ok().json();
        assert_eq!(budget[0]["reserved"], 1, "{budget}");
        waiting.signal(signal);
        let run = waiting.end();
        assert!(run.code == 130 && !run.err.contains("error"), "{run:?}");
        let budget = home.run(&["budget", "--json"]).ok().json();
        assert_eq!(budget[0]["reserved"], 0, "{budget}");
        assert!(!home.names().iter().any(|name| name.ends_with(".part")), "{:?}", home.names());
    }
}

#[test]
fn each_ending_has_its_code() {
    let table: &[(i32, &[&str])] = &[
        (0, &["get", "taxa", "q==monarch"]),
        (0, &["get", "taxa", "q==nothing-is-called-this"]),
        (0, &["help", "exit-codes"]),
        (0, &["--version"]),
        (2, &["get"]),
        (2, &["fetch", "taxa"]),
        (2, &["get", "taxa", "--frobnicate"]),
        (2, &["get", "taxa", "monarch"]),
        (2, &["get", "taxa", "q=monarch"]),
        (2, &["post", "observations", "a:={"]),
        (2, &["post", "observations", "a[=1"]),
        (2, &["get", "taxa", "rank==spezies"]),
        (2, &["get", "observations", "page==0"]),
        (2, &["get", "observations", "d1==someday"]),
        (2, &["get", "observations", "--ids", "1,x"]),
        (2, &["get", "observations", "--ids", ","]),
        (2, &["get", "taxa", "Bad Header:x"]),
        (2, &["request", "B AD", "taxa"]),
        (2, &["get", "http://[::1"]),
        (2, &["get", "https://example.org/elsewhere"]),
        (2, &["get", "taxa", "--refresh", "--offline"]),
        (2, &["get", "taxa", "--timeout", "soon"]),
        (2, &["get", "taxa", "--rate", "50"]),
        (2, &["get", "taxa", "--per-second", "-1"]),
        (2, &["get", "taxa", "--per-second", "nan"]),
        (2, &["get", "taxa", "--timeout", "0"]),
        (2, &["get", "taxa", "--backoff", "-1"]),
        (2, &["get", "taxa", "--sandbox", "--base-url", "http://127.0.0.1:1/"]),
        (2, &["post", "observation_photos", "@/no/such/photo.jpg"]),
        (3, &["get", "taxa", "--offline"]),
        (4, &["get", "http://sandbox.inat.localhost/__sandbox/status/422"]),
        (4, &["get", "taxa", "X-Sandbox-Fault:blocked"]),
        (5, &["get", "taxa", "X-Sandbox-Fault:503", "--retries", "0"]),
        (6, &["get", "taxa", "X-Sandbox-Fault:reset", "--retries", "0"]),
        (6, &["get", "taxa", "X-Sandbox-Fault:slow=20000", "--retries", "0", "--timeout", "200ms"]),
        (6, &["get", "taxa", "X-Sandbox-Fault:slow=20000", "--deadline", "200ms"]),
        (7, &["get", "users/me"]),
        (8, &["get", "taxa", "X-Sandbox-Fault:429=3600"]),
        (8, &["get", "taxa", "X-Sandbox-Fault:429=60", "--max-wait", "1s"]),
        (9, &["get", "taxa", "X-Sandbox-Fault:cut-body", "--retries", "0"]),
        (9, &["get", "taxa", "X-Sandbox-Fault:cut-length", "--retries", "0"]),
        (11, &["get", "taxa", "q==nothing-is-called-this", "--fail-empty"]),
    ];
    for (code, words) in table {
        let run = Home::new().command(words).env("INAT_SANDBOX", "1").output().unwrap();
        let text = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(*code), "{words:?}: {text}");
        if !matches!(code, 0 | 11) {
            assert!(text.contains("error:"), "{words:?}: {text}");
            // What clap says of the command line ends in advice of its own.
            assert!(text.contains("hint: ") || text.contains("--help"), "no advice for {words:?}: {text}");
        }
    }
}

#[test]
fn nobody_listens() {
    // Who has a port and does not listen there keeps everybody else from it too.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/v1/", socket.local_addr().unwrap());
    let run = Home::new().run(&["get", "taxa", "--base-url", &url, "--retries", "0"]);
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.err.contains("hint: ") && run.err.contains("--offline"), "{}", run.err);
}

#[test]
fn an_error_says_what_where_and_what_next() {
    let home = Home::new();
    let run = home.sandboxed(&["get", "users/me"]);
    assert_eq!(run.json()["status"], 401, "the body of an error is data");
    let lines: Vec<&str> = run.err.lines().collect();
    assert!(lines[0].starts_with("error: the server answered 401"), "{lines:?}");
    assert!(
        lines[1].starts_with("  at answer, GET http://sandbox.inat.localhost/v1/users/me, after 1 try"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("hint: ") && lines[2].contains("INAT_TOKEN"), "{lines:?}");
}

#[test]
fn offline_points_to_what_is_there() {
    let home = Home::new();
    home.sandboxed(&["get", "taxa", "q==monarch"]).ok();
    let run = home.sandboxed(&["get", "taxa", "q==danaus", "--offline"]);
    assert_eq!(run.code, 3);
    assert!(run.err.contains("1 similar answer is cached"), "{}", run.err);
    let pattern = run.err.split('"').nth(1).unwrap();
    assert_eq!(home.run(&["cache", "ls", pattern]).ok().out.lines().count(), 1);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let sandbox = sandbox();
    let home = Home::new();
    let url = format!("{}/__sandbox/json/3000000", sandbox.url());
    for layout in ["--raw", "--pretty", "--stream"] {
        let mut command = home.process(&["get", &url, layout, "X-Sandbox-Fault:slow=100"]);
        let run = Started::of(command.stdout(std::process::Stdio::piped())).unread().end().ok();
        assert!(!run.err.contains("error"), "{layout} {run:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_signal_is_130_and_leaves_nothing_half_done() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let sandbox = sandbox();
        let home = Home::new();
        let url = format!("{}/v1/taxa", sandbox.url());
        let waiting = home.start(&["get", &url, "X-Sandbox-Fault:slow=600000", "--timeout", "10m", "-o", "taxa.json"]);
        assert!(sandbox.wait_for("/v1/taxa", 1, crate::home::ENOUGH));
        assert!(home.names().iter().any(|name| name.ends_with(".part")));
        waiting.signal(signal);
        assert_eq!(waiting.end().code, 130, "{signal}");
        let names = home.names();
        assert!(!names.iter().any(|name| name.ends_with(".part") || name == "taxa.json"), "{signal}: {names:?}");
    }
}

#[test]
fn the_topics() {
    let home = Home::new();
    assert!(home.run(&["help", "exit-codes"]).ok().out.contains("130  interrupted"));
    assert!(home.run(&["exit-codes"]).ok().out.contains("--fail-empty"));
    for topic in ["exit-codes", "items"] {
        let told = home.run(&["help", topic]).ok().out;
        assert!(told.lines().count() < 40 && !told.contains("--cache-file"), "nothing but the topic: {told}");
    }
    assert!(home.run(&["help", "items"]).ok().out.contains("observation[species_guess]=Monarch"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.run(&["completions", shell]).ok().out.contains("force-refresh"), "{shell}");
    }
    assert!(home.run(&["man"]).ok().out.contains(".TH inat"));
    home.run(&["man", "--to", "."]).ok();
    assert!(home.names().iter().any(|name| name == "inat-get.1"), "{:?}", home.names());
}

#[test]
fn the_help_of_a_request() {
    let home = Home::new();
    let run = finish(home.command(&["get", "-h"]).env("INAT_MAX_STALE", "77d"));
    assert!(!run.out.contains("77d"), "help shows no values of the environment");
    insta::assert_snapshot!(home.run(&["get", "-h"]).ok().out);
}
