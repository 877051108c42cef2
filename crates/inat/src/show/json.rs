//! JSON, indented as it is: numbers, escapes, order and repeated names stay what they were. It reads tokens, not values, so
//! nothing is held in memory, and what is no JSON comes out readable all the same.

use std::io::{self, Write};

const NAME: &str = "\x1b[34m";
const TEXT: &str = "\x1b[32m";
const OTHER: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// Writes `json` with two spaces for each level.
pub(super) fn indent(json: &[u8], color: bool, out: &mut impl Write) -> io::Result<()> {
    let mut writer = Indenter { out, color, depth: 0 };
    let mut rest = json.trim_ascii();
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'{' | b'[' => writer.open(*first, after)?,
            b'}' | b']' => {
                writer.depth = writer.depth.saturating_sub(1);
                writer.line()?;
                writer.out.write_all(&[*first])?;
                after
            }
            b',' => {
                writer.out.write_all(b",")?;
                writer.line()?;
                after
            }
            b':' => {
                writer.out.write_all(b": ")?;
                after
            }
            b'"' => {
                let (text, after) = rest.split_at(text_length(rest));
                let is_name = after.trim_ascii_start().first() == Some(&b':');
                writer.token(text, if is_name { NAME } else { TEXT })?;
                after
            }
            c if c.is_ascii_whitespace() => after,
            _ => {
                let ends = |c: &u8| c.is_ascii_whitespace() || b"{}[],:\"".contains(c);
                let (word, after) = rest.split_at(rest.iter().position(ends).unwrap_or(rest.len()));
                writer.token(word, OTHER)?;
                after
            }
        };
    }
    Ok(())
}

/// The length of the text at the start, quotes included.
fn text_length(rest: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

struct Indenter<'a, W> {
    out: &'a mut W,
    color: bool,
    depth: usize,
}

impl<W: Write> Indenter<'_, W> {
    /// An empty object or list stays on one line.
    fn open<'j>(&mut self, bracket: u8, after: &'j [u8]) -> io::Result<&'j [u8]> {
        let closing = if bracket == b'{' { b'}' } else { b']' };
        let inside = after.trim_ascii_start();
        self.out.write_all(&[bracket])?;
        if let Some((first, after)) = inside.split_first()
            && *first == closing
        {
            self.out.write_all(&[closing])?;
            return Ok(after);
        }
        self.depth += 1;
        self.line()?;
        Ok(after)
    }

    fn line(&mut self) -> io::Result<()> {
        // Nobody reads what stands further right, and a hostile body could ask for as many spaces as it has brackets, squared.
        const SPACES: [u8; 200] = [b' '; 200];
        self.out.write_all(b"\n")?;
        self.out.write_all(&SPACES[..(2 * self.depth).min(SPACES.len())])
    }

    fn token(&mut self, token: &[u8], color: &str) -> io::Result<()> {
        if !self.color {
            return self.out.write_all(token);
        }
        self.out.write_all(color.as_bytes())?;
        self.out.write_all(token)?;
        self.out.write_all(RESET.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn indented(json: &str) -> String {
        let mut out = Vec::new();
        indent(json.as_bytes(), false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_stay_as_they_were() {
        assert_eq!(
            indented(r#"{"a":1.50,"b":[1,2,{}],"c":"x\"}, ö","a":[],"d":{"e":null}}"#),
            "{\n  \"a\": 1.50,\n  \"b\": [\n    1,\n    2,\n    {}\n  ],\n  \"c\": \"x\\\"}, ö\",\n  \"a\": [],\n  \"d\": {\n    \"e\": null\n  }\n}"
        );
        assert_eq!(indented(" 17 "), "17");
        assert_eq!(indented(""), "");
        assert_eq!(indented("[ ]"), "[]");
    }

    #[test]
    fn names_and_values_differ_in_colour() {
        let mut out = Vec::new();
        indent(br#"{"a":"b"}"#, true, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\x1b[34m\"a\"\x1b[0m: \x1b[32m\"b\"\x1b[0m"), "{text:?}");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((".{0,4}", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_means_the_same(value in json()) {
            prop_assert_eq!(serde_json::from_str::<Value>(&indented(&value.to_string())).unwrap(), value);
        }

        #[test]
        fn nothing_makes_it_panic_or_lose_words(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut out = Vec::new();
            indent(&bytes, false, &mut out).unwrap();
            let bare = |bytes: &[u8]| bytes.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect::<Vec<_>>();
            prop_assert_eq!(bare(&out), bare(&bytes));
        }
    }
}
