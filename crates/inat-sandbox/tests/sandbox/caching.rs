//! Validators, lifetimes, compression, and the caches in front of and behind the origin.

use std::time::Duration;

use crate::client::{bearer, get, get_with, gunzip, send};
use inat_sandbox::{Cdn, Config, Sandbox};

fn sandbox() -> Sandbox {
    Sandbox::start(Config { observations: 1_000, ..Config::default() }).unwrap()
}

#[test]
fn cache_control_per_endpoint() {
    let sandbox = sandbox();
    let id = sandbox.observation_ids()[0];
    let no_store = Some("private, no-cache, no-store");
    let table = [
        (format!("/v1/observations/{id}"), no_store),
        ("/v1/ping".into(), no_store),
        ("/v1/taxa/autocomplete?q=d".into(), Some("public, max-age=120")),
        ("/v1/search?q=d".into(), Some("public, max-age=120")),
        ("/v1/observations".into(), Some("public, max-age=300")),
        ("/v1/taxa".into(), Some("public, max-age=300")),
        ("/v1/places/autocomplete?q=c".into(), Some("public, max-age=300")),
        ("/v1/projects/autocomplete?q=c".into(), Some("public, max-age=300")),
        ("/v1/observations/species_counts?verifiable=true".into(), Some("public, max-age=7200")),
        ("/v1/observations/species_counts?place_id=14".into(), Some("public, max-age=300")),
        ("/v2/observations/species_counts".into(), Some("public, max-age=300")),
        ("/v2/projects".into(), Some("public, max-age=300")),
        ("/v1/taxa/lifelist_metadata".into(), Some("public, max-age=300")),
        ("/v1/identifications/species_counts".into(), Some("public, max-age=300")),
        ("/v1/observations/taxa_counts_by_month".into(), Some("public, max-age=7200")),
        ("/v2/taxon_id_summaries".into(), Some("public, max-age=300")),
        ("/v1/taxa/3".into(), None),
        ("/v1/places/14".into(), None),
        ("/v1/projects/101".into(), None),
        ("/v1/projects".into(), None),
        ("/v1/users/1".into(), None),
        ("/v1/identifications".into(), None),
        ("/v1/controlled_terms".into(), None),
        ("/v1/observations/histogram".into(), None),
        ("/v1/observations?taxon_id=999999".into(), None),
        // `ttl` goes first, with its oddities.
        ("/v1/observations?ttl=-1".into(), Some("public, max-age=-1")),
        ("/v2/observations?ttl=-1".into(), no_store),
        ("/v1/observations?ttl=0".into(), None),
        ("/v1/taxa/3?ttl=60".into(), Some("public, max-age=60")),
    ];
    for (target, expected) in table {
        let reply = get(sandbox.addr(), &target);
        assert_eq!(reply.header("cache-control"), expected, "{target}");
        assert_eq!(reply.header("vary"), Some("Accept-Encoding"), "{target}");
        assert!(reply.header("last-modified").is_none());
    }
}

#[test]
fn a_known_etag_gives_304() {
    let sandbox = sandbox();
    let id = sandbox.observation_ids()[0];
    for target in
        ["/v1/taxa/48662".to_owned(), format!("/v1/observations/{id}"), "/v1/observations?per_page=3".to_owned()]
    {
        let first = get(sandbox.addr(), &target);
        let etag = first.header("etag").unwrap().to_owned();
        let (length, digest) =
            etag.strip_prefix("W/\"").and_then(|etag| etag.strip_suffix('"')?.split_once('-')).unwrap();
        assert_eq!((usize::from_str_radix(length, 16), digest.len()), (Ok(first.body.len()), 27), "{etag}");

        let again = get_with(sandbox.addr(), &target, &[("If-None-Match", &etag), ("Cache-Control", "max-age=0")]);
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(etag.as_str())), "{target}");
        assert!(again.header("content-type").is_none() && again.header("content-length").is_none());
        assert_eq!(again.header("cache-control"), first.header("cache-control"));
        let forced = get_with(sandbox.addr(), &target, &[("If-None-Match", &etag), ("Cache-Control", "no-cache")]);
        assert_eq!((forced.status, forced.body), (200, first.body));
        assert_eq!(get_with(sandbox.addr(), &target, &[("If-None-Match", "W/\"1-x\"")]).status, 200);
    }
}

#[test]
fn gzip_where_it_is_accepted() {
    let sandbox = sandbox();
    let plain = get(sandbox.addr(), "/v1/taxa");
    let packed = get_with(sandbox.addr(), "/v1/taxa", &[("Accept-Encoding", "gzip")]);
    assert_eq!(
        (packed.header("content-encoding"), packed.header("transfer-encoding")),
        (Some("gzip"), Some("chunked"))
    );
    assert_eq!(gunzip(&packed.body).unwrap(), plain.body);
    assert_eq!(packed.header("etag"), plain.header("etag"));
    let small = get_with(sandbox.addr(), "/v1/ping", &[("Accept-Encoding", "gzip")]);
    assert_eq!(small.header("content-encoding"), None);
}

#[test]
fn head_and_options() {
    let sandbox = sandbox();
    let whole = get(sandbox.addr(), "/v1/taxa/3");
    let head = send(sandbox.addr(), "HEAD", "/v1/taxa/3", &[], b"");
    assert_eq!((head.status, head.header("etag")), (200, whole.header("etag")));
    assert_eq!(head.header("content-length"), Some(whole.body.len().to_string().as_str()));
    let options = send(sandbox.addr(), "OPTIONS", "/v1/observations", &[], b"");
    assert_eq!(options.status, 200);
    assert!(options.header("access-control-allow-methods").unwrap().contains("POST"));
}

#[test]
fn the_cdn_keeps_replies_by_exact_url() {
    let sandbox = Sandbox::start(Config { cdn: Some(Cdn::default()), observations: 500, ..Config::default() }).unwrap();
    let state = |target: &str, headers: &[(&str, &str)]| {
        get_with(sandbox.addr(), target, headers).header("x-cache").map(str::to_owned)
    };
    let id = sandbox.observation_ids()[0];
    let target = format!("/v1/projects/101?x={id}");
    assert_eq!(state(&target, &[]).as_deref(), Some("MISS"));
    sandbox.advance(Duration::from_secs(100));
    let hit = get(sandbox.addr(), &target);
    assert_eq!((hit.header("x-cache"), hit.header("age")), (Some("HIT"), Some("100")));
    assert_eq!(
        state(&target, &[("Cache-Control", "no-cache")]).as_deref(),
        Some("HIT"),
        "a request's no-cache is ignored"
    );
    let etag = hit.header("etag").unwrap().to_owned();
    assert_eq!(get_with(sandbox.addr(), &target, &[("If-None-Match", &etag)]).status, 304);
    assert_eq!(state(&target, &[("Authorization", &bearer(1))]), None, "signed-in requests pass");
    assert_eq!(state(&format!("{target}&v=1"), &[]).as_deref(), Some("MISS"));
    sandbox.advance(Duration::from_secs(20));
    assert_eq!(state(&target, &[]).as_deref(), Some("MISS"), "120 s are over");
    // A first request that has the reply already still fills the cache with the whole of it.
    let other = "/v1/projects/102";
    let known = get_with(sandbox.addr(), other, &[("Authorization", &bearer(1))]).header("etag").unwrap().to_owned();
    assert_eq!(get_with(sandbox.addr(), other, &[("If-None-Match", &known)]).status, 304);
    assert_eq!(get(sandbox.addr(), other).json()["total_results"], 1);

    let observation = format!("/v1/observations/{id}");
    assert_eq!(state(&observation, &[]).as_deref(), Some("MISS"));
    assert_eq!(state(&observation, &[]).as_deref(), Some("MISS"), "no-store is not stored");
}

#[test]
fn the_cdn_keeps_a_cut_body_like_any_other() {
    let sandbox = Sandbox::start(Config { cdn: Some(Cdn::default()), observations: 10, ..Config::default() }).unwrap();
    sandbox.script("/v1/taxa", [inat_sandbox::Fault::CutBody]);
    let first = get(sandbox.addr(), "/v1/taxa");
    let second = get(sandbox.addr(), "/v1/taxa");
    assert_eq!((first.body == second.body, second.header("x-cache")), (true, Some("HIT")));
    assert!(serde_json::from_slice::<serde_json::Value>(&second.body).is_err());
    get(sandbox.addr(), "/v1/taxa?v=1").json();
}

#[test]
fn the_hidden_cache_outlives_ttl_but_not_v() {
    let sandbox = Sandbox::start(Config { hidden_cache: true, observations: 100, ..Config::default() }).unwrap();
    let total = |query: &str| {
        get(sandbox.addr(), &format!("/v1/observations?per_page=0{query}")).json()["total_results"].as_u64()
    };
    assert_eq!(total(""), Some(100));
    sandbox.add_observation(1, 48662);
    assert_eq!(total("&ttl=-1"), Some(100));
    assert_eq!(total("&ttl=-1&v=1"), Some(101));
    sandbox.advance(Duration::from_secs(3_600));
    assert_eq!(total(""), Some(101));
}

#[test]
fn media_have_strong_validators_and_ranges() {
    let sandbox = sandbox();
    let photo = get(sandbox.addr(), "/v1/observations?per_page=1").json()["results"][0]["photos"][0]["url"].clone();
    let target = photo.as_str().unwrap().strip_prefix(sandbox.url()).unwrap().replace("square", "medium");
    let whole = get(sandbox.addr(), &target);
    assert_eq!((whole.status, whole.header("content-type")), (200, Some("image/jpeg")));
    assert!(whole.body.starts_with(b"\xff\xd8\xff") && whole.body.ends_with(b"\xff\xd9") && whole.body.len() > 40_000);
    let etag = whole.header("etag").unwrap().to_owned();
    assert!(etag.starts_with('"'));
    let modified = whole.header("last-modified").unwrap().to_owned();
    for known in [etag.as_str(), modified.as_str()] {
        let part = get_with(sandbox.addr(), &target, &[("Range", "bytes=1000-"), ("If-Range", known)]);
        assert_eq!((part.status, &part.body[..]), (206, &whole.body[1000..]));
        assert_eq!(
            part.header("content-range"),
            Some(format!("bytes 1000-{}/{}", whole.body.len() - 1, whole.body.len()).as_str())
        );
    }
    assert_eq!(get_with(sandbox.addr(), &target, &[("Range", "bytes=5-"), ("If-Range", "\"old\"")]).status, 200);
    assert_eq!(get_with(sandbox.addr(), &target, &[("Range", "bytes=9999999-")]).status, 416);
    assert_eq!(get_with(sandbox.addr(), &target, &[("If-None-Match", &etag)]).status, 304);
    assert_eq!(get_with(sandbox.addr(), &target, &[("If-Modified-Since", &modified)]).status, 304);
    assert_eq!(get(sandbox.addr(), "/photos/1/huge.jpg").status, 403);
    assert_eq!(get(sandbox.addr(), "/sounds/5.wav").header("content-type"), Some("audio/x-wav"));
}

#[test]
fn helpers() {
    let sandbox = sandbox();
    assert_eq!(get(sandbox.addr(), "/__sandbox/bytes/100000").body.len(), 100_000);
    let json = get(sandbox.addr(), "/__sandbox/json/100000");
    assert!((80_000..140_000).contains(&json.body.len()), "{}", json.body.len());
    json.json();
    assert_eq!(get(sandbox.addr(), "/__sandbox/status/418").status, 418);
    assert_eq!(get(sandbox.addr(), "/__sandbox/status/9").status, 400);
    for (target, status, location) in [
        ("/__sandbox/redirect/v1/taxa?q=a", 302, "/v1/taxa?q=a"),
        ("/__sandbox/redirect/307/v1/taxa", 307, "/v1/taxa"),
        ("/__sandbox/redirect/http://127.0.0.1:9/x", 302, "http://127.0.0.1:9/x"),
        ("/__sandbox/redirect/http%3A%2F%2F127.0.0.1:9%2Fx%0d%0aA:b", 302, "http://127.0.0.1:9/xA:b"),
    ] {
        let reply = get(sandbox.addr(), target);
        assert_eq!((reply.status, reply.header("location")), (status, Some(location)));
    }
    let echo = send(sandbox.addr(), "PUT", "/__sandbox/echo?a=1", &[("X-Name", "value")], b"hello").json();
    assert_eq!(
        (&echo["method"], &echo["target"], &echo["body"]),
        (&"PUT".into(), &"/__sandbox/echo?a=1".into(), &"hello".into())
    );
    assert!(echo["headers"].as_array().unwrap().contains(&serde_json::json!(["X-Name", "value"])));
}
