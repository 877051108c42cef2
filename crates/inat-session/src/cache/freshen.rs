//! 304: which stored response it is about, and what it changes (RFC 9111 §4.3.3, §4.3.4).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};

use super::conditions::{NoneOf, Tag};
use super::directives::ResponseDirectives;
use super::look::{date_of, has_body_for, select};
use super::{Asked, Entry, Flags, Keep, LifetimeSource, Received, Rules, Vary, WhyNot, compile, fields, storing};

/// What to do with a 304.
pub(crate) fn not_modified(
    asked: &Asked<'_>,
    sent: &HeaderMap,
    variants: &[Arc<Entry>],
    received: &Received<'_>,
    rules: &Rules,
) -> Keep {
    if !sent.contains_key(header::IF_NONE_MATCH) && !sent.contains_key(header::IF_MODIFIED_SINCE) {
        return Keep::Nothing(WhyNot::Unasked304);
    }
    let Some(index) = identify(asked, sent, variants, received) else {
        return if is_callers(asked, sent, received) {
            Keep::Nothing(WhyNot::CallersCondition)
        } else {
            Keep::Useless304
        };
    };
    let entry = Box::new(freshened(asked, &variants[index], received, rules));
    // A strong validator speaks of every response that has it, whatever request that answered.
    let also = match Tag::in_response(received.headers).filter(|tag| !tag.weak) {
        Some(tag) => variants
            .iter()
            .enumerate()
            .filter(|(other, variant)| *other != index && has_tag(variant, tag))
            .filter_map(|(other, variant)| Some((other, Box::new(freshened_aside(asked, variant, received, rules)?))))
            .collect(),
        None => Vec::new(),
    };
    Keep::Freshen { index, entry, also }
}

/// The variant whose body is the answer, if the 304 says so without doubt (§4.3.4).
///
/// By a strong tag, which must be equal; by a weak one or `Last-Modified`; or, when the 304 has no validator at all, by there
/// being only one variant we asked about. Of several, the one that `Vary` matches goes first: servers use one weak tag for
/// several content codings, and the caller must get the one it can read.
fn identify(asked: &Asked<'_>, sent: &HeaderMap, variants: &[Arc<Entry>], received: &Received<'_>) -> Option<usize> {
    let usable = || variants.iter().enumerate().filter(|(_, variant)| has_body_for(asked, variant));
    let best = |matches: &dyn Fn(&Entry) -> bool| {
        usable()
            .filter(|(_, variant)| matches(variant))
            .max_by_key(|(index, variant)| {
                (variant.vary.matches(asked.headers), date_of(variant), std::cmp::Reverse(*index))
            })
            .map(|(index, _)| index)
    };
    if let Some(tag) = Tag::in_response(received.headers) {
        return best(&|variant| has_tag(variant, tag));
    }
    if received.headers.contains_key(header::LAST_MODIFIED) {
        let modified = |headers: &HeaderMap| fields::date(headers, &header::LAST_MODIFIED, received.response_time);
        let wanted = modified(received.headers)?;
        return best(&|variant| modified(&variant.headers) == Some(wanted));
    }
    // It says nothing about itself, so everything hangs on what was asked: it must have been about one variant, and not
    // about something the caller has.
    match NoneOf::of(sent) {
        Some(NoneOf::Any) => None,
        Some(asked_about) => {
            let mut known = usable().filter_map(|(index, variant)| {
                Tag::in_response(&variant.headers).filter(|tag| asked_about.names(*tag)).map(|tag| (index, tag))
            });
            let (only, tag) = known.next()?;
            (known.next().is_none() && asked_about.names_only(tag)).then_some(only)
        }
        None => {
            let (index, selected) = select(asked, variants)?;
            let condition = fields::once(sent, &header::IF_MODIFIED_SINCE);
            (condition == fields::once(&selected.headers, &header::LAST_MODIFIED)).then_some(index)
        }
    }
}

/// Whether a stored response has the tag of a 304: a strong one exactly, a weak one in substance.
fn has_tag(variant: &Entry, tag: Tag<'_>) -> bool {
    let own = Tag::in_response(&variant.headers);
    own.is_some_and(|own| if tag.weak { own.matches_weakly(tag) } else { own.matches_strongly(tag) })
}

/// Whether a 304 that is about nothing stored answers a condition of the caller, who then has the body. It does in any case
/// where nothing else was asked, whatever tag it names: asking again would bring the same.
fn is_callers(asked: &Asked<'_>, sent: &HeaderMap, received: &Received<'_>) -> bool {
    let as_asked = |name: &header::HeaderName| asked.headers.get_all(name).iter().eq(sent.get_all(name).iter());
    if as_asked(&header::IF_NONE_MATCH) && as_asked(&header::IF_MODIFIED_SINCE) {
        return true;
    }
    if let Some(own) = NoneOf::of(asked.headers) {
        return match Tag::in_response(received.headers) {
            Some(tag) => own.names(tag),
            None => NoneOf::of(sent).as_ref() == Some(&own),
        };
    }
    let own = asked.headers.get(header::IF_MODIFIED_SINCE);
    !sent.contains_key(header::IF_NONE_MATCH) && own.is_some() && own == sent.get(header::IF_MODIFIED_SINCE)
}

/// A stored response as a later one without its body leaves it: fields updated (§3.2), age and lifetime counted anew. It
/// now answers this request, so it is this request that `Vary` is about.
///
/// What says `no-store` is not stored, not even as an update: then it only holds until the next request.
fn freshened(asked: &Asked<'_>, stored: &Entry, received: &Received<'_>, rules: &Rules) -> Entry {
    if ResponseDirectives::of(received.headers).forbids_storing() {
        return expired(stored);
    }
    let mut headers = storing::freshen_fields(&stored.headers, received, rules);
    storing::drop_unkept(&mut headers);
    renewed(asked, stored, headers, received, rules)
}

fn renewed(asked: &Asked<'_>, stored: &Entry, headers: HeaderMap, received: &Received<'_>, rules: &Rules) -> Entry {
    Entry {
        vary: Vary::of(&headers, asked.headers),
        policy: compile::policy(asked, stored.status, &headers, received, rules),
        headers,
        ..stored.clone()
    }
}

/// What the request is answered from that a 304 came for: the stored response with everything the 304 says, also what must not
/// be kept (fields that `no-cache` names, all of it under `no-store`). To be used once, and not stored.
pub fn revalidated(asked: &Asked<'_>, stored: &Entry, received: &Received<'_>, rules: &Rules) -> Entry {
    let entry = renewed(asked, stored, storing::freshen_fields(&stored.headers, received, rules), received, rules);
    if ResponseDirectives::of(received.headers).forbids_storing() { expired(&entry) } else { entry }
}

/// The same for a response to another request: possible as long as `Vary` names the same fields as before, for only hashes
/// are known of what that request said.
fn freshened_aside(asked: &Asked<'_>, stored: &Entry, received: &Received<'_>, rules: &Rules) -> Option<Entry> {
    let fresh = freshened(asked, stored, received, rules);
    let names = |vary: &Vary| vary.fields.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    (names(&fresh.vary) == names(&stored.vary) && fresh.vary.any == stored.vary.any)
        .then(|| Entry { vary: stored.vary.clone(), ..fresh })
}

/// What a `HEAD` says about stored `GET`s it could have been answered from (§4.3.5): freshened where it describes the same
/// representation, else expired.
pub(crate) fn by_head(
    asked: &Asked<'_>,
    variants: &[Arc<Entry>],
    received: &Received<'_>,
    rules: &Rules,
) -> Vec<(usize, Box<Entry>)> {
    variants
        .iter()
        .enumerate()
        .filter(|(_, variant)| variant.method == Method::GET && variant.status == StatusCode::OK)
        .filter(|(_, variant)| variant.vary.matches(asked.headers))
        .map(|(index, variant)| {
            let entry = if describes(received.headers, variant) {
                freshened(asked, variant, received, rules)
            } else {
                expired(variant)
            };
            (index, Box::new(entry))
        })
        .collect()
}

/// Whether the validators and the length in a `HEAD` answer, as far as it has them, are those of a stored response.
fn describes(head: &HeaderMap, stored: &Entry) -> bool {
    let same = |name| !head.contains_key(&name) || fields::once(head, &name) == fields::once(&stored.headers, &name);
    // A body that was decoded on the way in is stored without its length.
    let same_length = same(header::CONTENT_LENGTH)
        || (!stored.headers.contains_key(header::CONTENT_LENGTH) && compile::has_validator(head));
    same(header::ETAG) && same(header::LAST_MODIFIED) && same_length
}

/// A stored response that may be outdated: kept for its validator only.
fn expired(stored: &Entry) -> Entry {
    let mut entry = stored.clone();
    let policy = &mut entry.policy;
    policy.lifetime = Duration::ZERO;
    policy.stale_while_revalidate = Duration::ZERO;
    policy.stale_if_error = Duration::ZERO;
    policy.source = LifetimeSource::None;
    policy.flags = policy.flags.without(Flags::NEVER_EXPIRES).with(Flags::MUST_REVALIDATE);
    entry
}
