//! Writes: seen by later reads, refused where they must be, files received byte by byte.

use crate::client::{Reply, bearer, get, get_with, send};
use inat_sandbox::{Config, Sandbox};
use serde_json::{Value, json};

const OWNER: u64 = 2_000_000;

fn sandbox() -> Sandbox {
    Sandbox::start(Config { observations: 300, ..Config::default() }).unwrap()
}

fn write(sandbox: &Sandbox, method: &str, target: &str, user: u64, body: &Value) -> Reply {
    let token = bearer(user);
    let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
    send(sandbox.addr(), method, target, &headers, body.to_string().as_bytes())
}

fn form(fields: &[(&str, &str)], file: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.extend_from_slice(
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
        );
    }
    if let Some(file) = file {
        let head = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"m.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n";
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(file);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"--edge--\r\n");
    out
}

fn upload(sandbox: &Sandbox, route: &str, user: u64, body: &[u8]) -> Reply {
    let token = bearer(user);
    send(
        sandbox.addr(),
        "POST",
        route,
        &[("Authorization", &token), ("Content-Type", "multipart/form-data; boundary=edge")],
        body,
    )
}

#[test]
fn an_observation_is_created_changed_and_deleted() {
    let sandbox = sandbox();
    let given = json!({ "observation": { "species_guess": "Monarch", "taxon_id": 48662, "observed_on_string": "2024-06-01",
        "latitude": 37.0, "longitude": -122.0, "description": "on milkweed", "tag_list": "a, b" } });
    let created = write(&sandbox, "POST", "/v1/observations", OWNER, &given);
    assert_eq!(created.status, 200, "{}", created.text());
    let created = created.json();
    let id = created["id"].as_u64().unwrap();
    let target = format!("/v1/observations/{id}");
    let read = get(sandbox.addr(), &target).json()["results"][0].clone();
    assert_eq!(
        (&read["taxon"]["id"], &read["description"], &read["user"]["id"]),
        (&json!(48662), &json!("on milkweed"), &json!(OWNER))
    );
    assert_eq!((&read["observed_on"], &read["tags"]), (&json!("2024-06-01"), &json!(["a", "b"])));
    assert_eq!(read["place_guess"], "Santa Cruz County, US, CA");
    let found =
        get_with(sandbox.addr(), &format!("/v1/observations?user_id={OWNER}"), &[("Authorization", &bearer(OWNER))])
            .json();
    assert_eq!((&found["total_results"], &found["results"][0]["id"]), (&json!(1), &json!(id)));

    let changed = write(&sandbox, "PUT", &target, OWNER, &json!({ "observation": { "description": "gone" } })).json();
    assert_eq!((&changed["description"], &changed["species_guess"]), (&json!("gone"), &json!("Monarch")));
    assert_ne!(changed["updated_at"], created["updated_at"]);
    assert_eq!(write(&sandbox, "PUT", &target, 5, &json!({ "observation": {} })).status, 403);
    assert_eq!(write(&sandbox, "DELETE", &target, 5, &json!({})).status, 403);
    assert_eq!(write(&sandbox, "DELETE", &target, OWNER, &json!({})).status, 200);
    assert_eq!(get(sandbox.addr(), &target).json()["total_results"], 0);
    let deleted =
        get_with(sandbox.addr(), "/v1/observations/deleted?since=2024-01-01", &[("Authorization", &bearer(OWNER))])
            .json();
    assert_eq!(deleted["results"], json!([id]));
    assert_eq!(write(&sandbox, "PUT", &target, OWNER, &json!({ "observation": {} })).status, 404);
}

#[test]
fn create_is_an_upsert_on_the_uuid() {
    let sandbox = sandbox();
    let uuid = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
    for (version, text) in [("v1", "one"), ("v2", "two"), ("v1", "three")] {
        let body = json!({ "observation": { "uuid": uuid, "description": text } });
        let reply = write(&sandbox, "POST", &format!("/{version}/observations"), OWNER, &body);
        assert_eq!(reply.status, 200);
        let record = if version == "v2" { reply.json()["results"][0].clone() } else { reply.json() };
        assert_eq!(record["uuid"], uuid);
    }
    assert_eq!(sandbox.created_observations(), 1);
    let read = get(sandbox.addr(), &format!("/v2/observations/{uuid}?fields=description")).json();
    assert_eq!(read["results"], json!([{ "uuid": uuid, "description": "three" }]));
}

#[test]
fn writes_are_refused() {
    let sandbox = sandbox();
    let body = json!({ "observation": { "description": "x" } }).to_string();
    for (method, target) in [
        ("POST", "/v1/observations"),
        ("PUT", "/v1/observations/10000001"),
        ("DELETE", "/v1/observations/10000001"),
        ("POST", "/v2/observations"),
        ("POST", "/v1/projects"),
        ("POST", "/v1/observation_photos"),
    ] {
        assert_eq!(send(sandbox.addr(), method, target, &[], body.as_bytes()).status, 401, "{method} {target}");
        let expired = format!("Bearer {}", Sandbox::jwt(1, -1));
        assert_eq!(send(sandbox.addr(), method, target, &[("Authorization", &expired)], body.as_bytes()).status, 401);
    }
    let future = write(
        &sandbox,
        "POST",
        "/v1/observations",
        OWNER,
        &json!({ "observation": { "observed_on_string": "2999-01-01" } }),
    );
    assert_eq!(
        (future.status, &future.json()["error"]["original"]["errors"][0][0]),
        (422, &json!("Observed on can't be in the future"))
    );
    let future = write(
        &sandbox,
        "POST",
        "/v2/observations",
        OWNER,
        &json!({ "observation": { "observed_on_string": "2999-01-01" } }),
    );
    assert_eq!((future.status, &future.json()["errors"][0]["from"]), (422, &json!("externalAPI")));
    assert_eq!(write(&sandbox, "POST", "/v1/observations", OWNER, &json!([1])).status, 400);
    let large = json!({ "observation": { "description": "x".repeat(2 * 1024 * 1024) } });
    assert_eq!(write(&sandbox, "POST", "/v1/observations", OWNER, &large).status, 413);
    assert_eq!(sandbox.created_observations(), 0);
    let others = get(sandbox.addr(), "/v1/observations?per_page=1&user_id=1").json();
    assert!(others["results"].is_array());
}

#[test]
fn files_arrive_byte_by_byte() {
    let sandbox = sandbox();
    let observation =
        write(&sandbox, "POST", "/v1/observations", OWNER, &json!({ "observation": {} })).json()["id"].to_string();
    let file: Vec<u8> = (0..300_000_u32).map(|number| u8::try_from(number * 7 % 256).unwrap()).collect();
    let uuid = "99999999-aaaa-4bbb-8ccc-dddddddddddd";
    let body =
        form(&[("observation_photo[observation_id]", &observation), ("observation_photo[uuid]", uuid)], Some(&file));
    let first = upload(&sandbox, "/v1/observation_photos", OWNER, &body);
    assert_eq!(first.status, 200, "{}", first.text());
    let again = upload(&sandbox, "/v1/observation_photos", OWNER, &body).json();
    assert_eq!(first.json()["id"], again["id"]);
    let uploads = sandbox.uploads();
    assert_eq!(uploads.len(), 2);
    assert_eq!((uploads[0].size, uploads[0].blake3.as_str()), (file.len(), blake3::hash(&file).to_hex().as_str()));
    assert_eq!((uploads[0].filename.as_deref(), uploads[0].uuid.as_str()), (Some("m.jpg"), uuid));
    let read = get(sandbox.addr(), &format!("/v1/observations/{observation}")).json()["results"][0].clone();
    assert_eq!(read["photos"].as_array().unwrap().len(), 1, "one photo, sent twice");
    assert_eq!(read["observation_photos"][0]["uuid"], uuid);

    let sound = form(&[("observation_sound[observation_id]", &observation)], Some(b"RIFF"));
    assert_eq!(upload(&sandbox, "/v2/observation_sounds", OWNER, &sound).status, 200);
    let alone = upload(&sandbox, "/v1/photos", OWNER, &form(&[], Some(b"jpeg"))).json();
    assert_eq!(alone["type"], "LocalPhoto");
    assert_eq!(upload(&sandbox, "/v1/observation_photos", OWNER, &form(&[], Some(b"x"))).status, 422);
    assert_eq!(
        upload(
            &sandbox,
            "/v1/observation_photos",
            OWNER,
            &form(&[("observation_photo[observation_id]", &observation)], None)
        )
        .status,
        422
    );
    assert_eq!(upload(&sandbox, "/v1/observation_photos", 5, &body).status, 403);

    let reply = write(
        &sandbox,
        "PUT",
        &format!("/v1/observations/{observation}"),
        OWNER,
        &json!({ "ignore_photos": false, "observation": {} }),
    );
    assert_eq!(reply.json()["photos"], json!([]), "the trap: photos are gone");
}

#[test]
fn a_file_may_be_20_mb_and_no_more() {
    let sandbox = sandbox();
    let fits = vec![7; 20_971_520];
    assert_eq!(upload(&sandbox, "/v1/photos", OWNER, &form(&[], Some(&fits))).status, 200);
    let large = vec![7; 20_971_521];
    assert_eq!(upload(&sandbox, "/v1/photos", OWNER, &form(&[], Some(&large))).status, 413);
    let huge = vec![7; 33 * 1024 * 1024];
    assert_eq!(upload(&sandbox, "/v1/photos", OWNER, &huge).status, 413, "too large for the server itself");
    assert_eq!(sandbox.uploads().len(), 1);
}

#[test]
fn projects_are_written() {
    let sandbox = sandbox();
    let created =
        write(&sandbox, "POST", "/v1/projects", OWNER, &json!({ "project": { "title": "Our Meadow" } })).json();
    let id = created["id"].as_u64().unwrap();
    let changed =
        write(&sandbox, "PUT", &format!("/v1/projects/{id}"), OWNER, &json!({ "project": { "description": "new" } }));
    assert_eq!((changed.status, &changed.json()["description"]), (200, &json!("new")));
    assert_eq!(write(&sandbox, "PUT", &format!("/v1/projects/{id}"), 77, &json!({ "project": {} })).status, 403);
    let read = get(sandbox.addr(), "/v1/projects/our-meadow").json();
    assert_eq!((&read["results"][0]["id"], &read["results"][0]["description"]), (&json!(id), &json!("new")));
    let observation = sandbox.observation_ids()[0];
    let body = json!({ "project_observation": { "project_id": id, "observation_id": observation } });
    assert_eq!(write(&sandbox, "POST", "/v1/project_observations", OWNER, &body).json()["observation_id"], observation);
}

#[test]
fn the_world_moves_while_it_is_read() {
    let sandbox = sandbox();
    let ids = sandbox.observation_ids();
    assert!(sandbox.touch_observation(ids[3], "new words"));
    assert!(sandbox.delete_observation(ids[4]));
    assert!(!sandbox.delete_observation(ids[4]));
    let added = sandbox.add_observation(3, 48662);
    let read = get(sandbox.addr(), &format!("/v1/observations/{},{},{added}", ids[3], ids[4])).json();
    assert_eq!(read["total_results"], 2);
    assert_eq!(read["results"][0]["description"], "new words");
    assert_eq!(sandbox.observation_ids().len(), 300);
    let since =
        get(sandbox.addr(), "/v1/observations?updated_since=2026-01-01T00:00:00Z&only_id=true&order_by=id").json();
    assert_eq!(since["results"], json!([{ "id": added }, { "id": ids[3] }]));
}
