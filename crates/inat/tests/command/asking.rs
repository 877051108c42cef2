//! What goes out, and what comes back.

use inat_sandbox::Sandbox;
use serde_json::json;

use crate::home::{Home, finish, sandbox};

#[test]
fn readme_the_second_answer_comes_from_the_cache() {
    let home = Home::new();
    let first = home.sandboxed(&["get", "taxa", "q==monarch"]).ok();
    let second = home.sandboxed(&["get", "taxa", "q==monarch"]).ok();
    assert!(first.err.starts_with("200 · from the sandbox in "), "{}", first.err);
    assert!(first.err.contains("good for 5 min"), "{}", first.err);
    assert!(second.err.starts_with("200 · from the cache, "), "{}", second.err);
    assert_eq!(first.out, second.out);
    assert!(first.json()["total_results"].as_u64().unwrap() > 0);
    assert!(!first.out.contains("127.0.0.1"), "an address of this run would be gone in the next");
}

#[test]
fn items_become_the_request() {
    let (home, sandbox) = (Home::new(), sandbox());
    let token = Sandbox::jwt(1, 3_600);
    let words = [
        "post",
        "observations",
        "observation[species_guess]=Monarch",
        "observation[latitude]:=36.60",
        "observation[tags][]=a",
        "locale==de",
        "X-Client:atlas",
    ];
    let run = finish(home.command(&words).env("INAT_TOKEN", &token).env("INAT_API_URL", sandbox.base_url())).ok();
    assert!(run.err.starts_with("200 · from 127.0.0.1"), "{}", run.err);
    let seen = sandbox.log().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/v1/observations?locale=de"));
    assert_eq!(seen.header("x-client"), Some("atlas"));
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {token}").as_str()));
    let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body, json!({"observation": {"species_guess": "Monarch", "latitude": 36.60, "tags": ["a"]}}));
}

#[test]
fn uploads_and_forms() {
    let (home, sandbox) = (Home::new(), sandbox());
    std::fs::write(home.file("photo.jpg"), b"\xff\xd8\xffphoto").unwrap();
    let id = sandbox.add_observation(1, 48662).to_string();
    let field = format!("observation_photo[observation_id]={id}");
    let words = ["post", "observation_photos", &field, "@photo.jpg", "--with-token"];
    let token = Sandbox::jwt(1, 3_600);
    finish(home.command(&words).env("INAT_API_URL", sandbox.base_url()).write_stdin(token)).ok();
    let uploads = sandbox.uploads();
    assert_eq!(uploads.len(), 1);
    home.at(&sandbox, &["post", "observations", "a[b]=1", "--form", "--retries", "0"]);
    let seen = sandbox.log().pop().unwrap();
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(&seen.body[..], b"a%5Bb%5D=1");
}

#[test]
fn a_body_goes_out_byte_for_byte() {
    let (home, sandbox) = (Home::new(), sandbox());
    let text = "{ \"a\" : 1.50 }";
    finish(home.command(&["put", "x", "--body", "-"]).env("INAT_API_URL", sandbox.base_url()).write_stdin(text));
    assert_eq!(&sandbox.log().pop().unwrap().body[..], text.as_bytes());
}

#[test]
fn ids_from_standard_input() {
    let (home, sandbox) = (Home::new(), sandbox());
    let ids: Vec<String> = sandbox.observation_ids().iter().take(3).map(ToString::to_string).collect();
    let mut command = home.command(&["get", "observations", "--ids", "-"]);
    let run = finish(command.env("INAT_API_URL", sandbox.base_url()).write_stdin(ids.join("\n"))).ok();
    assert_eq!(run.json()["total_results"], 3);
    assert_eq!(sandbox.count(&format!("/v1/observations/{}", ids.join(","))), 1);
}

#[test]
fn failures_are_tried_again_and_told() {
    let home = Home::new();
    let run = home.sandboxed(&["get", "taxa", "X-Sandbox-Fault:503*2", "--backoff", "0", "-v"]).ok();
    assert!(run.err.contains("at the 3rd try"), "{}", run.err);
    for stage in ["prepare ", "transport ", "retry ", "store "] {
        assert!(run.err.lines().any(|line| line.starts_with(stage)), "{stage}: {}", run.err);
    }
}

#[test]
fn a_dry_run_touches_nothing() {
    let (home, sandbox) = (Home::new(), sandbox());
    let words = ["post", "observations", "observation[species_guess]=Monarch"];
    for variable in ["INAT_DRY_RUN", "DRY_RUN_ENABLED", "DRY_RUN_WRITE_ONLY"] {
        let run = finish(home.command(&words).env("INAT_API_URL", sandbox.base_url()).env(variable, "1")).ok();
        assert!(run.err.starts_with("would POST") && run.err.contains("nothing was sent"), "{}", run.err);
        assert_eq!(run.out, "");
    }
    let run = home.at(&sandbox, &["get", "taxa", "q==a b", "--as-curl", "--newest"]).ok();
    let base = sandbox.base_url();
    assert!(run.out.starts_with(&format!("curl '{base}taxa?q=a+b'")) || run.out.contains("q=a%20b"), "{}", run.out);
    assert_eq!(sandbox.log().len(), 0);
    assert_eq!(home.names(), Vec::<String>::new());
}

#[test]
fn layouts() {
    let (home, sandbox) = (Home::new(), sandbox());
    let raw = home.at(&sandbox, &["get", "taxa/48662"]).ok();
    assert_eq!(raw.out.lines().count(), 1);
    let pretty = home.at(&sandbox, &["get", "taxa/48662", "--pretty"]).ok();
    assert!(pretty.out.starts_with("{\n  \"total_results\": 1,\n"), "{}", pretty.out);
    assert_eq!(pretty.json(), raw.json());
    let colored = home.at(&sandbox, &["get", "taxa/48662", "--pretty", "--color", "always"]).ok();
    assert!(colored.out.contains("\x1b["));
    let quiet = home.at(&sandbox, &["get", "taxa/48662", "-q"]).ok();
    assert_eq!((quiet.out, quiet.err.as_str()), (raw.out, ""));
}

#[test]
fn heads_and_redirects() {
    let (home, sandbox) = (Home::new(), sandbox());
    let head = home.at(&sandbox, &["head", "taxa/48662"]).ok();
    assert!(head.out.starts_with("HTTP/1.1 200 OK\n") && head.out.contains("\netag: W/"), "{}", head.out);
    let url = format!("{}/__sandbox/redirect/v1/taxa/48662", sandbox.url());
    let here = home.at(&sandbox, &["get", &url]).ok();
    assert!(here.err.starts_with("30") && here.err.contains("--follow"), "{}", here.err);
    let there = home.at(&sandbox, &["get", &url, "--follow"]).ok();
    assert!(there.err.contains("after 1 redirect"), "{}", there.err);
}

#[test]
fn a_sandbox_for_others() {
    let home = Home::new();
    let mut sandbox = home.start(&["sandbox", "--listen", "127.0.0.1:0", "--faults", "503@1"]);
    let line = sandbox.line().unwrap();
    let base = line.split_whitespace().skip_while(|word| *word != "--base-url").nth(1).unwrap();
    let run = home.run(&["get", "taxa", "--base-url", base, "--retries", "0"]);
    assert_eq!(run.code, 5, "{run:?}");
    assert_eq!(home.run(&["sandbox", "--faults", "no-such-fault@1"]).code, 2);
}

/// What goes to this machine, the sandbox among it, passes no proxy: a token may go there in clear text, and nowhere else.
#[test]
fn no_proxy_stands_between_this_machine_and_itself() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let (home, sandbox) = (Home::new(), sandbox());
    for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        crate::home::finish(home.command(&["get", "taxa", "q==px"]).env("INAT_SANDBOX", "1").env(name, &url)).ok();
        let base = sandbox.base_url();
        crate::home::finish(
            home.command(&["get", "taxa", "q==px", "--force-refresh"]).env("INAT_API_URL", base).env(name, &url),
        )
        .ok();
    }
    assert!(proxy.accept().is_err(), "nobody came");
}

#[test]
fn the_fields_of_a_head_go_where_the_body_would() {
    let (home, sandbox) = (Home::new(), sandbox());
    let run = home.at(&sandbox, &["head", "taxa/48662", "-o", "head.txt"]).ok();
    assert_eq!(run.out, "");
    assert!(std::fs::read_to_string(home.file("head.txt")).unwrap().contains("content-type: application/json"));
}

#[test]
fn what_is_no_url_shows_no_password() {
    let home = Home::new();
    for words in [&["get", "taxa"][..], &["config", "list"]] {
        let run = crate::home::finish(home.command(words).env("INAT_API_URL", "http://u:s3cret@[bad/"));
        assert!(!format!("{}{}", run.out, run.err).contains("s3cret"), "{run:?}");
    }
}
