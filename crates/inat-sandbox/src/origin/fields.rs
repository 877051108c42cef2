//! `fields=` of v2: `all`, a comma list with dots, JSON or RISON. Without it a record is little more than its key.

use std::{iter::Peekable, str::Chars};

use serde_json::{Map, Value};

/// Deeper nesting than any record has.
const DEPTH: usize = 16;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fields {
    /// The key only.
    Default,
    All,
    Some(Vec<(String, Fields)>),
}

impl Fields {
    /// `None` where the text is none of the four forms.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "all" {
            return Some(Self::All);
        }
        if text.starts_with('{') {
            return serde_json::from_str(text).ok().map(|value| Self::from_json(&value));
        }
        if text.starts_with('(') {
            let mut letters = text.chars().peekable();
            let value = rison(&mut letters, 0)?;
            return letters.next().is_none().then(|| Self::from_json(&value));
        }
        let listed =
            text.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | ',' | ' '));
        listed.then(|| Self::from_list(text))
    }

    fn from_list(text: &str) -> Self {
        let mut tree = Map::new();
        for path in text.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            let mut level = &mut tree;
            for part in path.split('.').take(DEPTH) {
                let entry = level.entry(part).or_insert_with(|| Value::Object(Map::new()));
                match entry {
                    Value::Object(inner) => level = inner,
                    _ => break,
                }
            }
        }
        Self::from_json(&Value::Object(tree))
    }

    pub(crate) fn from_json(value: &Value) -> Self {
        match value {
            Value::String(text) if text == "all" => Self::All,
            Value::String(text) => Self::from_list(text),
            Value::Object(fields) if !fields.is_empty() => {
                let wanted = fields.iter().filter(|(_, value)| **value != Value::Bool(false) && !value.is_null());
                Self::Some(wanted.map(|(name, value)| (name.clone(), Self::from_json(value))).collect())
            }
            _ => Self::Default,
        }
    }

    /// The wanted part of a record whose key is `key`; the key is always part of it.
    pub(crate) fn select(&self, key: &str, record: &Value) -> Value {
        match (self, record) {
            (_, Value::Array(items)) => items.iter().map(|item| self.select(key, item)).collect(),
            (Self::Some(wanted), Value::Object(fields)) => {
                let mut out = Map::new();
                if let Some(value) = fields.get(key) {
                    out.insert(key.to_owned(), value.clone());
                }
                for (name, inner) in wanted {
                    if name == "all" {
                        return record.clone();
                    }
                    if let Some(value) = fields.get(name) {
                        out.insert(name.clone(), inner.select("id", value));
                    }
                }
                Value::Object(out)
            }
            (Self::Default, Value::Object(fields)) => fields
                .iter()
                .filter(|(name, _)| *name == key)
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            _ => record.clone(),
        }
    }
}

/// A value of RISON's common part: objects, `!(`lists`)`, `!t`, `!f`, `!n`, quoted and bare strings.
fn rison(letters: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Value> {
    if depth > DEPTH {
        return None;
    }
    match letters.peek()? {
        '(' => {
            letters.next();
            object(letters, depth)
        }
        '!' => {
            letters.next();
            match letters.next()? {
                't' => Some(Value::Bool(true)),
                'f' => Some(Value::Bool(false)),
                'n' => Some(Value::Null),
                '(' => list(letters, depth),
                _ => None,
            }
        }
        _ => word(letters).map(Value::String),
    }
}

fn object(letters: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Value> {
    let mut out = Map::new();
    if letters.next_if_eq(&')').is_some() {
        return Some(Value::Object(out));
    }
    loop {
        let name = word(letters)?;
        letters.next_if_eq(&':')?;
        out.insert(name, rison(letters, depth + 1)?);
        match letters.next()? {
            ',' => {}
            ')' => return Some(Value::Object(out)),
            _ => return None,
        }
    }
}

fn list(letters: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Value> {
    let mut out = Vec::new();
    if letters.next_if_eq(&')').is_some() {
        return Some(Value::Array(out));
    }
    loop {
        out.push(rison(letters, depth + 1)?);
        match letters.next()? {
            ',' => {}
            ')' => return Some(Value::Array(out)),
            _ => return None,
        }
    }
}

fn word(letters: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut out = String::new();
    if letters.next_if_eq(&'\'').is_some() {
        loop {
            match letters.next()? {
                '\'' => return Some(out),
                '!' => out.push(letters.next()?),
                letter => out.push(letter),
            }
        }
    }
    while let Some(letter) = letters.next_if(|letter| !matches!(letter, '(' | ')' | ',' | ':' | '!' | '\'')) {
        out.push(letter);
    }
    Some(out).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::Fields;

    #[test]
    fn the_four_forms_select_the_same() {
        let record = json!({ "uuid": "u", "id": 7, "taxon": { "id": 3, "name": "Aves", "rank": "class" }, "rest": 1,
            "photos": [{ "id": 1, "url": "a", "flags": [] }] });
        let expected =
            json!({ "uuid": "u", "id": 7, "taxon": { "id": 3, "name": "Aves" }, "photos": [{ "id": 1, "url": "a" }] });
        for text in [
            "id,taxon.name,photos.url",
            r#"{"id":true,"taxon":{"name":true},"photos":{"url":true}}"#,
            "(id:!t,taxon:(name:!t),photos:(url:!t))",
            "(id:!t,taxon:(name:!t,'rank':!f),photos:(url:!t))",
        ] {
            let fields = Fields::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(fields.select("uuid", &record), expected, "{text}");
        }
        assert_eq!(Fields::parse("all").map(|all| all.select("uuid", &record)), Some(record.clone()));
        assert_eq!(Fields::Default.select("uuid", &record), json!({ "uuid": "u" }));
        assert_eq!(Fields::parse("(id:!t"), None);
        assert_eq!(Fields::parse("id;drop"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[(){}!tfn:,'a-c]{0,200}") {
            if let Some(fields) = Fields::parse(&text) {
                fields.select("id", &json!({ "id": 1, "a": { "b": 2 } }));
            }
        }
    }
}
