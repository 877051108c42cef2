//! Which requests a stored response answers besides its own (RFC 9111 §4.1).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Vary, fields};

impl Vary {
    /// What `Vary` in a response names, and what the request said there.
    pub fn of(response: &HeaderMap, request: &HeaderMap) -> Self {
        let mut vary = Self::default();
        for member in response.get_all(header::VARY).iter().flat_map(|line| fields::members(line.as_bytes())) {
            // What is no field name cannot be compared, and so never matches.
            match HeaderName::from_bytes(member) {
                Ok(name) if member != b"*" => vary.fields.push((name, None)),
                _ => vary.any = true,
            }
        }
        vary.fields.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        vary.fields.dedup();
        for (name, hash) in &mut vary.fields {
            *hash = hash_of(name, request);
        }
        vary
    }

    /// Whether a request says the same in every field. A field that is missing only matches one that is missing, an empty
    /// one only an empty one.
    pub fn matches(&self, request: &HeaderMap) -> bool {
        !self.any && self.fields.iter().all(|(name, hash)| *hash == hash_of(name, request))
    }
}

fn hash_of(name: &HeaderName, request: &HeaderMap) -> Option<[u8; 16]> {
    let mut lines = request.get_all(name).iter();
    let first = lines.next()?;
    let value = if lines.next().is_none() {
        normalised(name, first.as_bytes())
    } else {
        let all: Vec<&[u8]> = request.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        Cow::Owned(normalised(name, &all.join(&b", "[..])).into_owned())
    };
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(&value).as_bytes()[..16]);
    Some(hash)
}

/// Fields whose members are compared without regard to case and ordered by their weight (RFC 9110 §12.5).
const PREFERENCES: [HeaderName; 3] = [header::ACCEPT_CHARSET, header::ACCEPT_ENCODING, header::ACCEPT_LANGUAGE];

/// A value in a form that values of the same meaning share (§4.1): lines combined, no white space around commas, and for
/// preferences also one letter case, one way to write a weight, and the order that the weights say. Languages of equal weight
/// keep their order, for servers do look at it (RFC 9110 §12.5.4); codings and charsets have none.
fn normalised<'a>(name: &HeaderName, value: &'a [u8]) -> Cow<'a, [u8]> {
    if PREFERENCES.contains(name) {
        return Cow::Owned(preferences(value, *name == header::ACCEPT_LANGUAGE));
    }
    if !value.contains(&b',') {
        return Cow::Borrowed(value.trim_ascii());
    }
    Cow::Owned(fields::members(value).collect::<Vec<_>>().join(&b","[..]))
}

fn preferences(value: &[u8], is_ordered: bool) -> Vec<u8> {
    let mut members: Vec<(u16, Vec<u8>)> = fields::members(value)
        .map(|member| {
            let mut parts = member.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let mut plain = parts.next().unwrap_or_default().to_ascii_lowercase();
            let mut weight = 1000;
            for part in parts {
                match part {
                    [b'q' | b'Q', b'=', digits @ ..] if thousandths(digits).is_some() => {
                        weight = thousandths(digits).unwrap_or(weight);
                    }
                    other => {
                        plain.push(b';');
                        plain.extend(other.to_ascii_lowercase());
                    }
                }
            }
            (weight, plain)
        })
        .collect();
    if !is_ordered {
        members.sort();
    }
    members.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let mut all = Vec::with_capacity(value.len() + 8);
    for (weight, member) in members {
        all.extend(member);
        all.push(b';');
        all.extend(weight.to_be_bytes());
        all.push(b',');
    }
    all
}

/// A weight such as `0.5` in thousandths (RFC 9110 §12.4.2).
fn thousandths(weight: &[u8]) -> Option<u16> {
    let (whole, fraction) = match weight {
        [whole @ (b'0' | b'1')] => (whole, &[][..]),
        [whole @ (b'0' | b'1'), b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |at: usize| fraction.get(at).map_or(0, |digit| u16::from(digit - b'0'));
    let sum = u16::from(whole - b'0') * 1000 + digit(0) * 100 + digit(1) * 10 + digit(2);
    (sum <= 1000).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn values_of_one_meaning_match_and_others_do_not() {
        for (name, one, other, same) in [
            ("foo", &["1, 2"][..], &["1,2"][..], true),
            ("foo", &["1", "2"], &["1, 2"], true),
            ("foo", &["1"], &["2"], false),
            ("foo", &["a"], &["A"], false),
            ("foo", &["1, 2"], &["2, 1"], false),
            ("foo", &["\"a,b\""], &["\"a, b\""], false),
            ("foo", &[""], &[], false),
            ("foo", &[], &[], true),
            ("accept-language", &["en-GB"], &["EN-gb"], true),
            ("accept-language", &["en;q=0.5, de"], &["de;q=1.0,en; q=0.50"], true),
            ("accept-language", &["en, de"], &["de, en"], false),
            ("accept-language", &["en;q=0.5, de"], &["en, de;q=0.5"], false),
            ("accept-encoding", &["gzip", "br"], &["GZIP,br"], true),
            ("accept-encoding", &["gzip, br"], &["br, gzip"], true),
            ("accept-encoding", &["gzip, br;q=0.5"], &["br, gzip;q=0.5"], false),
            ("accept", &["a/b"], &["A/b"], false),
            ("cookie", &["a=1"], &["a=2"], false),
        ] {
            let lines = |values: &[&'static str]| map(&values.iter().map(|value| (name, *value)).collect::<Vec<_>>());
            let vary = Vary::of(&map(&[("vary", name)]), &lines(one));
            assert_eq!(vary.matches(&lines(other)), same, "{name}: {one:?} and {other:?}");
        }
    }

    #[test]
    fn names_are_a_set_and_an_asterisk_among_them_never_matches() {
        let vary = |lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| ("vary", *line)).collect();
            Vary::of(&map(&lines), &map(&[("a", "1")]))
        };
        assert_eq!(vary(&["A, b"]), vary(&["B", "a, a"]));
        assert!(vary(&["a, *"]).any && vary(&["*"]).any && vary(&["a b"]).any);
        assert_eq!(vary(&["", " , "]), Vary::default());
    }
}
