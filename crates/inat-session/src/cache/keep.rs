//! What to do with an answer of the server: store it, update what is stored, or neither (RFC 9111 §3, §4.3.3–5).

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, header};
use url::Position;

use super::directives::RequestDirectives;
use super::{
    Asked, Entry, Identity, LifetimeSource, Part, Received, Rules, Vary, WhyNot, combine, compile, fields, freshen,
    key, look, range, storing,
};

/// What to do with an answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Store it, with its body.
    Store(Box<Entry>),
    /// 304: the stored body of this variant is the answer, with these metadata.
    Freshen {
        /// Which variant.
        index: usize,
        /// What is known about it now.
        entry: Box<Entry>,
        /// Other variants it says something about, with what is known about them now (RFC 9111 §4.3.4).
        also: Vec<(usize, Box<Entry>)>,
    },
    /// 304, but nothing stored matches it: ask once more, without any condition.
    Useless304,
    /// The answer to a `HEAD`, to be handed on; it says something new about these stored variants (RFC 9111 §4.3.5).
    Update(Vec<(usize, Box<Entry>)>),
    /// A 206, to be handed on; together with a stored variant it makes this entry, whose body is [`super::splice`]d
    /// (RFC 9111 §3.4).
    Combine {
        /// Which variant.
        index: usize,
        /// What they are together.
        entry: Box<Entry>,
        /// The range that arrived.
        part: Part,
    },
    /// Do not store it, and remove these variants: it shows that they are outdated.
    Forget {
        /// Which variants.
        indexes: Vec<usize>,
        /// Why it is not stored itself.
        why: WhyNot,
    },
    /// Do not store it.
    Nothing(WhyNot),
}

/// Decides what to do with an answer. `sent` are the fields that were sent, our conditions included; `variants` are those
/// [`super::look`] was shown.
pub fn keep(
    asked: &Asked<'_>,
    sent: &HeaderMap,
    variants: &[Arc<Entry>],
    received: &Received<'_>,
    identity: Identity,
    rules: &Rules,
) -> Keep {
    let method = rules.method(asked.method, asked.headers);
    if !rules.allows(&method) {
        return Keep::Nothing(WhyNot::Method);
    }
    if rules.disabled || rules.lifetimes.bypasses(asked.url, asked.lifetime) {
        return Keep::Nothing(WhyNot::Bypass);
    }
    if RequestDirectives::of(asked.headers).no_store {
        return Keep::Nothing(WhyNot::NoStore);
    }
    if received.status == StatusCode::NOT_MODIFIED {
        return freshen::not_modified(asked, sent, variants, received, rules);
    }
    if !received.complete && method != Method::HEAD {
        return Keep::Nothing(WhyNot::Incomplete);
    }
    match (received.status, &method) {
        (StatusCode::OK, &Method::HEAD) => {
            let known = freshen::by_head(asked, variants, received, rules);
            if !known.is_empty() {
                return Keep::Update(known);
            }
        }
        // An error in answer to a `HEAD` says nothing about the body of a `GET`, and must not take its place.
        (_, &Method::HEAD) if variants.iter().any(|variant| variant.method != Method::HEAD) => {
            return Keep::Nothing(WhyNot::Head);
        }
        (StatusCode::PARTIAL_CONTENT, _) => return partial(asked, sent, variants, received, identity, rules),
        _ => {}
    }
    match candidate(asked, received, identity, rules) {
        Ok(entry) => Keep::Store(entry),
        Err(why) => not_stored(asked, variants, received.status, why),
    }
}

/// The entry that the answer to a write makes for later reads of the same URL, if it says itself that it is what a `GET` would
/// get (`Content-Location`), and for how long (RFC 9110 §9.3.3 for `POST`, RFC 5789 §2 for `PATCH`). The write itself is never
/// answered by it.
pub fn keep_written(
    asked: &Asked<'_>,
    received: &Received<'_>,
    identity: Identity,
    rules: &Rules,
) -> Option<Box<Entry>> {
    let bypassed = rules.disabled || rules.lifetimes.bypasses(asked.url, asked.lifetime);
    let may_be_read = matches!(*asked.method, Method::POST | Method::PATCH) && received.status == StatusCode::OK;
    let forbidden = bypassed || !received.complete || RequestDirectives::of(asked.headers).no_store;
    if !may_be_read || forbidden || !rules.allows(&Method::GET) || !is_of_target(asked, received.headers) {
        return None;
    }
    let entry = candidate(&Asked { method: &Method::GET, ..*asked }, received, identity, rules).ok()?;
    let is_fresh = entry.policy.lifetime > entry.policy.initial_age;
    (entry.policy.source == LifetimeSource::Headers && is_fresh).then_some(entry)
}

/// Whether `Content-Location` says that the content is of the very URL that was asked.
fn is_of_target(asked: &Asked<'_>, headers: &HeaderMap) -> bool {
    let location = fields::once(headers, &header::CONTENT_LOCATION).and_then(|text| std::str::from_utf8(text).ok());
    let target = &asked.url[..Position::AfterQuery];
    location.and_then(|text| asked.url.join(text).ok()).is_some_and(|url| url[..Position::AfterQuery] == *target)
}

/// The entry an answer would be, or why it is not stored.
fn candidate(
    asked: &Asked<'_>,
    received: &Received<'_>,
    identity: Identity,
    rules: &Rules,
) -> Result<Box<Entry>, WhyNot> {
    let policy = compile::policy(asked, received.status, received.headers, received, rules);
    if let Some(why) = storing::refusal(received, &policy, rules) {
        return Err(why);
    }
    let vary = Vary::of(received.headers, asked.headers);
    if vary.any && !compile::has_validator(received.headers) {
        return Err(WhyNot::VaryAny);
    }
    Ok(Box::new(Entry {
        method: rules.method(asked.method, asked.headers),
        url: key::shown_url(asked.url, rules).into(),
        identity,
        status: received.status,
        headers: storing::fields(received, rules),
        vary,
        policy,
        part: None,
    }))
}

/// An answer that is not stored may still show that what is stored is wrong: the resource has other content now, has moved
/// for good or is gone. Errors of the server, refusals (401, 403, 429) and detours (302, 307) show nothing.
fn not_stored(asked: &Asked<'_>, variants: &[Arc<Entry>], status: StatusCode, why: WhyNot) -> Keep {
    if !(status.is_success() || matches!(status.as_u16(), 301 | 308 | 404 | 410)) {
        return Keep::Nothing(why);
    }
    // A part has no body for a request that wants the whole, and is outdated all the same.
    let is_of_same = |variant: &Entry| *asked.method == Method::GET && variant.method == Method::GET;
    forget(variants, why, |variant| {
        variant.vary.matches(asked.headers) && (is_of_same(variant) || look::has_body_for(asked, variant))
    })
}

fn forget(variants: &[Arc<Entry>], why: WhyNot, is_outdated: impl Fn(&Entry) -> bool) -> Keep {
    let outdated = variants.iter().enumerate().filter(|(_, variant)| is_outdated(variant));
    let indexes: Vec<usize> = outdated.map(|(index, _)| index).collect();
    if indexes.is_empty() { Keep::Nothing(why) } else { Keep::Forget { indexes, why } }
}

/// A 206 (§3.3, §3.4): joined with what is stored where a strong tag allows, else kept as a part of its own, but never in
/// place of a whole that may still be right.
fn partial(
    asked: &Asked<'_>,
    sent: &HeaderMap,
    variants: &[Arc<Entry>],
    received: &Received<'_>,
    identity: Identity,
    rules: &Rules,
) -> Keep {
    let range = range::content_range(received.headers).filter(|_| sent.contains_key(header::RANGE));
    let Some(part) = range else { return Keep::Nothing(WhyNot::Range) };
    let entry = match candidate(asked, received, identity, rules) {
        Ok(entry) => entry,
        Err(why) => {
            return forget(variants, why, |variant| {
                variant.vary.matches(asked.headers) && combine::is_outdated_by(variant, received)
            });
        }
    };
    if let Some(whole) = as_whole(&entry, part) {
        return Keep::Store(whole);
    }
    let same_request = variants
        .iter()
        .enumerate()
        .filter(|(_, variant)| variant.method == Method::GET && variant.vary.matches(asked.headers));
    for (index, variant) in same_request.clone() {
        if let Some(entry) = combined(asked, variant, &entry, part, received, rules) {
            return Keep::Combine { index, entry: Box::new(entry), part };
        }
    }
    let same_or_unknown = |variant: &Entry| variant.part.is_none() && !combine::other_bytes(variant, &entry);
    if same_request.into_iter().any(|(_, variant)| same_or_unknown(variant)) {
        return Keep::Nothing(WhyNot::Range);
    }
    Keep::Store(Box::new(Entry { part: Some(part), ..*entry }))
}

/// A range that holds every byte is the whole, whatever it is called.
fn as_whole(entry: &Entry, part: Part) -> Option<Box<Entry>> {
    let mut whole =
        (part.size()? == part.whole).then(|| Box::new(Entry { status: StatusCode::OK, ..entry.clone() }))?;
    whole.headers.remove(header::CONTENT_RANGE);
    whole.headers.insert(header::CONTENT_LENGTH, part.whole.into());
    Some(whole)
}

/// A stored response and a range of the same representation, as one: a whole one if nothing is missing. All its fields decide
/// about its reuse, as after a 304: a 206 need not repeat what is known already.
fn combined(
    asked: &Asked<'_>,
    stored: &Entry,
    arrived: &Entry,
    part: Part,
    received: &Received<'_>,
    rules: &Rules,
) -> Option<Entry> {
    if !combine::same_bytes(stored, arrived) {
        return None;
    }
    let whole = Part { first: 0, last: part.whole.checked_sub(1)?, whole: part.whole };
    let held = match (stored.part, stored.status) {
        (Some(held), _) => held,
        (None, StatusCode::OK) => whole,
        (None, _) => return None,
    };
    let joined = combine::join(held, part)?;
    let mut headers = arrived.headers.clone();
    let status = if joined == whole {
        headers.remove(header::CONTENT_RANGE);
        StatusCode::OK
    } else {
        let range = format!("bytes {}-{}/{}", joined.first, joined.last, joined.whole);
        headers.insert(header::CONTENT_RANGE, range.try_into().ok()?);
        StatusCode::PARTIAL_CONTENT
    };
    headers.insert(header::CONTENT_LENGTH, (joined.last - joined.first + 1).into());
    // Fields only the stored one has go on to hold (§3.2); what arrived is the newer.
    for (name, line) in &stored.headers {
        if !arrived.headers.contains_key(name) && *name != header::CONTENT_RANGE && *name != header::CONTENT_LENGTH {
            headers.append(name, line.clone());
        }
    }
    storing::drop_unkept(&mut headers);
    Some(Entry {
        status,
        vary: Vary::of(&headers, asked.headers),
        policy: compile::policy(asked, status, &headers, received, rules),
        part: (joined != whole).then_some(joined),
        headers,
        ..arrived.clone()
    })
}
