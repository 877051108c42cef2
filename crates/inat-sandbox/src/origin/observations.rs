//! Searching and showing observations.

use serde_json::{Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    filter::Filter,
    reply::{Lifetime, Refusal, Reply},
    taxa::ids_in_path,
};
use crate::{
    data::{Observation, today},
    shared::lock,
};

/// v1 takes 30 ids in a path, or 200 where `per_page=200` stands beside them; v2 takes 200 and drops the rest without a word.
const IDS: usize = 30;
const MOST_IDS: usize = 200;

impl Origin {
    pub(super) fn observations(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(30, 200)?.within_window(call.version)?;
        let filter = Filter::read(self, call)?;
        let (total, page) = self.matching(&filter, |mut found| {
            sort(&mut found, call);
            let page: Vec<Observation> = paging.slice(&found).iter().map(|one| (*one).clone()).collect();
            (found.len(), page)
        });
        let uncounted = call.flag("no_total_hits") == Some(true) || call.flag("skip_total_hits") == Some(true);
        let total = if uncounted { page.len() } else { total };
        let only_id = call.flag("only_id") == Some(true);
        let results = page.iter().map(|one| if only_id { json!({ "id": one.id }) } else { self.shown_as(call, one) });
        Ok(Reply::page(total, paging, results.collect()).lasting(Lifetime::Seconds(300)))
    }

    pub(super) fn observations_by_id(&self, call: &Call<'_>, ids: &str) -> Result<Reply, Refusal> {
        let found: Vec<Observation> = if call.is_v2() { self.by_uuids(ids)? } else { self.by_ids(call, ids)? };
        let results: Vec<Value> = found.iter().map(|one| self.shown_as(call, one)).collect();
        Ok(Reply::shown(call, results.len().max(1), results).lasting(Lifetime::NoStore))
    }

    fn by_ids(&self, call: &Call<'_>, ids: &str) -> Result<Vec<Observation>, Refusal> {
        // v1 also finds a single UUID.
        if let Some(one) = self.find_uuid(ids) {
            return Ok(vec![one]);
        }
        let ids = ids_in_path(ids)?;
        let most = if call.get("per_page") == Some("200") { MOST_IDS } else { IDS };
        if ids.len() > most {
            return Err(Refusal::new(422, "Too many IDs"));
        }
        Ok(ids.iter().filter_map(|id| self.find(*id)).collect())
    }

    fn by_uuids(&self, uuids: &str) -> Result<Vec<Observation>, Refusal> {
        let uuids: Vec<&str> = uuids.split(',').filter(|uuid| !uuid.is_empty()).collect();
        if let Some(bad) = uuids.iter().find(|uuid| !is_uuid(uuid)) {
            return Err(Refusal::new(422, format!("invalid uuid: {bad}")));
        }
        Ok(uuids.iter().take(MOST_IDS).filter_map(|uuid| self.find_uuid(uuid)).collect())
    }

    pub(super) fn shown_as(&self, call: &Call<'_>, one: &Observation) -> Value {
        let record = self.world.observation_json(one, call.viewer());
        call.select("uuid", record)
    }

    /// Calls back with every observation there is now that the filter lets through, by ascending id.
    pub(super) fn matching<T>(&self, filter: &Filter, then: impl FnOnce(Vec<&Observation>) -> T) -> T {
        let writes = lock(&self.writes);
        let base = self.world.observations().iter();
        let base = base.filter(|one| !writes.deleted.contains_key(&one.id) && !writes.changed.contains_key(&one.id));
        let mut found: Vec<&Observation> = base.filter(|one| filter.matches(&self.world, one)).collect();
        let written = writes.changed.values().filter(|one| filter.matches(&self.world, one));
        let before = found.len();
        found.extend(written);
        if found.len() > before {
            found.sort_by_key(|one| one.id);
        }
        then(found)
    }

    pub(super) fn find(&self, id: u64) -> Option<Observation> {
        let writes = lock(&self.writes);
        if writes.deleted.contains_key(&id) {
            return None;
        }
        writes.changed.get(&id).cloned().or_else(|| self.world.find_observation(id))
    }

    pub(super) fn find_uuid(&self, uuid: &str) -> Option<Observation> {
        let written = lock(&self.writes).by_uuid.get(uuid).copied();
        let id = written.or_else(|| self.world.find_observation_uuid(uuid).map(|one| one.id))?;
        self.find(id)
    }

    /// Ids of one's own deleted observations since a day.
    pub(super) fn deleted(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let since = call.get("since").and_then(|day| day.get(..10)?.parse().ok());
        let since = since.ok_or_else(|| Refusal::new(422, "Missing required parameter: since"))?;
        let paging = Paging { page: 1, per_page: 500 };
        let writes = lock(&self.writes);
        let mut ids: Vec<u64> = writes
            .deleted
            .iter()
            .filter(|(_, (owner, when))| *owner == user && today(*when) >= since)
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        let total = ids.len();
        let results = paging.slice(&ids).iter().map(|id| json!(id)).collect();
        Ok(Reply::page(total, paging, results).lasting(Lifetime::NoStore))
    }

    pub(super) fn updates(call: &Call<'_>) -> Result<Reply, Refusal> {
        call.required()?;
        Ok(Reply::page(0, call.paging(30, 200)?, Vec::new()).lasting(Lifetime::NoStore))
    }

    pub(super) fn taxon_summary(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let one = self.named(&json!(id)).ok_or_else(|| Refusal::new(404, "Not found"))?;
        let taxon = one.taxon.and_then(|id| self.world.taxa.get(id));
        let summary = taxon.map(|taxon| format!("<i><b>{}</b></i> is a {} of the sandbox.", taxon.name, taxon.rank));
        let lifetime = if call.is_v2() { Lifetime::NoStore } else { Lifetime::Unsaid };
        let value = json!({ "conservation_status": null, "listed_taxon": null, "wikipedia_summary": summary });
        Ok(Reply::json(value).lasting(lifetime))
    }

    pub(crate) fn observation_ids(&self) -> Vec<u64> {
        self.matching(&Filter::default(), |found| found.iter().map(|one| one.id).collect())
    }
}

/// Newest upload first, unless asked otherwise; equal ones by id.
fn sort(found: &mut [&Observation], call: &Call<'_>) {
    match call.get("order_by") {
        Some("id") => found.sort_by_key(|one| one.id),
        Some("observed_on") => found.sort_by_key(|one| (one.observed, one.id)),
        Some("updated_at") => found.sort_by_key(|one| (one.updated, one.id)),
        _ => found.sort_by_key(|one| (one.created, one.id)),
    }
    if call.get("order") != Some("asc") {
        found.reverse();
    }
}

pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
