//! How the metadata of an entry stands in its row: numbers of fixed width first, then texts with their length before them.
//!
//! A hit pays for this, so nothing is parsed that can be copied: the policy is already numbers, and field values share one
//! allocation. Everything stands under one checksum seeded with the row's number.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::frame::checksum;
use crate::Timestamp;
use crate::cache::{Entry, Flags, Identity, Key, LifetimeSource, Part, Policy, StoredUrl, Vary};

/// What a row says.
pub(super) struct Record {
    /// The whole key.
    pub(super) key: Key,
    /// Length of the body, unpacked.
    pub(super) body_len: u64,
    /// The entry.
    pub(super) entry: Entry,
}

/// The metadata of the row `id`.
pub(super) fn encode(key: &Key, entry: &Entry, body_len: u64, id: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.put_u64_le(0);
    out.put_slice(&key.0);
    out.put_u64_le(body_len);
    put_policy(&mut out, &entry.policy);
    out.put_slice(&entry.identity.bytes());
    out.put_u16_le(entry.status.as_u16());
    match entry.part {
        None => out.put_u8(0),
        Some(Part { first, last, whole }) => {
            out.put_u8(1);
            for number in [first, last, whole] {
                out.put_u64_le(number);
            }
        }
    }
    put_text(&mut out, entry.method.as_str().as_bytes());
    put_text(&mut out, entry.url.as_str().as_bytes());
    put_vary(&mut out, &entry.vary);
    put_count(&mut out, entry.headers.len());
    for (name, value) in &entry.headers {
        put_text(&mut out, name.as_str().as_bytes());
        put_text(&mut out, value.as_bytes());
    }
    let sum = checksum(id, &out[8..]);
    out[..8].copy_from_slice(&sum.to_le_bytes());
    out
}

/// What the row `id` says; `None` when it is damaged.
pub(super) fn decode(row: &[u8], id: i64) -> Option<Record> {
    let (sum, rest) = row.split_first_chunk::<8>()?;
    if u64::from_le_bytes(*sum) != checksum(id, rest) {
        return None;
    }
    // Only field values outlive this, and they share one allocation.
    let shared = Bytes::copy_from_slice(rest);
    let mut from: &[u8] = &shared;
    let key = Key(take_array(&mut from)?);
    let body_len = from.try_get_u64_le().ok()?;
    let policy = take_policy(&mut from)?;
    let identity = take_identity(&mut from)?;
    let status = StatusCode::from_u16(from.try_get_u16_le().ok()?).ok()?;
    let part = match from.try_get_u8().ok()? {
        0 => None,
        _ => Some(Part {
            first: from.try_get_u64_le().ok()?,
            last: from.try_get_u64_le().ok()?,
            whole: from.try_get_u64_le().ok()?,
        }),
    };
    let method = Method::from_bytes(take_text(&mut from)?).ok()?;
    let url = StoredUrl::from_text(std::str::from_utf8(take_text(&mut from)?).ok()?);
    let vary = take_vary(&mut from)?;
    let headers = take_headers(&mut from, &shared)?;
    let entry = Entry { method, url, identity, status, headers, vary, policy, part };
    Some(Record { key, body_len, entry })
}

fn put_policy(out: &mut Vec<u8>, policy: &Policy) {
    out.put_i64_le(policy.request_time.as_micros());
    out.put_i64_le(policy.response_time.as_micros());
    let spans = [policy.initial_age, policy.lifetime, policy.stale_while_revalidate, policy.stale_if_error];
    for span in spans {
        out.put_u64_le(span.as_secs());
        out.put_u32_le(span.subsec_nanos());
    }
    out.put_u8(policy.source as u8);
    out.put_u32_le(policy.flags.0);
}

fn take_policy(from: &mut &[u8]) -> Option<Policy> {
    let request_time = Timestamp::from_micros(from.try_get_i64_le().ok()?);
    let response_time = Timestamp::from_micros(from.try_get_i64_le().ok()?);
    let mut span = || -> Option<Duration> {
        let (secs, nanos) = (from.try_get_u64_le().ok()?, from.try_get_u32_le().ok()?);
        // `Duration::new` panics when nanoseconds carry over the end.
        Some(if nanos < 1_000_000_000 { Duration::new(secs, nanos) } else { Duration::from_secs(secs) })
    };
    let (initial_age, lifetime) = (span()?, span()?);
    let (stale_while_revalidate, stale_if_error) = (span()?, span()?);
    let source = LifetimeSource::from_number(from.try_get_u8().ok()?)?;
    let flags = Flags(from.try_get_u32_le().ok()?);
    Some(Policy {
        request_time,
        response_time,
        initial_age,
        lifetime,
        stale_while_revalidate,
        stale_if_error,
        source,
        flags,
    })
}

fn take_identity(from: &mut &[u8]) -> Option<Identity> {
    let [marker, hash @ ..] = take_array::<17>(from)?;
    Some(if marker == 0 { Identity::Anonymous } else { Identity::Owner(hash) })
}

fn put_vary(out: &mut Vec<u8>, vary: &Vary) {
    out.put_u8(u8::from(vary.any));
    put_count(out, vary.fields.len());
    for (name, hash) in &vary.fields {
        put_text(out, name.as_str().as_bytes());
        out.put_u8(u8::from(hash.is_some()));
        out.put_slice(hash.as_ref().map_or(&[], |hash| &hash[..]));
    }
}

fn take_vary(from: &mut &[u8]) -> Option<Vary> {
    let any = from.try_get_u8().ok()? != 0;
    let mut fields = Vec::new();
    for _ in 0..from.try_get_u32_le().ok()? {
        let name = HeaderName::from_bytes(take_text(from)?).ok()?;
        let hash = if from.try_get_u8().ok()? == 0 { None } else { Some(take_array(from)?) };
        fields.push((name, hash));
    }
    Some(Vary { fields, any })
}

fn take_headers(from: &mut &[u8], shared: &Bytes) -> Option<HeaderMap> {
    let count = usize::try_from(from.try_get_u32_le().ok()?).ok()?;
    // A field takes eight bytes at least, which bounds what a forged count can make us allocate. One more is for `Age`.
    let mut headers = HeaderMap::try_with_capacity(count.min(from.len() / 8) + 1).ok()?;
    for _ in 0..count {
        let name = HeaderName::from_bytes(take_text(from)?).ok()?;
        let value = HeaderValue::from_maybe_shared(shared.slice_ref(take_text(from)?)).ok()?;
        headers.try_append(name, value).ok()?;
    }
    Some(headers)
}

/// Counts and lengths are 32 bits: the parser of HTTP stops far below.
fn put_count(out: &mut Vec<u8>, count: usize) {
    out.put_u32_le(u32::try_from(count).unwrap_or(u32::MAX));
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_count(out, text.len());
    out.put_slice(text);
}

fn take_text<'row>(from: &mut &'row [u8]) -> Option<&'row [u8]> {
    let len = usize::try_from(from.try_get_u32_le().ok()?).ok()?;
    from.split_off(..len)
}

fn take_array<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let mut array = [0; N];
    from.try_copy_to_slice(&mut array).ok()?;
    Some(array)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_entry_comes_back_as_it_was(entry in entries(), key: [u8; 32], len: u64, id: i64) {
            let back = decode(&encode(&Key(key), &entry, len, id), id).unwrap();
            prop_assert_eq!(back.key, Key(key));
            prop_assert_eq!(back.body_len, len);
            prop_assert_eq!(back.entry, entry);
        }

        #[test]
        fn a_damaged_or_strayed_record_is_refused(entry in entries(), id: i64, at: prop::sample::Index, bit in 0u8..8) {
            let mut row = encode(&Key([7; 32]), &entry, 1, id);
            prop_assert!(decode(&row, id.wrapping_add(1)).is_none());
            let at = at.index(row.len());
            row[at] ^= 1 << bit;
            prop_assert!(decode(&row, id).is_none());
        }

        #[test]
        fn nothing_in_a_file_makes_it_panic(entry in entries(), cut: prop::sample::Index, junk: Vec<u8>, id: i64) {
            let row = encode(&Key([7; 32]), &entry, 1, id);
            let mut row = row[..8 + cut.index(row.len() - 8)].to_vec();
            row.extend(junk);
            let sum = checksum(id, &row[8..]);
            row[..8].copy_from_slice(&sum.to_le_bytes());
            let _ = decode(&row, id);
        }
    }

    fn entries() -> impl Strategy<Value = Entry> {
        let name = || "[a-z][a-z0-9-]{0,20}".prop_map(|name| name.parse::<HeaderName>().unwrap());
        let value = prop::collection::vec(prop_oneof![Just(b'\t'), 32u8..127, 128u8..=255], 0..60);
        let headers = prop::collection::vec((name(), value), 0..20).prop_map(|fields| {
            let fields = fields.into_iter().map(|(name, value)| (name, HeaderValue::from_bytes(&value).unwrap()));
            let mut headers = HeaderMap::new();
            fields.for_each(|(name, value)| _ = headers.append(name, value));
            headers
        });
        let vary = (prop::collection::vec((name(), any::<Option<[u8; 16]>>()), 0..4), any::<bool>())
            .prop_map(|(fields, any)| Vary { fields, any });
        let url = "/[a-z0-9/]{0,40}(\\?[a-z0-9=&%]{0,40})?"
            .prop_map(|rest| format!("https://api.inaturalist.org{rest}").parse::<StoredUrl>().unwrap());
        let method = prop_oneof![Just(Method::GET), "[A-Z]{1,12}".prop_map(|name| name.parse().unwrap())];
        let part =
            any::<Option<[u64; 3]>>().prop_map(|part| part.map(|[first, last, whole]| Part { first, last, whole }));
        let identity = any::<Option<[u8; 16]>>().prop_map(|hash| hash.map_or(Identity::Anonymous, Identity::Owner));
        (method, url, identity, 100u16..1000, headers, vary, policies(), part).prop_map(
            |(method, url, identity, status, headers, vary, policy, part)| Entry {
                method,
                url,
                identity,
                status: StatusCode::from_u16(status).unwrap(),
                headers,
                vary,
                policy,
                part,
            },
        )
    }

    fn policies() -> impl Strategy<Value = Policy> {
        (any::<[i64; 2]>(), any::<[Duration; 4]>(), 0u8..8, any::<u32>()).prop_map(|(times, spans, source, flags)| {
            Policy {
                request_time: Timestamp::from_micros(times[0]),
                response_time: Timestamp::from_micros(times[1]),
                initial_age: spans[0],
                lifetime: spans[1],
                stale_while_revalidate: spans[2],
                stale_if_error: spans[3],
                source: LifetimeSource::from_number(source).unwrap(),
                flags: Flags(flags),
            }
        })
    }
}
