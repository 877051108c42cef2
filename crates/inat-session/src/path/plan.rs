//! Requests that never leave: dry runs, and those that only the cache may answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};

use super::settle::NO_BODY;
use crate::cache::MissReason;
use crate::dry_run::{Forecast, MockResponse, Plan};
use crate::limit::Refusal;
use crate::lookup::Found;
use crate::parts::Core;
use crate::prepare::Prepared;
use crate::response::{Content, Expiry, Origin, Response, Sent};
use crate::secret::mask_url;
use crate::stage::Stage;
use crate::{Error, Kind};

/// Whether this request is only to be planned.
pub(super) fn is_rehearsal(core: &Core, prepared: &Prepared) -> bool {
    prepared.options.dry_run.unwrap_or_else(|| core.dry_runs.include(&prepared.method))
}

/// The answer of a dry run. Nothing is touched.
pub(super) fn rehearse(core: &Core, prepared: &Prepared) -> Response {
    core.listener.tell(prepared, Stage::DryRun, || {
        crate::format::format_request(prepared, true, core.timeout.of(&prepared.method, prepared.options.timeout).read)
    });
    MockResponse::default().answer(prepared, plan(core, prepared), core.clock.now())
}

/// What each stage would do. Files that do not exist yet are not made by asking.
pub(crate) fn plan(core: &Core, prepared: &Prepared) -> Plan {
    let (lookup, must_ask) = match core.shelf.forecast(prepared, core.clock.now()) {
        Found::Hit(served) => (format!("and find it: {}", served.response.origin()), false),
        Found::Refused(reason) => (format!("and not find it ({reason}); only the cache may answer"), false),
        Found::Ask(question) => (format!("and have to ask ({})", question.reason), true),
    };
    let wait = if must_ask { core.limiter.forecast(&prepared.url).map_err(in_words) } else { Ok(Duration::ZERO) };
    let store = match (prepared.method.is_safe(), core.shelf.covers(prepared)) {
        (true, true) => "the answer, if its headers allow".to_owned(),
        (true, false) => "nothing".to_owned(),
        (false, _) => {
            let outdated =
                crate::cache::invalidated(&prepared.method, &prepared.url, StatusCode::OK, &HeaderMap::new());
            let place = crate::cache::resource_of(&prepared.url);
            format!(
                "nothing, and drop what is stored under {place} and {} related places",
                outdated.len().saturating_sub(1)
            )
        }
    };
    let forecast = Forecast {
        lookup,
        wait,
        store,
        timeouts: core.timeout.of(&prepared.method, prepared.options.timeout),
        retries: prepared.options.retries.unwrap_or(core.max_retries),
    };
    Plan::new(prepared, forecast)
}

fn in_words(refusal: Refusal) -> String {
    match refusal {
        Refusal::TooLong { until } => format!("no slot before {until}"),
        Refusal::Blocked { until } => format!("this address is blocked; nothing is sent before {until}"),
        Refusal::RetryAfter { until, status } => {
            format!("the server answered {status}; nothing is sent before {until}")
        }
        Refusal::Ledger(error) => error.to_string(),
    }
}

/// Only the cache may answer, and it cannot: an error, or the reference's 504 for those who do not want errors.
pub(super) fn refuse(core: &Core, prepared: &Prepared, reason: MissReason) -> Result<Response, Error> {
    core.listener.tell(prepared, Stage::Lookup, || format!("not cached ({reason}), and the server must not be asked"));
    if prepared.options.raise_for_status {
        return Err(Error::new(Stage::Lookup, Kind::NotCached).about(prepared.method.as_str(), mask_url(&prepared.url)));
    }
    Ok(Response {
        status: StatusCode::GATEWAY_TIMEOUT,
        reason: Some(Bytes::from_static(b"Not Cached")),
        version: Version::HTTP_11,
        headers: HeaderMap::new(),
        content: Content::Whole(NO_BODY),
        origin: Origin::NotCached,
        request: Sent { method: prepared.method.clone(), url: prepared.url.clone() },
        history: Vec::new(),
        received: core.clock.now(),
        elapsed: Duration::ZERO,
        expiry: Expiry::NotStored,
        forwarded: Some(reason),
        failed_with: None,
    })
}
