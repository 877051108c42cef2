//! The cache nobody sees: the real origin keeps plain searches in Redis for an hour and counts for two, whatever the headers say. `ttl` is
//! not part of its key, and any parameter it does not know, such as `v`, goes past it.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use super::{call::Call, reply::Reply};

const PLAIN: &[&str] = &[
    "place_id",
    "quality_grade",
    "order",
    "order_by",
    "per_page",
    "page",
    "locale",
    "preferred_place_id",
    "verifiable",
    "taxon_id",
    "captive",
    "photos",
    "spam",
    "skip_total_hits",
    "fields",
];
const ENTRIES: usize = 1_000;

#[derive(Debug, Default)]
pub(crate) struct HiddenCache {
    kept: HashMap<String, (SystemTime, Reply)>,
}

/// The key of a search plain enough to be kept.
pub(crate) fn key(call: &Call<'_>) -> Option<String> {
    let mut params: Vec<&(String, String)> = call.params.iter().filter(|(name, _)| name != "ttl").collect();
    let plain = params.iter().all(|(name, _)| PLAIN.contains(&name.as_str())) && call.number("page").unwrap_or(1) == 1;
    if !plain || call.viewer().is_some() {
        return None;
    }
    params.sort();
    Some(format!("{:?} {} {params:?}", call.version, call.segments.join("/")))
}

impl HiddenCache {
    pub(crate) fn get(&self, key: &str, lifetime: Duration, now: SystemTime) -> Option<Reply> {
        let (at, reply) = self.kept.get(key)?;
        (now.duration_since(*at).unwrap_or_default() < lifetime).then(|| reply.clone())
    }

    pub(crate) fn put(&mut self, key: String, reply: Reply, now: SystemTime) {
        if self.kept.len() >= ENTRIES {
            self.kept.clear();
        }
        self.kept.insert(key, (now, reply));
    }
}
