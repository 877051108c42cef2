//! Lists of taxa that are neither a search nor a record: groups, life lists, suggestions, what else there is to see.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    filter::Filter,
    reply::{Lifetime, Refusal, Reply},
};
use crate::data::{Taxon, rank_level, text};

const SUGGESTED: usize = 10;
/// Taxa with a summary of how to tell them.
const SUMMARIZED: usize = 40;

impl Origin {
    fn known_taxon(&self, id: &str) -> Result<&Taxon, Refusal> {
        id.parse().ok().and_then(|id| self.world.taxa.get(id)).ok_or_else(|| Refusal::new(404, "Not Found"))
    }

    pub(super) fn iconic_taxa(&self, call: &Call<'_>) -> Reply {
        let iconic = self.world.taxa.all().iter().filter(|taxon| taxon.iconic.is_some_and(|(id, _)| id == taxon.id));
        all(iconic.map(|taxon| call.select("id", self.world.taxon_listed(taxon))).collect())
    }

    /// The branches a life list is drawn with.
    pub(super) fn lifelist_metadata(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let filter = Filter::read(self, call)?;
        let seen: BTreeSet<u64> = self.matching(&filter, |found| found.iter().filter_map(|one| one.taxon).collect());
        let mut ids: Vec<u64> = seen
            .iter()
            .filter_map(|id| self.world.taxa.get(*id))
            .flat_map(|taxon| taxon.ancestors.iter().copied())
            .filter(|id| self.world.taxa.get(*id).is_some_and(|taxon| rank_level(taxon.rank) >= 50))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let results = ids.iter().filter_map(|id| {
            let taxon = self.world.taxon_listed(self.world.taxa.get(*id)?);
            Some(json!({ "name": taxon["name"], "id": id, "preferred_common_name": taxon["preferred_common_name"],
                "default_photo": { "medium_url": taxon["default_photo"]["medium_url"] } }))
        });
        Ok(all(results.collect()).lasting(Lifetime::Seconds(300)))
    }

    /// What it might be, by how often it is seen where one is.
    pub(super) fn suggest(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let filter = Filter::read(self, call)?;
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        self.matching(&filter, |found| {
            for taxon in found.iter().filter_map(|one| one.taxon) {
                *counts.entry(taxon).or_default() += 1;
            }
        });
        let mut ranked: Vec<(u64, u64)> = counts.into_iter().collect();
        ranked.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
        let results = ranked.iter().take(SUGGESTED).filter_map(|(id, count)| {
            let taxon = self.world.taxon_listed(self.world.taxa.get(*id)?);
            Some(json!({ "source_rank": count, "source_total": count, "taxon": call.select("id", taxon) }))
        });
        Ok(all(results.collect()))
    }

    /// Species below a taxon that nobody has seen yet.
    pub(super) fn wanted(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let parent = self.known_taxon(id)?.id;
        let seen: BTreeSet<u64> =
            self.matching(&Filter::default(), |found| found.iter().filter_map(|one| one.taxon).collect());
        let below = self.world.taxa.all().iter().filter(|taxon| taxon.ancestors.contains(&parent));
        let wanted = below.filter(|taxon| taxon.rank == "species" && !seen.contains(&taxon.id));
        Ok(all(wanted.map(|taxon| call.select("id", self.world.taxon_listed(taxon))).collect()))
    }

    pub(super) fn map_layers(&self, id: &str) -> Result<Reply, Refusal> {
        let taxon = self.known_taxon(id)?;
        Ok(Reply::json(json!({ "id": taxon.id, "ranges": taxon.id.is_multiple_of(3), "gbif_id": 2_000_000 + taxon.id,
            "listed_places": true })))
    }

    pub(super) fn id_summaries(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(30, 200)?;
        let wanted = call.list("taxon_id");
        let records: Vec<Value> = self
            .summarized()
            .filter(|taxon| wanted.as_ref().is_none_or(|ids| ids.contains(&taxon.id.to_string().as_str())))
            .map(|taxon| self.id_summary(taxon))
            .collect();
        let results = paging.slice(&records).iter().map(|record| call.select("uuid", record.clone())).collect();
        Ok(Reply::page(records.len(), paging, results).lasting(Lifetime::Seconds(300)))
    }

    pub(super) fn id_summary_by_uuid(&self, call: &Call<'_>, uuid: &str) -> Reply {
        let found = self.summarized().map(|taxon| self.id_summary(taxon)).find(|record| record["uuid"] == uuid);
        let found: Vec<Value> = found.map(|record| call.select("uuid", record)).into_iter().collect();
        Reply::shown(call, 1, found).lasting(Lifetime::NoStore)
    }

    fn summarized(&self) -> impl Iterator<Item = &Taxon> {
        self.world.taxa.all().iter().filter(|taxon| taxon.rank == "species").take(SUMMARIZED)
    }

    fn id_summary(&self, taxon: &Taxon) -> Value {
        let mut dice = self.world.dice("id summary", taxon.id);
        let at = text(1_750_000_000);
        let tip = |place: u64, words: &str| json!({ "id": taxon.id * 10 + place, "summary": words, "references": [] });
        json!({
            "id": taxon.id, "uuid": dice.uuid(), "active": true, "taxon_id": taxon.id, "taxon_name": taxon.name,
            "taxon_common_name": taxon.common, "taxon_photo_id": 1_000_000 + taxon.id, "taxon_photo_observation_id": null,
            "taxon_group": taxon.iconic.map(|(_, name)| name), "run_name": "sandbox", "run_generated_at": at,
            "run_description": null, "created_at": at, "updated_at": at,
            "id_summaries": [tip(1, "Look at the underside."), tip(2, "Compare the season with its sisters'.")],
        })
    }
}

fn all(results: Vec<Value>) -> Reply {
    let paging = Paging { page: 1, per_page: results.len() as u64 };
    Reply::page(results.len(), paging, results)
}
