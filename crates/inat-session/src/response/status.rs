//! The `Cache-Status` field (RFC 9211).

use std::fmt::Write as _;

use super::{Expiry, Origin, Response};
use crate::Timestamp;
use crate::cache::MissReason;

/// How the cache of a session handled the request of this answer. Writing to a `String` cannot fail.
pub(super) fn cache_status(response: &Response, now: Timestamp) -> String {
    let mut field = String::from("inat");
    let (origin, collapsed) = match &response.origin {
        Origin::Shared(origin) => (origin.as_ref(), true),
        origin => (origin, false),
    };
    let reason = response.forwarded.unwrap_or(MissReason::Uri);
    match origin {
        Origin::Cached { .. } | Origin::Stale { .. } | Origin::Shared(_) => match response.forwarded {
            None => field.push_str("; hit"),
            // The server was asked, and failed: a hit is what was not forwarded (§2.1).
            Some(reason) => {
                let _ = write!(field, "; fwd={reason}");
                if let Some(status) = response.failed_with {
                    let _ = write!(field, "; fwd-status={}", status.as_u16());
                }
            }
        },
        Origin::DryRun(_) => field.push_str("; detail=\"dry-run\""),
        // Neither a hit nor forwarded (§2.1, §2.2): the answer is the cache's own.
        Origin::NotCached => field.push_str("; detail=\"only-if-cached\""),
        Origin::Network { .. } => {
            let _ = write!(field, "; fwd={reason}; fwd-status={}", response.status.as_u16());
        }
        Origin::Revalidated { .. } => {
            let _ = write!(field, "; fwd={}; fwd-status=304", response.forwarded.unwrap_or(MissReason::Stale));
        }
    }
    match response.expiry {
        Expiry::NotStored => {}
        Expiry::Never => field.push_str(stored(origin)),
        Expiry::At(at) => {
            let ttl = (at.as_micros() - now.as_micros()).div_euclid(1_000_000);
            let _ = write!(field, "{}; ttl={ttl}", stored(origin));
        }
    }
    if collapsed {
        field.push_str("; collapsed");
    }
    field
}

fn stored(origin: &Origin) -> &'static str {
    match origin {
        Origin::Network { .. } | Origin::Revalidated { .. } => "; stored",
        _ => "",
    }
}
