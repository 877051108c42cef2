//! What one word of the command line means.

use std::path::Path;

use inat_session::Upload;
use serde_json::Value;

use super::BadItem;
use super::split::{Separator, split};

/// One part of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// A query parameter.
    Query { name: String, value: String },
    /// A header field.
    Header { name: String, value: String },
    /// A field of the body; `raw` when it was written as JSON.
    Field { name: String, value: Value, raw: bool },
    /// A file to upload.
    Upload(Upload),
}

impl Item {
    /// Whether it says who asks.
    pub(crate) fn is_credential(&self) -> bool {
        matches!(self, Self::Header { name, .. } if name.eq_ignore_ascii_case("authorization"))
    }
}

/// Reads one word. Files named in it are read as well.
pub(crate) fn parse(word: &str) -> Result<Item, BadItem> {
    let Some((name, separator, value)) = split(word) else {
        return Err(BadItem::new(
            format!("`{}` is no item", shown(word)),
            "write name==value for a query parameter, name=value for a field; see `inat help items`",
        ));
    };
    let named = |name: String| {
        let nameless = || BadItem::new(format!("`{}` has no name", shown(word)), "write a name before the separator");
        Some(name).filter(|name| !name.is_empty()).ok_or_else(nameless)
    };
    Ok(match separator {
        Separator::Query => Item::Query { name: named(name)?, value },
        Separator::QueryFile => Item::Query { name: named(name)?, value: text_file(&value)? },
        Separator::Header => header(named(name)?, value, word)?,
        Separator::HeaderFile => Item::Header { name: named(name)?, value: text_file(&value)?.trim().to_owned() },
        Separator::EmptyHeader => Item::Header { name: named(name)?, value: String::new() },
        Separator::Text => Item::Field { name: named(name)?, value: value.into(), raw: false },
        Separator::TextFile => Item::Field { name: named(name)?, value: text_file(&value)?.into(), raw: false },
        // Without a name it is the whole body.
        Separator::Json => Item::Field { value: json(&value, &name)?, name, raw: true },
        Separator::JsonFile => Item::Field { value: json(&text_file(&value)?, &name)?, name, raw: true },
        Separator::Upload => upload(name, &value, word)?,
    })
}

fn header(name: String, value: String, word: &str) -> Result<Item, BadItem> {
    if matches!(name.to_ascii_lowercase().as_str(), "http" | "https") && value.starts_with("//") {
        return Err(BadItem::new(
            format!("`{}` is a URL, not an item", shown(word)),
            "one command asks one URL, and it stands before the items",
        ));
    }
    if value.is_empty() {
        return Err(BadItem::new(
            format!("`{}` has no value", shown(word)),
            "write `Header;` for a field without a value; fields of the session's own cannot be taken away",
        ));
    }
    Ok(Item::Header { name, value })
}

fn json(text: &str, name: &str) -> Result<Value, BadItem> {
    serde_json::from_str(text).map_err(|problem| {
        let whose = if name.is_empty() { "the body".to_owned() } else { format!("`{}`", shown(name)) };
        BadItem::new(
            format!("{whose} is no JSON: {problem}"),
            "write name=value for a text, or quote it: name:='\"text\"'",
        )
    })
}

fn upload(name: String, source: &str, word: &str) -> Result<Item, BadItem> {
    let upload = match source {
        "" => return Err(BadItem::new(format!("`{}` names no file", shown(word)), "write name@FILE")),
        "-" => Upload::reader("stdin", std::io::stdin().lock()),
        url if url.starts_with("http://") || url.starts_with("https://") => Upload::url(url),
        path if is_pipe(path) => {
            Upload::reader(file_name(path), std::fs::File::open(path).map_err(|problem| unreadable(path, &problem))?)
        }
        path => Upload::path(path),
    };
    Ok(Item::Upload(if name.is_empty() { upload } else { upload.field(name) }))
}

/// Something that has to be read to its end to know how much it is: a pipe, as shells make them for `<(…)`.
fn is_pipe(path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir())
}

fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| "file".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// More than this is no value of a field.
const LARGEST: u64 = 32 << 20;

fn text_file(path: &str) -> Result<String, BadItem> {
    use std::io::Read;

    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
    match read.map_err(|problem| unreadable(path, &problem))? {
        read if read as u64 > LARGEST => Err(unreadable(path, &"it is larger than 32 MiB")),
        _ => Ok(text),
    }
}

fn unreadable(path: &str, problem: &dyn std::fmt::Display) -> BadItem {
    BadItem::new(format!("`{path}` cannot be read: {problem}"), "name a file that is there, and may be read")
}

/// A word as it may be shown: only its start, and nothing after the separator, for it may be a secret.
fn shown(word: &str) -> String {
    let name: String = word.chars().take_while(|c| !matches!(c, '=' | ':')).take(40).collect();
    let cut = name.len() < word.len();
    if cut { format!("{name}…") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn field(name: &str, value: Value, raw: bool) -> Item {
        Item::Field { name: name.to_owned(), value, raw }
    }

    #[test]
    fn words_mean_what_httpie_says() {
        let table = [
            ("q==monarch", Item::Query { name: "q".into(), value: "monarch".into() }),
            ("X-A:b", Item::Header { name: "X-A".into(), value: "b".into() }),
            ("X-A;", Item::Header { name: "X-A".into(), value: String::new() }),
            ("a=1", field("a", json!("1"), false)),
            ("a=", field("a", json!(""), false)),
            ("a:=1", field("a", json!(1), true)),
            ("a:=[true,null]", field("a", json!([true, null]), true)),
            (":={\"a\":1}", field("", json!({"a": 1}), true)),
            ("@x.jpg", Item::Upload(Upload::path("x.jpg"))),
            ("sound@x.wav", Item::Upload(Upload::path("x.wav").field("sound"))),
            ("@https://h.org/x.jpg", Item::Upload(Upload::url("https://h.org/x.jpg"))),
        ];
        for (word, expected) in table {
            assert_eq!(parse(word), Ok(expected), "{word}");
        }
    }

    #[test]
    fn bad_words_come_with_a_hint_and_without_their_value() {
        for word in
            ["monarch", "", "==x", "=x", ":x", ";", "a:=T0P", "Token:", "file@", "https://h.org/", "a=@/no/such/file"]
        {
            let bad = parse(word).unwrap_err();
            assert!(!bad.hint.is_empty() && !bad.what.contains("T0P"), "{word}: {}", bad.what);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_read_to_its_end() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, b"jpeg").unwrap();
        drop(writer);
        let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let Ok(Item::Upload(upload)) = parse(&format!("photo@{path}")) else { panic!("{path}") };
        assert!(
            matches!(&upload.source, inat_session::UploadSource::Bytes(bytes) if &bytes[..] == b"jpeg"),
            "{upload:?}"
        );
    }

    #[test]
    fn values_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v");
        std::fs::write(&path, "[1]\n").unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(parse(&format!("a:=@{path}")), Ok(field("a", json!([1]), true)));
        assert_eq!(parse(&format!("a=@{path}")), Ok(field("a", json!("[1]\n"), false)));
        assert_eq!(parse(&format!("A:@{path}")), Ok(Item::Header { name: "A".into(), value: "[1]".into() }));
    }

    proptest! {
        #[test]
        fn no_word_makes_it_panic(word in "[a:=@;\\\\\\[\\]\"1{}ä -]{0,16}") {
            prop_assume!(!word.ends_with("@-"));
            let _ = parse(&word);
        }
    }
}
