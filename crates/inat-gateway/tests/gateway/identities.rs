//! One person's answer never reaches another, whatever the server's headers say and in whatever order they come.

use crate::support::{Origin, Say, before};

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
    let gateway = before(&origin);
    assert_eq!(gateway.get("/c").field("set-cookie").as_deref(), Some("s=first"));
    let second = gateway.get("/c");
    assert!(second.cache().contains("; hit"), "{}", second.cache());
    assert_eq!(second.field("set-cookie"), None);
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
