//! Renewing in the background what was served stale (RFC 5861 §3).

use std::sync::Arc;

use http::HeaderName;
use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};

use super::flight::board;
use super::trip::Trip;
use crate::cache::{Key, MissReason};
use crate::lookup::{Found, Question};
use crate::parts::Core;
use crate::prepare::Prepared;
use crate::{Error, Freshness};

/// Renews an answer that was served stale. However often it was served, it is renewed once.
pub(super) fn refresh_in_background(core: &Arc<Core>, prepared: Arc<Prepared>) {
    let key = core.shelf.key(&prepared);
    let Some(renewal) = core.renewals.begin(key) else { return };
    let core_of_task = core.clone();
    core.tasks.start(async move {
        let _renewal = renewal;
        if let Err(error) = renew(&core_of_task, &prepared, key).await {
            tracing::debug!("a refresh in the background failed: {error}");
        }
    });
}

async fn renew(core: &Arc<Core>, prepared: &Prepared, key: Key) -> Result<(), Error> {
    if matches!(core.shelf.look(prepared, core.clock.now()), Found::Hit(served) if !served.refresh) {
        // Somebody has done it between our look and now.
        return Ok(());
    }
    let mut again = without(prepared.clone(), [IF_MODIFIED_SINCE, IF_NONE_MATCH]);
    // The caller has its part. Where the whole is stored, the whole is renewed.
    let whole = without(again.clone(), [IF_RANGE, RANGE]);
    if matches!(core.shelf.look(&whole, core.clock.now()), Found::Hit(_)) {
        again = whole;
    }
    (again.options.freshness, again.options.stream) = (Freshness::Refresh, false);
    // With what is stored: if the server has nothing new, it need not send it; if it is gone there, it has to go here.
    let question = match core.shelf.look(&again, core.clock.now()) {
        Found::Ask(question) => question,
        Found::Hit(_) | Found::Refused(_) => Question::plain(Some(key), MissReason::Stale),
    };
    let mut response = board(&Trip::start(core), Arc::new(again), question).await?;
    // What is too large to be read whole is stored when it has been read.
    while response.chunk().await?.is_some() {}
    Ok(())
}

fn without(mut prepared: Prepared, names: [HeaderName; 2]) -> Prepared {
    for name in names {
        prepared.headers.remove(name);
    }
    prepared
}
