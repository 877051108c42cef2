//! The API's routes, limits, texts and traps.

use crate::client::{bearer, get, get_with, send};
use inat_sandbox::{Config, Sandbox};
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    Sandbox::start(Config { observations: 12_000, ..Config::default() }).unwrap()
}

fn ids(reply: &crate::client::Reply) -> Vec<u64> {
    reply.json()["results"].as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()).collect()
}

#[test]
fn the_monarch_is_found_in_every_way() {
    let sandbox = sandbox();
    for target in [
        "/v1/taxa?q=monarch",
        "/v1/taxa/autocomplete?q=monarch",
        "/v1/taxa/48662",
        "/v2/taxa?q=Danaus%20plexippus&fields=all",
        "/v2/taxa/48662?fields=id,name,preferred_common_name",
    ] {
        let reply = get(sandbox.addr(), target);
        assert_eq!(reply.status, 200, "{target}");
        let first = reply.json()["results"][0].clone();
        assert_eq!(
            (&first["id"], &first["name"], &first["preferred_common_name"]),
            (&json!(48662), &json!("Danaus plexippus"), &json!("Monarch"))
        );
    }
    let found = get(sandbox.addr(), "/v1/observations?taxon_id=48662&per_page=1").json();
    assert!(found["total_results"].as_u64().unwrap() > 10);
    assert_eq!(found["results"][0]["taxon"]["preferred_common_name"], "Monarch");
}

#[test]
fn listings_have_their_defaults_and_maxima() {
    let sandbox = sandbox();
    for (target, default, most) in [
        ("/v1/observations?", 30, 200),
        ("/v1/taxa?", 30, 500),
        ("/v1/identifications?", 30, 200),
        ("/v1/observations/species_counts?", 500, 500),
        ("/v1/observations/observers?", 500, 500),
        ("/v1/observations/identifiers?", 500, 500),
        ("/v1/projects?", 10, 300),
        ("/v1/places/autocomplete?q=", 10, 20),
        ("/v1/taxa/autocomplete?q=a", 10, 30),
        ("/v1/search?q=c", 30, 100),
        ("/v1/users/autocomplete?q=m", 5, 100),
    ] {
        assert_eq!(get(sandbox.addr(), target).json()["per_page"], default, "{target}");
        let greedy = get(sandbox.addr(), &format!("{target}&per_page=9999")).json();
        assert_eq!(greedy["per_page"], most, "{target}");
        assert!(greedy["results"].as_array().unwrap().len() <= most, "{target}");
    }
    let none = get(sandbox.addr(), "/v1/observations?per_page=0").json();
    assert_eq!((none["total_results"].as_u64(), none["results"].as_array().map(Vec::len)), (Some(12_000), Some(0)));
}

#[test]
fn the_window_ends_at_ten_thousand() {
    let sandbox = sandbox();
    assert_eq!(get(sandbox.addr(), "/v1/observations?page=50&per_page=200&only_id=true").status, 200);
    let v1 = get(sandbox.addr(), "/v1/observations?page=51&per_page=200");
    assert_eq!(v1.status, 403);
    assert!(v1.json()["error"].as_str().unwrap().starts_with("Result window is too large"));
    let v2 = get(sandbox.addr(), "/v2/observations?page=51&per_page=200");
    assert_eq!(v2.status, 500);
    let v2 = v2.json();
    assert_eq!(v2["status"], "500");
    assert!(v2["errors"][0]["message"].as_str().unwrap().starts_with("Result window is too large"));
    assert_eq!(get(sandbox.addr(), "/v1/observations?page=0").status, 500);
    assert_eq!(get(sandbox.addr(), "/v1/observations?page=-3").status, 500);
    assert_eq!(get(sandbox.addr(), "/v1/observations?page=99999999999999999&per_page=200").status, 403);
}

#[test]
fn id_above_walks_through_everything_once() {
    let sandbox = sandbox();
    let (mut seen, mut above) = (Vec::new(), 0);
    loop {
        let target = format!("/v1/observations?order_by=id&order=asc&id_above={above}&per_page=200&only_id=true");
        let reply = get(sandbox.addr(), &target);
        let page = ids(&reply);
        assert_eq!(reply.json()["total_results"], 12_000 - seen.len());
        let Some(last) = page.last() else { break };
        above = *last;
        seen.extend(page);
    }
    assert_eq!(seen, sandbox.observation_ids());
    assert_eq!(seen.len(), 12_000);
    let below = get(sandbox.addr(), &format!("/v1/observations?only_id=true&id_below={}", seen[3]));
    assert_eq!(ids(&below), [seen[2], seen[1], seen[0]]);
}

#[test]
fn ids_in_the_path_have_limits_of_their_own() {
    let sandbox = sandbox();
    let all = sandbox.observation_ids();
    let path = |count: usize| all[..count].iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let status = |target: String| get(sandbox.addr(), &target).status;
    assert_eq!(status(format!("/v1/observations/{}", path(30))), 200);
    let many = get(sandbox.addr(), &format!("/v1/observations/{}", path(31)));
    assert_eq!((many.status, &many.json()["error"]), (422, &json!("Too many IDs")));
    assert_eq!(ids(&get(sandbox.addr(), &format!("/v1/observations/{}?per_page=200", path(200)))).len(), 200);
    assert_eq!(status(format!("/v1/observations/{}?per_page=200", path(201))), 422);

    let taxa = |count: u64| (1..=count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(ids(&get(sandbox.addr(), &format!("/v1/taxa/{}", taxa(30)))).len(), 30);
    assert_eq!(status(format!("/v1/taxa/{}", taxa(31))), 422);
    assert_eq!(ids(&get(sandbox.addr(), "/v1/taxa/1,2,3")), [1, 2, 3]);

    let listed = get(sandbox.addr(), "/v1/identifications?per_page=40");
    let path = ids(&listed).iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let shown = get(sandbox.addr(), &format!("/v1/identifications/{path}"));
    assert_eq!((shown.status, ids(&shown).len()), (200, 30));

    let projects = |count: u64| (101..101 + count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(status(format!("/v1/projects/{}", projects(31))), 422);
    assert_eq!(ids(&get(sandbox.addr(), &format!("/v1/projects/{}?per_page=100", projects(100)))).len(), 100);
    assert_eq!(status(format!("/v1/projects/{}?per_page=200", projects(101))), 422);
}

#[test]
fn v2_wants_uuids_and_drops_the_excess() {
    let sandbox = sandbox();
    let mut uuids = Vec::new();
    for page in [1, 2] {
        let listed = get(sandbox.addr(), &format!("/v2/observations?per_page=150&page={page}")).json();
        for one in listed["results"].as_array().unwrap() {
            assert_eq!(one.as_object().unwrap().len(), 1, "only the uuid: {one}");
            uuids.push(one["uuid"].as_str().unwrap().to_owned());
        }
    }
    let shown = get(sandbox.addr(), &format!("/v2/observations/{}?fields=id,user.login", uuids.join(","))).json();
    let results = shown["results"].as_array().unwrap();
    assert_eq!(results.len(), 200);
    assert_eq!(results[0]["uuid"], uuids[0].as_str());
    assert!(results[0]["user"]["login"].is_string() && results[0].get("taxon").is_none());
    let missing = get(sandbox.addr(), "/v2/observations/00000000-0000-4000-8000-000000000000");
    assert_eq!((missing.status, &missing.json()["results"]), (404, &json!([])));
    assert_eq!(get(sandbox.addr(), "/v2/observations/123").status, 422);
    assert_eq!(get(sandbox.addr(), "/v2/identifications").status, 404);
}

#[test]
fn a_long_query_may_come_as_a_post() {
    let sandbox = sandbox();
    let headers = [("X-HTTP-Method-Override", "GET"), ("Content-Type", "application/json")];
    let body =
        json!({ "taxon_id": [48662], "per_page": 2, "fields": { "id": true, "taxon": { "name": true } } }).to_string();
    let reply = send(sandbox.addr(), "POST", "/v2/observations", &headers, body.as_bytes());
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("public, max-age=300")));
    let results = reply.json()["results"].clone();
    assert_eq!(results.as_array().unwrap().len(), 2);
    assert_eq!(results[0]["taxon"], json!({ "id": 48662, "name": "Danaus plexippus" }));
    let rison = get(sandbox.addr(), "/v2/observations?taxon_id=48662&per_page=2&fields=(id:!t,taxon:(name:!t))");
    assert_eq!(rison.json()["results"], results);
    assert_eq!(send(sandbox.addr(), "POST", "/v2/observations", &headers, b"").status, 422);
}

#[test]
fn errors_have_the_words_of_their_version() {
    let sandbox = sandbox();
    for name in ["taxon_id", "place_id", "project_id", "user_id"] {
        let v1 = get(sandbox.addr(), &format!("/v1/observations?{name}=999999999"));
        assert_eq!(
            (v1.status, v1.json()),
            (422, json!({ "error": format!("Unknown {name} 999999999"), "status": 422 }))
        );
        let v2 = get(sandbox.addr(), &format!("/v2/observations?{name}=999999999"));
        let expected = json!({ "status": "422", "errors": [{ "errorCode": "422", "message": format!("Unknown {name} 999999999") }] });
        assert_eq!((v2.status, v2.json()), (422, expected));
    }
    let missing = get(sandbox.addr(), "/v1/observations/1");
    assert_eq!((missing.status, &missing.json()["results"]), (200, &json!([])));
    assert_eq!(get(sandbox.addr(), "/v1/users/999999").status, 404);
    let route = get(sandbox.addr(), "/v1/no/such<route>");
    assert_eq!((route.status, route.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(route.text().contains("Cannot GET /v1/no/such&lt;route&gt;"));
    let v1 = get(sandbox.addr(), "/v1/users/me");
    assert_eq!((v1.status, v1.json()), (401, json!({ "error": "Unauthorized", "status": 401 })));
    let v2 = get(sandbox.addr(), "/v2/users/me");
    assert_eq!((v2.status, &v2.json()["errors"][0]["message"]), (401, &json!("JWT is missing or invalid")));
}

#[test]
fn answers_differ_by_identity() {
    let sandbox = sandbox();
    for user in [1, 42, 2_115_051] {
        let me = get_with(sandbox.addr(), "/v1/users/me", &[("Authorization", &bearer(user))]).json();
        assert_eq!(me["results"][0]["id"], user);
    }
    let target = "/v1/observations?geoprivacy=obscured&per_page=3";
    let private = |headers: &[(&str, &str)]| {
        let reply = get_with(sandbox.addr(), target, headers);
        assert_eq!(reply.status, 200);
        reply.json()["results"].as_array().unwrap().iter().filter(|one| one.get("private_location").is_some()).count()
    };
    let expired = format!("Bearer {}", Sandbox::jwt(1, -10));
    assert_eq!(private(&[("Authorization", &bearer(1))]), 3);
    assert_eq!(private(&[]), 0);
    assert_eq!(private(&[("Authorization", &bearer(999_999))]), 0);
    assert_eq!(private(&[("Authorization", &expired)]), 0, "an expired token is ignored in silence");
    assert_eq!(get_with(sandbox.addr(), "/v1/users/me", &[("Authorization", &expired)]).status, 401);
    let bare = Sandbox::jwt(7, 60);
    assert_eq!(get_with(sandbox.addr(), "/v1/users/me", &[("Authorization", &bare)]).status, 200);
}

#[test]
fn filters_and_counts_agree() {
    let sandbox = sandbox();
    let total = |query: &str| {
        get(sandbox.addr(), &format!("/v1/observations?per_page=0&{query}")).json()["total_results"].as_u64().unwrap()
    };
    let all = total("");
    let grades: u64 =
        ["research", "needs_id", "casual"].iter().map(|grade| total(&format!("quality_grade={grade}"))).sum();
    assert_eq!(grades, all);
    assert_eq!(total("photos=true") + total("photos=false"), all);
    assert_eq!(total("taxon_id=1") + total("without_taxon_id=1"), all);
    assert_eq!(total("d2=2019-12-31") + total("d1=2020-01-01"), all);
    assert!(total("place_id=14") > 0 && total("place_id=14") < total("place_id=1"));
    let species = get(sandbox.addr(), "/v1/observations/species_counts").json();
    let sum: u64 = species["results"].as_array().unwrap().iter().map(|one| one["count"].as_u64().unwrap()).sum();
    assert_eq!(sum, all);
    for (interval, buckets) in [("month_of_year", 12), ("week_of_year", 53)] {
        let histogram = get(sandbox.addr(), &format!("/v1/observations/histogram?interval={interval}")).json();
        let counts = histogram["results"][interval].as_object().unwrap();
        assert_eq!((counts.len(), counts.values().filter_map(Value::as_u64).sum::<u64>()), (buckets, all));
    }
    let observers = get(sandbox.addr(), "/v1/observations/observers?per_page=500&page=2").json();
    assert!(observers["total_results"].as_u64().unwrap() > 500, "more than can be reached");
    assert_eq!(observers["results"], json!([]));
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let target = "/v1/observations?per_page=5";
    let fixed = |seed| Config { seed, observations: 500, media_base: Some("http://media".into()), ..Config::default() };
    let body = |seed| get(Sandbox::start(fixed(seed)).unwrap().addr(), target).body;
    assert_eq!(body(7), body(7));
    assert_ne!(body(7), body(8));
}

#[test]
fn sign_in() {
    let sandbox = sandbox();
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let token = |body: &str| send(sandbox.addr(), "POST", "/oauth/token", &form, body.as_bytes());
    let granted = token("client_id=a&client_secret=b&grant_type=password&username=u&password=p");
    assert_eq!(granted.status, 200);
    let access = format!("Bearer {}", granted.json()["access_token"].as_str().unwrap());
    let refused = token("client_id=a&grant_type=password&username=u&password=wrong");
    assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_grant")));
    assert_eq!(token("grant_type=password&username=u&password=p").status, 401);

    let jwt = get_with(sandbox.addr(), "/users/api_token", &[("Authorization", &access)]).json();
    let jwt = format!("Bearer {}", jwt["api_token"].as_str().unwrap());
    assert_eq!(get_with(sandbox.addr(), "/v1/users/me", &[("Authorization", &jwt)]).status, 200);
    assert_eq!(
        get_with(sandbox.addr(), "/v1/users/me", &[("Authorization", &access)]).status,
        401,
        "Node takes no OAuth token"
    );
    let nobody = get(sandbox.addr(), "/users/api_token");
    assert_eq!((nobody.status, nobody.header("location")), (302, Some("/login")));
    let back = get(sandbox.addr(), "/oauth/authorize?redirect_uri=http://127.0.0.1:1/cb&state=s");
    assert_eq!(back.header("location"), Some("http://127.0.0.1:1/cb?code=sandbox-code&state=s"));
}

#[test]
fn every_read_route_answers_in_both_versions() {
    let sandbox = sandbox();
    let token = bearer(1);
    for version in ["v1", "v2"] {
        for route in [
            "ping",
            "taxa",
            "taxa/autocomplete?q=d",
            "taxa/3",
            "observations",
            "observations/species_counts",
            "observations/observers",
            "observations/identifiers",
            "observations/histogram",
            "observations/histogram?interval=day",
            "observations/histogram?interval=hour",
            "observations/popular_field_values",
            "observations/taxonomy",
            "observations/deleted?since=2020-01-01",
            "observations/updates",
            "places/autocomplete?q=cal",
            "places/14",
            "places/nearby?swlat=30&swlng=-120&nelat=40&nelng=-110",
            "projects",
            "projects/autocomplete?q=birds",
            "projects/101",
            "users/me",
            "users/1",
            "users/fernwalker",
            "users/autocomplete?q=f",
            "search?q=danaus",
            "controlled_terms",
            "controlled_terms/for_taxon?taxon_id=48662",
            "observations/quality_grades",
            "observations/identification_categories",
            "observations/iconic_taxa_counts",
            "observations/iconic_taxa_species_counts",
            "observations/tree_taxa?taxon_id=3",
            "observations/taxa_counts_by_month",
            "observations/umbrella_project_stats?project_id=101,102",
            "identifications/identifiers",
            "identifications/recent_taxa",
            "identifications/similar_species?taxon_id=48662",
            "taxa/iconic",
            "taxa/lifelist_metadata?user_id=1",
            "taxa/suggest?place_id=14",
            "taxa/3/wanted",
            "taxa/3/map_layers",
            "places/containing?lat=37&lng=-122",
            "projects/101/members",
            "projects/101/membership",
            "projects/101/posts",
            "projects/101/subscriptions",
            "users/1/projects",
            "messages",
            "messages/unread",
            "messages/10001",
            "posts/for_user",
            "observation_fields/autocomplete?q=h",
        ] {
            let reply = get_with(sandbox.addr(), &format!("/{version}/{route}"), &[("Authorization", &token)]);
            assert_eq!(reply.status, 200, "{version}/{route}: {}", reply.text());
            assert!(reply.header("etag").is_some_and(|etag| etag.starts_with("W/\"")), "{route}");
            reply.json();
        }
    }
    let uuid = get(sandbox.addr(), "/v2/observations?per_page=1").json()["results"][0]["uuid"].clone();
    let uuid = uuid.as_str().unwrap();
    assert_eq!(get(sandbox.addr(), &format!("/v1/observations/{uuid}/taxon_summary")).status, 200);
    let summary = get(sandbox.addr(), "/v2/taxon_id_summaries?per_page=1").json()["results"][0]["uuid"].clone();
    assert_eq!(get(sandbox.addr(), &format!("/v2/taxon_id_summaries/{}", summary.as_str().unwrap())).status, 200);
    assert_eq!(get(sandbox.addr(), "/v2/controlled_terms/for_taxon/48662").status, 200);
    for only_v1 in
        ["identifications/species_counts", "identifications/categories", "identifications/observers", "posts"]
    {
        assert_eq!(get(sandbox.addr(), &format!("/v1/{only_v1}")).status, 200, "{only_v1}");
        assert_eq!(get(sandbox.addr(), &format!("/v2/{only_v1}")).status, 404, "{only_v1}");
    }
    assert_eq!(get(sandbox.addr(), "/v1/projects/birds-of-north-america").json()["total_results"], 1);
}
