//! What may be stored (RFC 9111 §3), and which fields of it (§3.1).

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::conditions::Tag;
use super::directives::{NoCache, ResponseDirectives};
use super::{Flags, LifetimeSource, Policy, Received, Rules, WhyNot, dates, fields};

/// Statuses "heuristically cacheable" by RFC 9110 §15.1, and 451 by RFC 7725.
pub(crate) fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 451 | 501)
}

/// Statuses whose meaning for caches this one knows, for `must-understand` (RFC 9111 §5.2.2.3): those of RFC 9110 §15.
fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=206 | 300..=305 | 307 | 308 | 400..=406 | 408..=411 | 413..=415 | 417 | 421 | 422 | 426 | 451 | 500..=505
    )
}

/// Statuses that answer one request and no other: to its conditions or ranges (304, 412, 416), to its credentials for a
/// proxy (407), and those RFC 6585 says a cache must not store (428, 429, 431, 511).
fn is_for_one_request(status: StatusCode) -> bool {
    matches!(status.as_u16(), 304 | 407 | 412 | 416 | 428 | 429 | 431 | 511)
}

/// Why an answer to an allowed method is not stored, if it is not.
pub(crate) fn refusal(received: &Received<'_>, policy: &Policy, rules: &Rules) -> Option<WhyNot> {
    let (status, directives) = (received.status, ResponseDirectives::of(received.headers));
    if status.is_informational() || is_for_one_request(status) || (directives.must_understand && !is_understood(status))
    {
        return Some(WhyNot::Status);
    }
    // This holds against everybody, the user's lifetimes included.
    if directives.forbids_storing() {
        return Some(WhyNot::NoStore);
    }
    if !status_allows(received, &directives, policy, rules) {
        return Some(WhyNot::Status);
    }
    (!is_of_use(policy)).then_some(WhyNot::Unusable)
}

/// The user's list of statuses decides; without one, the last condition of §3: something says that it can be cached.
fn status_allows(received: &Received<'_>, directives: &ResponseDirectives, policy: &Policy, rules: &Rules) -> bool {
    if let Some(codes) = rules.allowable_codes.as_ref().filter(|codes| !codes.is_empty()) {
        return codes.contains(&received.status);
    }
    directives.public
        || directives.private
        || directives.max_age.is_some()
        || received.headers.contains_key(header::EXPIRES)
        || is_heuristically_cacheable(received.status)
        || matches!(policy.source, LifetimeSource::Request | LifetimeSource::UserPattern)
}

/// Whether it could ever be served again: fresh, after validation, or stale.
fn is_of_use(policy: &Policy) -> bool {
    if policy.flags.has(Flags::HAS_VALIDATOR) {
        return true;
    }
    let expired = policy.lifetime <= policy.initial_age;
    let from_headers = matches!(policy.source, LifetimeSource::Headers | LifetimeSource::Heuristic);
    let allows_stale_itself = !policy.stale_while_revalidate.is_zero() || !policy.stale_if_error.is_zero();
    !policy.flags.has(Flags::NO_CACHE) && (!expired || (policy.allows_stale() && (from_headers || allows_stale_itself)))
}

/// The fields to store of a response: all but those of the connection, those `no-cache` names (they must not be reused
/// unvalidated, §5.2.2.4), and `Age`, which is computed anew. `Date` is added where it is missing (RFC 9110 §6.6.1). Cookies
/// are secrets, and stay out of the file unless HTTP alone decides (§7.3 has them stored).
pub(crate) fn fields(received: &Received<'_>, rules: &Rules) -> HeaderMap {
    let mut stored = HeaderMap::with_capacity(received.headers.keys_len() + 1);
    update(&mut stored, received, |name| keeps(name, rules));
    drop_unkept(&mut stored);
    stored
}

/// Updates stored fields from a response without the body (§3.2): each field it brings replaces all lines of that name.
///
/// Fields that describe the body at hand stay as they are. `Content-Length` is the RFC's, and `Content-Range` may be. Of
/// `Content-Encoding` so much depends on the body that it is only taken where the stored response has one (else the body may
/// have been decoded), and the tag is not the weak one that servers use for several codings.
pub(crate) fn freshen_fields(stored: &HeaderMap, received: &Received<'_>, rules: &Rules) -> HeaderMap {
    let may_be_of_another_coding = || Tag::in_response(received.headers).is_some_and(|tag| tag.weak);
    let takes_coding = stored.contains_key(header::CONTENT_ENCODING) && !may_be_of_another_coding();
    let mut fresh = stored.clone();
    update(&mut fresh, received, |name| match *name {
        header::CONTENT_LENGTH | header::CONTENT_RANGE => false,
        header::CONTENT_ENCODING => takes_coding,
        _ => keeps(name, rules),
    });
    fresh
}

fn keeps(name: &header::HeaderName, rules: &Rules) -> bool {
    *name != header::SET_COOKIE || rules.lifetimes.is_only_http()
}

fn update(stored: &mut HeaderMap, received: &Received<'_>, takes: impl Fn(&header::HeaderName) -> bool) {
    for name in received.headers.keys() {
        if takes(name) && *name != header::AGE && !fields::stays_with_connection(name, received.headers) {
            stored.remove(name);
            for line in received.headers.get_all(name) {
                stored.append(name.clone(), line.clone());
            }
        }
    }
    if fields::date(received.headers, &header::DATE, received.response_time).is_none()
        && let Some(date) = dates::format(received.response_time).and_then(|date| HeaderValue::try_from(date).ok())
    {
        stored.insert(header::DATE, date);
    }
}

/// Takes out the fields `no-cache` names: they must not be reused unvalidated (§3.1, §5.2.2.4).
pub(crate) fn drop_unkept(stored: &mut HeaderMap) {
    if let NoCache::Fields(names) = ResponseDirectives::of(stored).no_cache {
        for name in names {
            stored.remove(name);
        }
    }
}
