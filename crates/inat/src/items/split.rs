//! One word into name, separator and value. The first separator counts, the longer of two at one place; a backslash before
//! a character of a separator makes it an ordinary one.

/// What stands between a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    Query,
    QueryFile,
    Json,
    JsonFile,
    Text,
    TextFile,
    Upload,
    Header,
    HeaderFile,
    EmptyHeader,
}

/// The longer ones first.
const SEPARATORS: [(&str, Separator); 9] = [
    (":=@", Separator::JsonFile),
    ("==@", Separator::QueryFile),
    ("==", Separator::Query),
    (":=", Separator::Json),
    ("=@", Separator::TextFile),
    (":@", Separator::HeaderFile),
    ("=", Separator::Text),
    ("@", Separator::Upload),
    (":", Separator::Header),
];

fn is_special(c: char) -> bool {
    matches!(c, ':' | '=' | '@' | ';')
}

/// `None` when there is no separator.
pub(super) fn split(word: &str) -> Option<(String, Separator, String)> {
    let mut name = String::new();
    let mut rest = word;
    while let Some(c) = rest.chars().next() {
        if let Some(escaped) = escaped(rest) {
            name.push(escaped);
            rest = &rest[1 + escaped.len_utf8()..];
            continue;
        }
        if let Some((text, separator)) = SEPARATORS.iter().find(|(text, _)| rest.starts_with(text)) {
            return Some((name, *separator, unescape(&rest[text.len()..])));
        }
        if rest == ";" {
            return Some((name, Separator::EmptyHeader, String::new()));
        }
        name.push(c);
        rest = &rest[c.len_utf8()..];
    }
    None
}

/// The character that a backslash at the start makes ordinary.
fn escaped(rest: &str) -> Option<char> {
    rest.strip_prefix('\\')?.chars().next().filter(|c| is_special(*c))
}

fn unescape(mut rest: &str) -> String {
    let mut text = String::with_capacity(rest.len());
    while let Some(c) = rest.chars().next() {
        let escaped = escaped(rest);
        text.push(escaped.unwrap_or(c));
        rest = &rest[escaped.map_or(c.len_utf8(), |escaped| 1 + escaped.len_utf8())..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use Separator::{EmptyHeader, Header, HeaderFile, Json, JsonFile, Query, QueryFile, Text, TextFile, Upload};

    #[test]
    fn the_first_and_longest_separator_counts() {
        let table = [
            ("q==monarch", "q", Query, "monarch"),
            ("q==", "q", Query, ""),
            ("name=a==b", "name", Text, "a==b"),
            ("q==a=b", "q", Query, "a=b"),
            ("n:=1", "n", Json, "1"),
            ("at=12:30", "at", Text, "12:30"),
            ("Accept:text/html; q=1", "Accept", Header, "text/html; q=1"),
            ("url==http://x/?a=b", "url", Query, "http://x/?a=b"),
            ("file@a=b.jpg", "file", Upload, "a=b.jpg"),
            ("@a.jpg", "", Upload, "a.jpg"),
            ("X-Empty;", "X-Empty", EmptyHeader, ""),
            ("a;b=c", "a;b", Text, "c"),
            ("t=@f", "t", TextFile, "f"),
            ("j:=@f", "j", JsonFile, "f"),
            ("q==@f", "q", QueryFile, "f"),
            ("H:@f", "H", HeaderFile, "f"),
            (r"a\=b=c", "a=b", Text, "c"),
            (r"a\:b:c", "a:b", Header, "c"),
            (r"p=C\:\dir\=", "p", Text, r"C:\dir="),
            (r"a\[b=c", r"a\[b", Text, "c"),
            ("ä=ö", "ä", Text, "ö"),
            (r"t=x\", "t", Text, r"x\"),
        ];
        for (word, name, separator, value) in table {
            assert_eq!(split(word), Some((name.to_owned(), separator, value.to_owned())), "{word}");
        }
        // As in HTTPie, a backslash does not escape a backslash: in `a\\=b` the second one escapes the `=`.
        for word in ["", "monarch", r"a\=b", r"a\\=b", "a;b", "\\"] {
            assert_eq!(split(word), None, "{word}");
        }
    }
}
