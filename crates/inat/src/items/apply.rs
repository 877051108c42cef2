//! Items onto a request.

use inat_session::{Body, Request};
use serde_json::Value;

use super::{BadItem, Item, nested};

/// How fields are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As JSON.
    Json,
    /// As a form.
    Form,
}

/// Adds items to a request. Fields become JSON, or a form where that is asked for or there is a file to upload.
pub(crate) fn apply(mut request: Request, items: Vec<Item>, shape: Shape) -> Result<Request, BadItem> {
    let uploads = items.iter().any(|item| matches!(item, Item::Upload(_)));
    let has_fields = items.iter().any(|item| matches!(item, Item::Field { .. }));
    if (uploads || has_fields) && matches!(request.method.as_str(), "GET" | "HEAD") {
        return Err(BadItem::new(
            format!("a {} carries no body, and an item makes one", request.method),
            "write name==value for a query parameter, or use post or put",
        ));
    }
    if (uploads || has_fields) && !matches!(request.body, Body::Empty) {
        return Err(BadItem::new("--body is the whole body, and an item makes another", "use the one or the other"));
    }
    let as_form = uploads || shape == Shape::Form;
    let mut json = Value::Null;
    let mut whole = false;
    for item in items {
        request = match item {
            Item::Query { name, value } => request.query(name, value),
            Item::Header { name, value } => request.header(name, value),
            Item::Upload(upload) => request.file(upload),
            Item::Field { name, value, .. } if as_form => request.form(form_name(name)?, form_value(value)?),
            Item::Field { name, value, raw: true } if name.is_empty() => {
                if whole || !json.is_null() {
                    return Err(two_bodies());
                }
                (json, whole) = (value, true);
                request
            }
            Item::Field { .. } if whole => return Err(two_bodies()),
            Item::Field { name, value, .. } => {
                nested::insert(&mut json, &name, value)?;
                request
            }
        };
    }
    Ok(if has_fields && !as_form { request.json(&json) } else { request })
}

fn two_bodies() -> BadItem {
    BadItem::new(
        "one item is the whole body, and another adds to it",
        "give the whole with `:=JSON`, or each field by name",
    )
}

fn form_name(name: String) -> Result<String, BadItem> {
    if name.is_empty() {
        return Err(BadItem::new("a field of a form has no name", "write name=value"));
    }
    Ok(name)
}

fn form_value(value: Value) -> Result<String, BadItem> {
    match value {
        Value::String(text) => Ok(text),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err(BadItem::new(
            "a field of a form is text, and an item makes JSON of it",
            "write name[]=value once for each element, or send JSON without --form and uploads",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::parse;
    use serde_json::json;

    fn request(method: &str, words: &[&str], shape: Shape) -> Result<Request, BadItem> {
        let items = words.iter().map(|word| parse(word)).collect::<Result<Vec<_>, _>>()?;
        apply(Request::new(method, "observations"), items, shape)
    }

    #[test]
    fn fields_become_json() {
        let words = ["observation[species_guess]=Monarch", "observation[latitude]:=36.6", "X-A:b", "q==x"];
        let request = request("POST", &words, Shape::Json).unwrap();
        let Body::Json(body) = &request.body else { panic!("{:?}", request.body) };
        assert_eq!(*body, json!({"observation": {"species_guess": "Monarch", "latitude": 36.6}}));
        assert_eq!(request.headers, [("X-A".to_owned(), "b".to_owned())]);
        assert_eq!(request.query.len(), 1);
    }

    #[test]
    fn a_whole_body() {
        let request = request("POST", &[":=[1]"], Shape::Json).unwrap();
        assert!(matches!(&request.body, Body::Json(body) if *body == json!([1])));
    }

    #[test]
    fn uploads_and_forms_take_fields_as_text() {
        for (words, shape, files) in
            [(&["a[b]=1", "c:=2", "@x.jpg"][..], Shape::Json, 1), (&["a[b]=1", "c:=2"][..], Shape::Form, 0)]
        {
            let request = request("POST", words, shape).unwrap();
            let Body::Form { fields, files: found } = &request.body else { panic!("{:?}", request.body) };
            assert_eq!(*fields, [("a[b]".to_owned(), "1".to_owned()), ("c".to_owned(), "2".to_owned())]);
            assert_eq!(found.len(), files);
        }
    }

    #[test]
    fn a_get_with_a_field_is_a_typing_error() {
        for words in [&["q=monarch"][..], &["@x.jpg"], &["q:=1"]] {
            for method in ["GET", "HEAD"] {
                assert!(request(method, words, Shape::Json).unwrap_err().hint.contains("=="), "{words:?}");
            }
        }
        assert!(request("DELETE", &["a=1"], Shape::Json).is_ok());
    }

    #[test]
    fn bodies_do_not_mix() {
        for words in [&[":=[1]", "a=1"][..], &["a=1", ":=[1]"], &[":=1", ":=2"]] {
            assert!(request("POST", words, Shape::Json).is_err(), "{words:?}");
        }
        assert!(request("POST", &["a:=[1]"], Shape::Form).is_err());
        let with_body = Request::post("x").bytes("application/json", "{}");
        assert!(apply(with_body, vec![parse("a=1").unwrap()], Shape::Json).is_err());
    }
}
