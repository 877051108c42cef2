//! The older API of www.inaturalist.org, map tiles, and the page that says what there is.

use crate::client::{bearer, get, get_with, send};
use inat_sandbox::{Config, Sandbox};
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    Sandbox::start(Config { observations: 4_000, ..Config::default() }).unwrap()
}

#[test]
fn a_list_in_every_format() {
    let sandbox = sandbox();
    for (format, kind, start) in [
        ("json", "application/json", "[{"),
        ("csv", "text/csv", "scientific_name,"),
        ("atom", "application/atom+xml", "<?xml"),
        ("kml", "application/vnd.google-earth.kml+xml", "<?xml"),
        ("dwc", "application/xml", "<?xml"),
        ("widget", "text/javascript", "try {"),
    ] {
        let reply = get(sandbox.addr(), &format!("/observations.{format}?taxon_id=48662&per_page=5"));
        assert_eq!(reply.status, 200, "{format}");
        assert!(reply.header("content-type").unwrap().starts_with(kind), "{format}");
        assert!(reply.text().starts_with(start), "{format}: {}", reply.text());
        assert_eq!(reply.header("x-per-page"), Some("5"));
        assert!(reply.header("x-total-entries").unwrap().parse::<u64>().unwrap() > 5);
    }
    let rows = get(sandbox.addr(), "/observations.csv?per_page=7").text();
    assert_eq!(rows.lines().count(), 8);
    assert_eq!(get(sandbox.addr(), "/observations.xlsx").status, 404);
}

#[test]
fn far_pages_want_a_login() {
    let sandbox = sandbox();
    assert_eq!(get(sandbox.addr(), "/observations.json?page=100").status, 200);
    let turned_away = get(sandbox.addr(), "/observations.json?page=101");
    assert_eq!((turned_away.status, turned_away.header("location")), (302, Some("/login")));
    assert_eq!(get_with(sandbox.addr(), "/observations.json?page=101", &[("Authorization", &bearer(1))]).status, 200);
}

#[test]
fn writing_the_older_way_with_an_oauth_token() {
    let sandbox = sandbox();
    let ask = |method: &str, target: &str, body: Value| {
        let headers = [("Authorization", "Bearer sandbox-access-7"), ("Content-Type", "application/json")];
        send(sandbox.addr(), method, target, &headers, body.to_string().as_bytes())
    };
    let made = ask(
        "POST",
        "/observations.json",
        json!({ "observation": { "species_guess": "Pieris rapae", "latitude": 37.0, "longitude": -122.0 } }),
    );
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json();
    assert_eq!((&made[0]["user_id"], &made[0]["latitude"]), (&json!(7), &json!("37.000000")));
    let target = format!("/observations/{}.json", made[0]["id"]);
    assert_eq!(
        ask("PUT", &target, json!({ "observation": { "description": "white" } })).json()[0]["description"],
        "white"
    );
    assert_eq!(get(sandbox.addr(), &target).json()["species_guess"], "Pieris rapae");
    let field = json!({ "observation_field_value": { "observation_id": made[0]["id"], "observation_field_id": 5, "value": "resting" } });
    assert_eq!(ask("POST", "/observation_field_values.json", field).json()["value"], "resting");
    let future = ask("POST", "/observations.json", json!({ "observation": { "observed_on_string": "2999-01-01" } }));
    assert_eq!((future.status, future.json()), (422, json!({ "errors": [["Observed on can't be in the future"]] })));
    assert_eq!(ask("DELETE", &target, json!({})).status, 200);
    assert_eq!(get(sandbox.addr(), &target).status, 410, "gone, not unknown");
    assert_eq!(get(sandbox.addr(), "/observations/1.json").status, 404);
    // The same token is none to the API proper.
    assert_eq!(ask("POST", "/v1/observations", json!({ "observation": {} })).status, 401);
}

#[test]
fn observation_fields_come_in_pages_of_thirty() {
    let sandbox = sandbox();
    let length = |page: u32| {
        get(sandbox.addr(), &format!("/observation_fields.json?page={page}")).json().as_array().unwrap().len()
    };
    assert_eq!((length(1), length(2), length(3)), (30, 3, 0));
    assert_eq!(get(sandbox.addr(), "/observation_fields.json?q=host").json()[0]["name"], "Host plant");
}

#[test]
fn tiles() {
    let sandbox = sandbox();
    for style in ["grid", "points", "heatmap", "colored_heatmap"] {
        let tile = get(sandbox.addr(), &format!("/v1/{style}/1/0/0.png"));
        assert_eq!((tile.status, tile.header("content-type")), (200, Some("image/png")), "{style}");
        assert_eq!(tile.header("cache-control"), Some("public, max-age=3600"));
        assert_eq!(&tile.body[..8], b"\x89PNG\r\n\x1a\n");
        let etag = tile.header("etag").unwrap();
        assert_eq!(get_with(sandbox.addr(), &format!("/v1/{style}/1/0/0.png"), &[("If-None-Match", etag)]).status, 304);
    }
    let grid = get(sandbox.addr(), "/v2/grid/1/0/0.grid.json?taxon_id=48662").json();
    assert_eq!((grid["grid"].as_array().unwrap().len(), grid["keys"][0].as_str()), (64, Some("")));
    assert!(!grid["data"].as_object().unwrap().is_empty());
    assert_eq!(get(sandbox.addr(), "/v1/summary/1/0/0.png").header("cache-control"), Some("public, max-age=86400"));
    assert_eq!(get(sandbox.addr(), "/v1/taxon_places/3/1/0/0.png").header("cache-control"), Some("public, max-age=30"));
    assert_eq!(get(sandbox.addr(), "/v1/grid/1/7/0.png").status, 422);
    assert_eq!(get(sandbox.addr(), "/v1/grid/1/0/0.svg").status, 404);
    assert_eq!(get(sandbox.addr(), "/v1/points/1/0/0.png?taxon_id=999999999").status, 422);
}

#[test]
fn the_front_page_says_what_there_is() {
    let sandbox = sandbox();
    let page = get(sandbox.addr(), "/").text();
    for word in
        ["4000 made-up observations", "X-Sandbox-Fault", "429-date", "cut-chunked", "/__sandbox/", "maintenance"]
    {
        assert!(page.contains(word), "{word}: {page}");
    }
}
