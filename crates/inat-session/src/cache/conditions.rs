//! Entity tags, conditions to validate with (RFC 9111 §4.3.1), and the caller's own conditions (§4.3.2, RFC 9110 §13).

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};

use super::{Asked, Entry, fields};
use crate::Timestamp;

/// More than this many tags in one `If-None-Match` is more than a server wants to read.
const MOST_TAGS: usize = 32;

/// An entity tag (RFC 9110 §8.8.3). One without quotes is wrong, but common, and compared as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    pub(crate) weak: bool,
    opaque: &'a [u8],
}

impl<'a> Tag<'a> {
    fn of(text: &'a [u8]) -> Self {
        match text {
            [b'W' | b'w', b'/', opaque @ ..] => Self { weak: true, opaque },
            opaque => Self { weak: false, opaque },
        }
    }

    /// The `ETag` of a response.
    pub(crate) fn in_response(headers: &'a HeaderMap) -> Option<Self> {
        fields::once(headers, &header::ETAG).filter(|text| !text.is_empty()).map(Self::of)
    }

    /// RFC 9110 §8.8.3.2.
    pub(crate) fn matches_strongly(self, other: Tag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }

    /// RFC 9110 §8.8.3.2.
    pub(crate) fn matches_weakly(self, other: Tag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

/// The caller's or our `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoneOf<'a> {
    Any,
    Tags(Vec<Tag<'a>>),
}

impl<'a> NoneOf<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        headers.contains_key(header::IF_NONE_MATCH).then(|| {
            let lines = headers.get_all(header::IF_NONE_MATCH).iter().map(|line| line.as_bytes().trim_ascii());
            let tags: Vec<_> = lines.flat_map(tags).collect();
            if tags.contains(&Tag::of(b"*")) { Self::Any } else { Self::Tags(tags) }
        })
    }

    /// Whether it names this tag and no other.
    pub(crate) fn names_only(&self, tag: Tag<'_>) -> bool {
        match self {
            Self::Any => false,
            Self::Tags(tags) => !tags.is_empty() && tags.iter().all(|own| own.matches_weakly(tag)),
        }
    }

    pub(crate) fn names(&self, tag: Tag<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|own| own.matches_weakly(tag)),
        }
    }
}

/// The members of a list of entity tags; unlike other quoted strings they have no escapes.
fn tags(line: &[u8]) -> impl Iterator<Item = Tag<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|byte| !matches!(byte, b',' | b' ' | b'\t'))?;
        let text = &rest[start..];
        let quote = text.iter().position(|byte| matches!(byte, b'"' | b','));
        let end = match quote.filter(|at| text[*at] == b'"') {
            Some(open) => text[open + 1..].iter().position(|byte| *byte == b'"').map(|close| open + close + 2),
            None => quote,
        };
        let (tag, after) = text.split_at(end.unwrap_or(text.len()));
        rest = after;
        Some(Tag::of(tag.trim_ascii()))
    })
}

/// The conditions that ask whether stored variants still hold. `candidates` are those whose body could answer this request,
/// `selected` is the one that would, were it fresh.
///
/// The caller's own tags go along, so that one request settles both questions; its `If-Modified-Since` gives way to ours,
/// for what comes back freshens our copy, and the caller's date is compared with that.
pub(crate) fn to_validate(asked: &Asked<'_>, candidates: &[&Arc<Entry>], selected: Option<&Entry>) -> HeaderMap {
    let mut conditions = HeaderMap::new();
    let own = NoneOf::of(asked.headers);
    if own == Some(NoneOf::Any) {
        return conditions;
    }
    let mut tags: Vec<&[u8]> = Vec::new();
    let stored = candidates.iter().filter_map(|entry| fields::once(&entry.headers, &header::ETAG));
    for tag in stored.filter(|tag| !tag.is_empty()).take(MOST_TAGS) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if !tags.is_empty() {
        let own = asked.headers.get_all(header::IF_NONE_MATCH).iter().map(|line| line.as_bytes().trim_ascii());
        tags.extend(own.filter(|line| !line.is_empty()));
        tags.dedup();
        if let Ok(list) = HeaderValue::from_bytes(&tags.join(&b", "[..])) {
            conditions.insert(header::IF_NONE_MATCH, list);
        }
    }
    let caller_has_tags = own.is_some();
    if let Some(modified) = selected.and_then(|entry| entry.headers.get(header::LAST_MODIFIED))
        && !(caller_has_tags && tags.is_empty())
    {
        conditions.insert(header::IF_MODIFIED_SINCE, modified.clone());
    }
    conditions
}

/// Whether the caller's own conditions say that the caller has this representation already (RFC 9110 §13.2.2, RFC 9111
/// §4.3.2).
pub(crate) fn caller_has(asked: &Asked<'_>, entry: &Entry, now: Timestamp) -> bool {
    if let Some(none_of) = NoneOf::of(asked.headers) {
        return match Tag::in_response(&entry.headers) {
            Some(tag) => none_of.names(tag),
            None => none_of == NoneOf::Any,
        };
    }
    // RFC 9110 §13.1.3: one that has several members is ignored, be they the same.
    if asked.headers.get_all(header::IF_MODIFIED_SINCE).iter().count() != 1 {
        return false;
    }
    let Some(since) = fields::date(asked.headers, &header::IF_MODIFIED_SINCE, now) else { return false };
    // Without Last-Modified, it was at least not modified after it was made.
    let modified = fields::date(&entry.headers, &header::LAST_MODIFIED, now)
        .or_else(|| fields::date(&entry.headers, &header::DATE, now))
        .unwrap_or(entry.policy.response_time);
    modified <= since
}

/// Whether `If-Range`, if there is one, lets the range be answered from this representation (RFC 9110 §13.1.5): an equal
/// strong tag, or exactly its date, if that is a strong validator (§8.8.2.2).
pub(crate) fn if_range_holds(asked: &Asked<'_>, entry: &Entry) -> bool {
    let Some(value) = asked.headers.get(header::IF_RANGE) else { return true };
    let value = value.as_bytes().trim_ascii();
    if value.starts_with(b"\"") || value.starts_with(b"W/") {
        return Tag::in_response(&entry.headers).is_some_and(|tag| tag.matches_strongly(Tag::of(value)));
    }
    let now = entry.policy.response_time;
    let date = |name| fields::date(&entry.headers, name, now);
    match (super::dates::parse(value, now), date(&header::LAST_MODIFIED), date(&header::DATE)) {
        (Some(wanted), Some(modified), Some(date)) => wanted == modified && modified < date,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_split_at_commas_outside_quotes() {
        let list = |line: &str| tags(line.as_bytes()).map(|tag| (tag.weak, tag.opaque.to_vec())).collect::<Vec<_>>();
        assert_eq!(
            list("\"a,b\", W/\"c\",,\"\\\" , bare"),
            [
                (false, b"\"a,b\"".to_vec()),
                (true, b"\"c\"".to_vec()),
                (false, b"\"\\\"".to_vec()),
                (false, b"bare".to_vec()),
            ]
        );
        assert_eq!(list("\"open"), [(false, b"\"open".to_vec())]);
        assert_eq!(list(" , "), []);
    }
}
