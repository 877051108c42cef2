//! One person's answer never reaches another, whatever the server's headers say and in whatever order they come.

use inat_gateway::faithful;
use inat_session::Session;

use crate::support::{Origin, Say, before, config, start};

#[test]
fn no_body_crosses_in_any_order() {
    let origin = Origin::start(|seen| {
        let who = seen.field("authorization").or_else(|| seen.field("cookie")).unwrap_or_else(|| "nobody".to_owned());
        let token = seen.target().split("access_token=").nth(1).unwrap_or_default();
        Say::ok("Cache-Control: public, max-age=600\r\n", &format!("for {who}{token}"))
    });
    let people = ["Authorization: Bearer a\r\n", "Authorization: Bearer b\r\n", "Cookie: s=1\r\n", ""];
    let expected = ["for Bearer a", "for Bearer b", "for s=1", "for nobody"];
    let gateway = before(&origin);
    let mut asked = 0;
    for (round, order) in permutations(people.len()).into_iter().enumerate() {
        let target = format!("/v1/observations/{round}");
        for again in 0..2 {
            for person in &order {
                let answer = gateway.get_with(&target, people[*person]);
                assert_eq!(answer.text(), expected[*person], "{order:?}");
                assert_eq!(answer.cache().contains("; hit"), again == 1, "{}", answer.cache());
            }
        }
        asked += order.len();
    }
    assert_eq!(origin.count(), asked);
    for _ in 0..2 {
        for token in ["a", "b"] {
            assert_eq!(gateway.get(&format!("/x?access_token={token}")).text(), format!("for nobody{token}"));
        }
    }
}

#[test]
fn a_cookie_is_set_for_whom_it_was_made() {
    let origin = Origin::start(|_| Say::ok("Cache-Control: max-age=600\r\nSet-Cookie: s=first\r\n", "x"));
    let own_lifetimes = faithful(Session::builder()).cache_in_memory().budget_in_memory().unlimited();
    let gateway = start(config(vec![origin.upstream()]), own_lifetimes);
    let somebody = "Authorization: Bearer a\r\n";
    assert_eq!(gateway.get("/c").field("set-cookie").as_deref(), Some("s=first"));
    assert_eq!(gateway.get_with("/c", somebody).field("set-cookie").as_deref(), Some("s=first"));
    let second = gateway.get("/c");
    assert!(second.cache().contains("; hit"), "{}", second.cache());
    assert_eq!(second.field("set-cookie"), None);
    assert_eq!(gateway.get_with("/c", somebody).field("set-cookie"), None, "it is a secret, and not stored");
    assert_eq!(origin.count(), 2);
}

#[test]
fn where_only_http_decides_a_stored_cookie_is_set_again() {
    let origin = Origin::start(|seen| match seen.field("if-none-match") {
        Some(_) => Say::raw("HTTP/1.1 304 X\r\nETag: \"e\"\r\nCache-Control: max-age=600\r\nSet-Cookie: s=3\r\n\r\n"),
        None => Say::ok("Cache-Control: no-cache\r\nETag: \"e\"\r\nSet-Cookie: s=1\r\nSet-Cookie: s=2\r\n", "x"),
    });
    let gateway = before(&origin);
    assert_eq!(gateway.get("/c").all("set-cookie"), [b"s=1", b"s=2"]);
    assert_eq!(gateway.get("/c").all("set-cookie"), [b"s=3"], "a 304 brings another");
    let hit = gateway.get("/c");
    assert!(hit.cache().contains("; hit"), "{}", hit.cache());
    assert_eq!(hit.all("set-cookie"), [b"s=3"]);
}

fn permutations(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(of - 1);
    shorter
        .into_iter()
        .flat_map(|rest| {
            (0..of).map(move |at| {
                let mut order = rest.clone();
                order.insert(at, of - 1);
                order
            })
        })
        .collect()
}
