//! What people say about observations: written, seen by later reads, refused, changed, taken back.

use crate::client::{Reply, bearer, get, get_with, send};
use inat_sandbox::{Config, Sandbox};
use serde_json::{Value, json};

const OWNER: u64 = 2_000_000;
const OTHER: u64 = 2_000_001;

fn sandbox() -> Sandbox {
    Sandbox::start(Config { observations: 300, ..Config::default() }).unwrap()
}

fn ask(sandbox: &Sandbox, method: &str, target: &str, user: u64, body: &Value) -> Reply {
    let token = bearer(user);
    let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
    send(sandbox.addr(), method, target, &headers, body.to_string().as_bytes())
}

/// An observation of the owner's with all it takes to be named, without its name.
fn observation(sandbox: &Sandbox) -> (u64, String) {
    let given = json!({ "observation": { "observed_on_string": "2024-06-01", "latitude": 37.0, "longitude": -122.0 } });
    let created = ask(sandbox, "POST", "/v1/observations", OWNER, &given).json();
    let form = format!(
        "--e\r\nContent-Disposition: form-data; name=\"observation_photo[observation_id]\"\r\n\r\n{}\r\n\
         --e\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\nx\r\n--e--\r\n",
        created["id"]
    );
    let token = bearer(OWNER);
    let headers = [("Authorization", token.as_str()), ("Content-Type", "multipart/form-data; boundary=e")];
    assert_eq!(send(sandbox.addr(), "POST", "/v1/observation_photos", &headers, form.as_bytes()).status, 200);
    (created["id"].as_u64().unwrap(), created["uuid"].as_str().unwrap().to_owned())
}

fn read(sandbox: &Sandbox, id: u64) -> Value {
    get(sandbox.addr(), &format!("/v1/observations/{id}")).json()["results"][0].clone()
}

#[test]
fn a_comment_is_written_changed_and_deleted() {
    let sandbox = sandbox();
    let (id, uuid) = observation(&sandbox);
    let given = json!({ "comment": { "parent_type": "Observation", "parent_id": id, "body": "Nice!" } });
    let made = ask(&sandbox, "POST", "/v1/comments", OTHER, &given);
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json();
    assert_eq!((&made["parent_id"], &made["body"], &made["user"]["id"]), (&json!(id), &json!("Nice!"), &json!(OTHER)));
    let seen = read(&sandbox, id);
    assert_eq!((&seen["comments_count"], &seen["comments"][0]["uuid"]), (&json!(1), &made["uuid"]));

    let target = format!("/v1/comments/{}", made["id"]);
    let words = json!({ "comment": { "body": "Very nice!" } });
    assert_eq!(ask(&sandbox, "PUT", &target, OWNER, &words).status, 403);
    assert_eq!(ask(&sandbox, "PUT", &target, OTHER, &words).json()["body"], "Very nice!");
    assert_eq!(read(&sandbox, id)["comments"][0]["body"], "Very nice!");
    let by_uuid = format!("/v2/comments/{}", made["uuid"].as_str().unwrap());
    let gone = ask(&sandbox, "DELETE", &by_uuid, OTHER, &json!({}));
    assert_eq!((gone.status, gone.text().as_str()), (200, ""));
    assert_eq!(read(&sandbox, id)["comments_count"], 0);
    assert_eq!(ask(&sandbox, "DELETE", &by_uuid, OTHER, &json!({})).status, 404);

    let in_v2 = json!({ "comment": { "parent_type": "Observation", "parent_id": uuid, "body": "Again" } });
    let page = ask(&sandbox, "POST", "/v2/comments?fields=body,user.id", OTHER, &in_v2).json();
    assert_eq!((&page["total_results"], &page["results"][0]["user"]["id"]), (&json!(1), &json!(OTHER)));
}

#[test]
fn what_is_no_comment_is_refused() {
    let sandbox = sandbox();
    let id = sandbox.observation_ids()[0];
    let given = |body: &str| json!({ "comment": { "parent_id": id, "body": body } });
    assert_eq!(send(sandbox.addr(), "POST", "/v1/comments", &[], given("x").to_string().as_bytes()).status, 401);
    assert_eq!(ask(&sandbox, "POST", "/v1/comments", OTHER, &given(" ")).status, 422);
    assert_eq!(
        ask(&sandbox, "POST", "/v1/comments", OTHER, &json!({ "comment": { "parent_id": 1, "body": "x" } })).status,
        422
    );
    let twice = json!({ "comment": { "parent_id": id, "body": "x", "uuid": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee" } });
    assert_eq!(ask(&sandbox, "POST", "/v1/comments", OTHER, &twice).status, 200);
    let again = ask(&sandbox, "POST", "/v1/comments", OTHER, &twice);
    assert_eq!(
        (again.status, &again.json()["error"]["original"]["errors"]["uuid"][0]),
        (422, &json!("has already been taken"))
    );
}

#[test]
fn names_are_given_agreed_on_and_withdrawn() {
    let sandbox = sandbox();
    let (id, _) = observation(&sandbox);
    let name = |user: u64, taxon: u64| {
        let given = json!({ "identification": { "observation_id": id, "taxon_id": taxon, "body": "by the veins" } });
        ask(&sandbox, "POST", "/v1/identifications", user, &given)
    };
    let first = name(OWNER, 48662);
    assert_eq!(first.status, 200, "{}", first.text());
    let seen = read(&sandbox, id);
    assert_eq!((&seen["taxon"]["id"], &seen["quality_grade"]), (&json!(48662), &json!("needs_id")));
    let second = name(OTHER, 48662).json();
    assert_eq!(
        (&second["category"], &second["own_observation"], &second["observation_id"]),
        (&json!("supporting"), &json!(false), &json!(id))
    );
    let seen = read(&sandbox, id);
    assert_eq!((&seen["quality_grade"], &seen["num_identification_agreements"]), (&json!("research"), &json!(1)));

    assert_eq!(name(OTHER, 51093).json()["category"], "maverick");
    let seen = read(&sandbox, id);
    assert_eq!((&seen["quality_grade"], &seen["num_identification_disagreements"]), (&json!("needs_id"), &json!(1)));
    let all = seen["identifications"].as_array().unwrap();
    assert_eq!(all.iter().map(|one| one["current"].as_bool().unwrap()).collect::<Vec<_>>(), [true, false, true]);

    let last = format!("/v1/identifications/{}", all[2]["id"]);
    assert_eq!(ask(&sandbox, "DELETE", &last, OWNER, &json!({})).status, 403);
    assert_eq!(ask(&sandbox, "DELETE", &last, OTHER, &json!({})).status, 200);
    assert_eq!(read(&sandbox, id)["identifications"][2]["current"], false);
    assert_eq!(
        ask(&sandbox, "PUT", &last, OTHER, &json!({ "identification": { "current": true } })).json()["current"],
        true
    );
    let mine = format!("/v1/identifications?user_id={OTHER}&current=true");
    assert_eq!(get(sandbox.addr(), &mine).status, 422, "nobody but the token knows this user");
    let found = get_with(sandbox.addr(), &mine, &[("Authorization", &bearer(OTHER))]).json();
    assert_eq!((&found["total_results"], &found["results"][0]["taxon_id"]), (&json!(1), &json!(51093)));
    let found = get(sandbox.addr(), &last).json();
    assert_eq!(
        (&found["results"][0]["observation"]["id"], &found["results"][0]["taxon"]["id"]),
        (&json!(id), &json!(51093))
    );
    assert_eq!(ask(&sandbox, "DELETE", &format!("{last}?delete=true"), OTHER, &json!({})).status, 200);
    assert_eq!(read(&sandbox, id)["identifications"].as_array().unwrap().len(), 2);
    assert_eq!(name(OTHER, 999_999_999).status, 422);
}

#[test]
fn a_synthetic_observation_keeps_what_it_had() {
    let sandbox = sandbox();
    let id = sandbox.observation_ids()[5];
    let before = read(&sandbox, id);
    let taxon = before["taxon"]["id"].clone();
    let given = json!({ "identification": { "observation_id": id, "taxon_id": taxon } });
    assert_eq!(ask(&sandbox, "POST", "/v1/identifications", OTHER, &given).status, 200);
    let after = read(&sandbox, id);
    assert_eq!(after["identifications"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&after["identifications"][0], &after["comments"]),
        (&before["identifications"][0], &before["comments"])
    );
    assert_ne!(after["updated_at"], before["updated_at"]);
    let listed = get(sandbox.addr(), &format!("/v1/identifications/{}", before["identifications"][1]["id"])).json();
    assert_eq!(listed["results"][0]["observation"]["identifications"].as_array().unwrap().len(), 3);
}

#[test]
fn faves_and_votes() {
    let sandbox = sandbox();
    let (id, uuid) = observation(&sandbox);
    let faved = ask(&sandbox, "POST", &format!("/v1/observations/{id}/fave"), OTHER, &json!({})).json();
    assert_eq!((&faved["faves_count"], &faved["faves"][0]["user"]["id"]), (&json!(1), &json!(OTHER)));
    assert_eq!(ask(&sandbox, "POST", &format!("/v2/observations/{uuid}/fave"), OTHER, &json!({})).status, 204);
    assert_eq!(read(&sandbox, id)["faves_count"], 1, "once for each person");
    let scoped = format!("/v1/votes/vote/observation/{id}?scope=needs_id");
    let voted = ask(&sandbox, "POST", &scoped, OTHER, &json!({ "vote": "no" })).json();
    assert_eq!(
        (&voted["votes"][1]["vote_scope"], &voted["votes"][1]["vote_flag"]),
        (&json!("needs_id"), &json!(false))
    );
    assert_eq!(ask(&sandbox, "DELETE", &format!("/v1/observations/{id}/unfave"), OTHER, &json!({})).status, 204);
    let seen = read(&sandbox, id);
    assert_eq!((&seen["faves_count"], seen["votes"].as_array().unwrap().len()), (&json!(0), 1));
    assert_eq!(ask(&sandbox, "POST", "/v1/observations/1/fave", OTHER, &json!({})).status, 404);
}

#[test]
fn annotations_values_metrics_and_flags() {
    let sandbox = sandbox();
    let (id, uuid) = observation(&sandbox);
    let given = json!({ "annotation": { "resource_type": "Observation", "resource_id": uuid, "controlled_attribute_id": 1, "controlled_value_id": 2 } });
    let made = ask(&sandbox, "POST", "/v1/annotations", OTHER, &given).json();
    assert_eq!(made["concatenated_attr_val"], "1|2");
    assert_eq!(ask(&sandbox, "POST", "/v1/annotations", OTHER, &given).status, 422, "each value once");
    let wrong = json!({ "annotation": { "resource_id": id, "controlled_attribute_id": 1, "controlled_value_id": 13 } });
    assert_eq!(ask(&sandbox, "POST", "/v1/annotations", OTHER, &wrong).status, 422);
    let annotation = made["uuid"].as_str().unwrap();
    assert_eq!(
        ask(&sandbox, "POST", &format!("/v1/votes/vote/annotation/{annotation}"), OWNER, &json!({ "vote": "bad" }))
            .status,
        204
    );
    assert_eq!(read(&sandbox, id)["annotations"][0]["vote_score"], -1);
    assert_eq!(ask(&sandbox, "DELETE", &format!("/v1/annotations/{annotation}"), OTHER, &json!({})).status, 200);

    let value = |field: u64, value: Value| json!({ "observation_field_value": { "observation_id": id, "observation_field_id": field, "value": value } });
    let set = ask(&sandbox, "POST", "/v1/observation_field_values", OWNER, &value(3, json!("12"))).json();
    assert_eq!((&set["observation_field_id"], &set["value"]), (&json!(3), &json!("12")));
    let again = ask(&sandbox, "POST", "/v1/observation_field_values", OWNER, &value(3, json!(13))).json();
    assert_eq!((&again["id"], &again["value"]), (&set["id"], &json!("13")), "the field has one value");
    assert_eq!(ask(&sandbox, "POST", "/v1/observation_field_values", OWNER, &value(3, json!("many"))).status, 422);
    assert_eq!(ask(&sandbox, "POST", "/v1/observation_field_values", OWNER, &value(9_999, json!("x"))).status, 422);
    assert_eq!(read(&sandbox, id)["ofvs"].as_array().unwrap().len(), 1);

    let metric = format!("/v1/observations/{id}/quality/wild");
    assert_eq!(ask(&sandbox, "POST", &metric, OWNER, &json!({ "agree": "false" })).json()["agree"], false);
    assert_eq!(get(sandbox.addr(), &format!("/v1/observations/{id}/quality_metrics")).json()["total_results"], 1);
    assert_eq!(ask(&sandbox, "DELETE", &metric, OWNER, &json!({})).status, 204);
    assert_eq!(ask(&sandbox, "POST", &format!("/v1/observations/{id}/quality/taste"), OWNER, &json!({})).status, 422);

    let flag = json!({ "flag": { "flaggable_type": "Observation", "flaggable_id": id, "flag": "spam" } });
    let flagged = ask(&sandbox, "POST", "/v1/flags", OTHER, &flag).json();
    assert_eq!(read(&sandbox, id)["flags"][0]["flag"], "spam");
    let target = format!("/v1/flags/{}", flagged["id"]);
    assert_eq!(ask(&sandbox, "PUT", &target, OTHER, &json!({ "flag": { "resolved": true } })).json()["resolved"], true);
}

#[test]
fn reviewing_and_following() {
    let sandbox = sandbox();
    let (id, _) = observation(&sandbox);
    assert_eq!(ask(&sandbox, "POST", &format!("/v1/observations/{id}/review"), OTHER, &json!({})).status, 200);
    assert_eq!(read(&sandbox, id)["reviewed_by"], json!([OTHER]));
    assert_eq!(ask(&sandbox, "DELETE", &format!("/v1/observations/{id}/review"), OTHER, &json!({})).status, 200);
    assert_eq!(read(&sandbox, id)["reviewed_by"], json!([]));
    let subscribe = format!("/v1/subscriptions/Observation/{id}/subscribe");
    assert_eq!(ask(&sandbox, "POST", &subscribe, OTHER, &json!({})).json()["resource_id"], id);
    let target = format!("/v1/observations/{id}/subscriptions");
    let mine =
        |user| get_with(sandbox.addr(), &target, &[("Authorization", &bearer(user))]).json()["total_results"].clone();
    assert_eq!((mine(OTHER), mine(OWNER)), (json!(1), json!(0)));
    assert_eq!(ask(&sandbox, "POST", &subscribe, OTHER, &json!({})).status, 204, "and no more");
    assert_eq!(mine(OTHER), 0);
    assert_eq!(ask(&sandbox, "PUT", &format!("/v1/observations/{id}/viewed_updates"), OWNER, &json!({})).status, 204);
}

#[test]
fn projects_are_joined_and_filled() {
    let sandbox = sandbox();
    let (id, _) = observation(&sandbox);
    let listed = format!("/v1/observations?project_id=101&id={id}&only_id=true");
    let before = get(sandbox.addr(), &listed).json()["total_results"].clone();
    assert_eq!(ask(&sandbox, "POST", "/v1/projects/101/join", OTHER, &json!({})).json()["user_id"], OTHER);
    assert_eq!(get(sandbox.addr(), "/v1/projects/101/members").json()["total_results"], 4);
    let mine =
        get_with(sandbox.addr(), &format!("/v1/users/{OTHER}/projects"), &[("Authorization", &bearer(OTHER))]).json();
    assert_eq!(mine["results"][0]["id"], 101);
    let add = json!({ "project_observation": { "project_id": 101, "observation_id": id } });
    assert_eq!(ask(&sandbox, "POST", "/v1/project_observations", OTHER, &add).json()["project_id"], 101);
    assert_eq!(ask(&sandbox, "POST", "/v1/project_observations", OTHER, &add).status, 422, "once");
    assert_eq!((before, get(sandbox.addr(), &listed).json()["total_results"].clone()), (json!(0), json!(1)));
    assert_eq!(read(&sandbox, id)["project_ids"], json!([101]));
    let remove = format!("/v1/projects/101/remove?observation_id={id}");
    assert_eq!(ask(&sandbox, "DELETE", &remove, OTHER, &json!({})).status, 200);
    assert_eq!(read(&sandbox, id)["project_ids"], json!([]));
    assert_eq!(ask(&sandbox, "DELETE", "/v1/projects/101/leave", OTHER, &json!({})).status, 200);
    assert_eq!(get(sandbox.addr(), "/v1/projects/101/members").json()["total_results"], 3);
    let made = ask(&sandbox, "POST", "/v1/projects", OTHER, &json!({ "project": { "title": "Pond" } })).json();
    let target = format!("/v1/projects/{}", made["id"]);
    assert_eq!(ask(&sandbox, "DELETE", &target, OWNER, &json!({})).status, 403);
    assert_eq!(ask(&sandbox, "DELETE", &target, OTHER, &json!({})).status, 200);
    assert_eq!(get(sandbox.addr(), &target).json()["total_results"], 0);
}

#[test]
fn messages_are_seen_by_two_people_only() {
    let sandbox = sandbox();
    let given = json!({ "message": { "to_user_id": 5, "subject": "Hello", "body": "Is this yours?" } });
    let sent = ask(&sandbox, "POST", "/v1/messages", OTHER, &given).json();
    let target = format!("/v1/messages/{}", sent["id"]);
    let status = |user| get_with(sandbox.addr(), &target, &[("Authorization", &bearer(user))]).status;
    assert_eq!((status(5), status(OTHER), status(7)), (200, 200, 404));
    let inbox = |user| {
        get_with(sandbox.addr(), "/v1/messages", &[("Authorization", &bearer(user))]).json()["total_results"].clone()
    };
    assert_eq!((inbox(5), inbox(7)), (json!(2), json!(1)));
    assert_eq!(get(sandbox.addr(), "/v1/messages").status, 401);
    assert_eq!(ask(&sandbox, "DELETE", &target, 7, &json!({})).status, 404);
    assert_eq!(ask(&sandbox, "DELETE", &target, 5, &json!({})).status, 200);
}

#[test]
fn two_who_speak_at_once_are_both_heard() {
    let sandbox = sandbox();
    let (id, _) = observation(&sandbox);
    std::thread::scope(|scope| {
        for number in 0..16 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let given = json!({ "comment": { "parent_id": id, "body": number.to_string() } });
                assert_eq!(ask(sandbox, "POST", "/v1/comments", OTHER, &given).status, 200);
            });
        }
    });
    assert_eq!(read(&sandbox, id)["comments_count"], 16);
}
