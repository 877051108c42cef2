//! Names with brackets, as in `HTTPie`: `a[b]=x` sets a member, `a[]=x` appends, `a[2]=x` sets an element and fills the gap with
//! null. A backslash makes a bracket ordinary, and in `a[\1]` the number a name.

use serde_json::{Map, Value};

use super::BadItem;

/// The highest index taken: a gap is filled with nulls, and a typing error should not fill the memory.
const HIGHEST_INDEX: usize = 9_999;
/// The deepest nesting taken; what reads JSON refuses more.
const DEEPEST: usize = 100;

/// One step of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    Append,
}

/// Puts a value where its name says.
pub(super) fn insert(root: &mut Value, name: &str, value: Value) -> Result<(), BadItem> {
    let steps = steps(name)?;
    let mut at = root;
    for step in &steps {
        at = go(at, step, name)?;
    }
    *at = value;
    Ok(())
}

/// The place one step further, made when it is not there.
fn go<'a>(at: &'a mut Value, step: &Step, name: &str) -> Result<&'a mut Value, BadItem> {
    let wants = match step {
        Step::Key(_) => "an object",
        Step::Index(_) | Step::Append => "a list",
    };
    if at.is_null() {
        *at = if wants == "a list" { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    }
    match (at, step) {
        (Value::Object(members), Step::Key(key)) => Ok(members.entry(key.as_str()).or_insert(Value::Null)),
        (Value::Array(elements), Step::Append) => {
            elements.push(Value::Null);
            last(elements, name)
        }
        (Value::Array(elements), Step::Index(index)) => {
            if elements.len() <= *index {
                elements.resize(index + 1, Value::Null);
            }
            elements.get_mut(*index).ok_or_else(|| clash(name, wants))
        }
        _ => Err(clash(name, wants)),
    }
}

fn last<'a>(elements: &'a mut [Value], name: &str) -> Result<&'a mut Value, BadItem> {
    elements.last_mut().ok_or_else(|| clash(name, "a list"))
}

fn clash(name: &str, wants: &str) -> BadItem {
    BadItem::new(
        format!("`{name}` needs {wants} where an earlier item put something else"),
        "give one name one kind of value; a backslash keeps a bracket in a name: a\\[b=c",
    )
}

/// The steps of a name.
fn steps(name: &str) -> Result<Vec<Step>, BadItem> {
    let bad = |what: &str| {
        Err(BadItem::new(
            format!("in `{name}` {what}"),
            "write a[b], a[] or a[0]; a backslash keeps a bracket: a\\[b=c",
        ))
    };
    let mut steps = Vec::new();
    let (root, mut rest) = literal(name, &['[']);
    if !root.is_empty() {
        steps.push(Step::Key(root));
    }
    while !rest.is_empty() {
        let Some(inside) = rest.strip_prefix('[') else { return bad("something follows a `]`") };
        let is_name = inside.starts_with('\\') && inside[1..].starts_with(|c: char| c.is_ascii_digit());
        let (text, after) = literal(if is_name { &inside[1..] } else { inside }, &[']', '[']);
        let Some(after) = after.strip_prefix(']') else { return bad("a `[` is not closed") };
        steps.push(match text.parse::<usize>() {
            _ if inside.starts_with(']') => Step::Append,
            Ok(index) if !is_name && index > HIGHEST_INDEX => return bad("an index is above 9999"),
            Ok(index) if !is_name => Step::Index(index),
            _ => Step::Key(text),
        });
        rest = after;
    }
    if matches!((steps.first(), name.starts_with('[')), (Some(Step::Key(_)), true)) {
        return bad("a name is missing before the first `[`");
    }
    if steps.len() > DEEPEST {
        return bad("brackets nest too deep");
    }
    Ok(steps)
}

/// Text up to one of these characters, with backslashes before brackets and backslashes taken away; and what follows.
fn literal<'a>(text: &'a str, ends: &[char]) -> (String, &'a str) {
    let mut taken = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        if ends.contains(&c) {
            return (taken, &text[at..]);
        }
        let following = text[at + c.len_utf8()..].chars().next();
        match (c, following) {
            ('\\', Some(next @ ('[' | ']' | '\\'))) => {
                taken.push(next);
                characters.next();
            }
            _ => taken.push(c),
        }
    }
    (taken, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn build(items: &[(&str, Value)]) -> Result<Value, BadItem> {
        let mut root = Value::Null;
        for (name, value) in items {
            insert(&mut root, name, value.clone())?;
        }
        Ok(root)
    }

    #[test]
    fn names_build_json() {
        let table: [(&[(&str, Value)], Value); 12] = [
            (&[("a", json!(1))], json!({"a": 1})),
            (&[("a", json!(1)), ("a", json!(2))], json!({"a": 2})),
            (
                &[("observation[species_guess]", json!("Monarch")), ("observation[tags][]", json!("x"))],
                json!({"observation": {"species_guess": "Monarch", "tags": ["x"]}}),
            ),
            (&[("a[]", json!(1)), ("a[]", json!(2))], json!({"a": [1, 2]})),
            (&[("a[2]", json!(1))], json!({"a": [null, null, 1]})),
            (&[("a[1]", json!(1)), ("a[0]", json!(0))], json!({"a": [0, 1]})),
            (&[("a[0][b]", json!(1)), ("a[0][c]", json!(2))], json!({"a": [{"b": 1, "c": 2}]})),
            (&[("[]", json!(1)), ("[]", json!(2))], json!([1, 2])),
            (&[("[0][a]", json!(1))], json!([{"a": 1}])),
            (&[("a\\[b\\]", json!(1))], json!({"a[b]": 1})),
            (&[("a[\\1]", json!(1))], json!({"a": {"1": 1}})),
            (&[("a[b\\]c][\\\\]", json!(1))], json!({"a": {"b]c": {"\\": 1}}})),
        ];
        for (items, expected) in table {
            assert_eq!(build(items), Ok(expected), "{items:?}");
        }
    }

    #[test]
    fn what_cannot_be_built_is_said() {
        let deep = format!("a{}", "[b]".repeat(200));
        let table: [&[(&str, Value)]; 8] = [
            &[("a[", json!(1))],
            &[("a[b", json!(1))],
            &[("a[b]c", json!(1))],
            &[("a[10000]", json!(1))],
            &[("[b]", json!(1))],
            &[("a", json!(1)), ("a[b]", json!(2))],
            &[("a[b]", json!(1)), ("a[]", json!(2))],
            &[(&deep, json!(1))],
        ];
        for items in table {
            assert!(build(items).is_err(), "{items:?}");
        }
    }

    proptest! {
        #[test]
        fn no_name_makes_it_panic(names in prop::collection::vec("[ab0-9\\[\\]\\\\ä]{0,12}", 0..6)) {
            let mut root = Value::Null;
            for name in names {
                let _ = insert(&mut root, &name, Value::from(1));
            }
        }

        #[test]
        fn a_plain_name_is_one_member(name in "[a-z_.]{1,12}") {
            let mut root = Value::Null;
            prop_assert_eq!(insert(&mut root, &name, Value::from(1)), Ok(()));
            prop_assert_eq!(root.get(&name), Some(&Value::from(1)));
        }
    }
}
