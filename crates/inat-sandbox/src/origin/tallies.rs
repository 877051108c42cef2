//! The smaller counts over observations and identifications.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    counts::{lifetime, ranked},
    filter::Filter,
    reply::{Lifetime, Refusal, Reply},
};
use crate::data::{Brief, Observation, day_of, of_day};

const RECENT: usize = 10;

impl Origin {
    pub(super) fn quality_grades(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let counts = self.tally(call, |one| Some(one.grade.name().to_owned()))?;
        let results = named(&counts, "quality_grade");
        Ok(list(results))
    }

    pub(super) fn iconic_taxa_counts(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let counts = self.tally(call, |one| self.iconic(one).map(|id| id.to_string()))?;
        Ok(self.by_iconic_taxon(&counts))
    }

    pub(super) fn iconic_taxa_species_counts(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let filter = Filter::read(self, call)?;
        let species: BTreeMap<u64, u64> = self
            .matching(&filter, |found| found.iter().filter_map(|one| Some((one.taxon?, self.iconic(one)?))).collect());
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for iconic in species.values() {
            *counts.entry(iconic.to_string()).or_default() += 1;
        }
        Ok(self.by_iconic_taxon(&counts))
    }

    fn by_iconic_taxon(&self, counts: &BTreeMap<String, u64>) -> Reply {
        let results = counts.iter().filter_map(|(id, count)| {
            let taxon = self.world.taxa.get(id.parse().ok()?)?;
            Some(json!({ "count": count, "taxon": self.world.taxon_listed(taxon) }))
        });
        list(results.collect())
    }

    fn iconic(&self, one: &Observation) -> Option<u64> {
        self.world.taxa.get(one.taxon?)?.iconic.map(|(id, _)| id)
    }

    /// How many observations there are of each taxon in each month.
    pub(super) fn taxa_counts_by_month(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let filter = Filter::read(self, call)?;
        let counts = self.matching(&filter, |found| {
            let mut counts: BTreeMap<i8, BTreeMap<u64, u64>> = BTreeMap::new();
            for one in found {
                if let (Some(taxon), Some(at)) = (one.taxon, one.observed) {
                    *counts.entry(of_day(day_of(at)).month()).or_default().entry(taxon).or_default() += 1;
                }
            }
            counts
        });
        let months: Map<String, Value> = counts.iter().map(|(month, taxa)| (month.to_string(), json!(taxa))).collect();
        let size = months.len();
        let value = json!({ "total_results": size, "page": 1, "per_page": size, "results": months });
        Ok(Reply::json(value).lasting(lifetime(call)))
    }

    /// The projects of an umbrella, each with what it holds.
    pub(super) fn umbrella_project_stats(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let projects =
            call.list("project_id").ok_or_else(|| Refusal::new(422, "Missing required parameter: project_id"))?;
        let ids: Vec<u64> = projects.iter().filter_map(|id| self.find_project(id, false)).collect();
        let mut results = Vec::new();
        for id in ids {
            let params = vec![("project_id".to_owned(), id.to_string())];
            let narrowed = Call { params, segments: call.segments.clone(), fields: call.fields.clone(), ..*call };
            let filter = Filter::read(self, &narrowed)?;
            let (count, species, people) = self.matching(&filter, |found| {
                let species: BTreeSet<_> = found.iter().map(|one| one.taxon).collect();
                let people: BTreeSet<_> = found.iter().map(|one| one.user).collect();
                (found.len(), species.len(), people.len())
            });
            let project = self.project(id);
            results.push(json!({
                "project": { "id": id, "title": project["title"], "slug": project["slug"] },
                "observations_count": count, "species_count": species, "observers_count": people,
            }));
        }
        Ok(list(results))
    }

    /// The tree of what was seen, with a count of what is below each branch.
    pub(super) fn tree_taxa(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let filter = Filter::read(self, call)?;
        let direct = self.matching(&filter, |found| {
            let mut direct: BTreeMap<u64, u64> = BTreeMap::new();
            for taxon in found.iter().filter_map(|one| one.taxon) {
                *direct.entry(taxon).or_default() += 1;
            }
            direct
        });
        let mut below: BTreeMap<u64, u64> = BTreeMap::new();
        for (id, count) in &direct {
            for ancestor in self.world.taxa.get(*id).map(|taxon| taxon.ancestors.as_slice()).unwrap_or_default() {
                *below.entry(*ancestor).or_default() += count;
            }
        }
        let results = below.iter().filter_map(|(id, count)| {
            let taxon = self.world.taxa.get(*id)?;
            Some(json!({ "id": id, "name": taxon.name, "rank": taxon.rank, "parent_id": taxon.parent,
                "descendant_obs_count": count, "direct_obs_count": direct.get(id).copied().unwrap_or(0) }))
        });
        Ok(list(results.collect()).lasting(Lifetime::Seconds(300)))
    }

    fn tally(
        &self,
        call: &Call<'_>,
        key: impl Fn(&Observation) -> Option<String>,
    ) -> Result<BTreeMap<String, u64>, Refusal> {
        let filter = Filter::read(self, call)?;
        Ok(self.matching(&filter, |found| {
            let mut counts = BTreeMap::new();
            for key in found.into_iter().filter_map(&key) {
                *counts.entry(key).or_default() += 1;
            }
            counts
        }))
    }

    /// Of the identifications of the observations a filter lets through: how many there are of each kind.
    pub(super) fn identification_categories(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let counts = self.identified(call, |brief| Some(brief.category.clone()))?;
        Ok(list(named(&counts.into_iter().collect(), "category")))
    }

    pub(super) fn identified_species(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(500, 500)?;
        let ranked = ranked(self.identified(call, |brief| Some(brief.taxon))?);
        let results = paging.slice(&ranked).iter().filter_map(|(id, count)| {
            let taxon = self.world.taxon_listed(self.world.taxa.get(*id)?);
            Some(json!({ "count": count, "taxon": call.select("id", taxon) }))
        });
        Ok(Reply::page(ranked.len(), paging, results.collect()).lasting(Lifetime::Seconds(300)))
    }

    pub(super) fn identifying_people(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let counts = self.identified(call, |brief| Some(brief.user).filter(|_| !brief.own))?;
        self.people(call, counts)
    }

    /// Those whose observations were identified by others.
    pub(super) fn identified_people(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let filter = self.identification_filter(call)?;
        let counts = self.matching(&filter, |found| {
            let mut counts: HashMap<u64, u64> = HashMap::new();
            for one in found {
                *counts.entry(one.user).or_default() += 1;
            }
            counts
        });
        self.people(call, counts)
    }

    fn people(&self, call: &Call<'_>, counts: HashMap<u64, u64>) -> Result<Reply, Refusal> {
        let paging = call.paging(500, 500)?;
        let ranked = ranked(counts);
        let results = paging.slice(&ranked).iter().map(|(user, count)| {
            json!({ "user_id": user, "count": count, "user": call.select("id", self.world.user(*user)) })
        });
        Ok(Reply::page(ranked.len(), paging, results.collect()))
    }

    pub(super) fn recent_taxa(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let filter = self.identification_filter(call)?;
        let newest = self.matching(&filter, |found| {
            let mut seen: Vec<Observation> = Vec::new();
            for one in found.into_iter().rev() {
                if seen.len() < RECENT && !seen.iter().any(|known| known.taxon == one.taxon) {
                    seen.push(one.clone());
                }
            }
            seen
        });
        let results = newest.iter().filter_map(|one| {
            let taxon = self.world.taxon_listed(self.world.taxa.get(one.taxon?)?);
            let said = self.world.talk(one).identifications.last().cloned();
            Some(json!({ "taxon": taxon, "identification": said }))
        });
        Ok(list(results.collect()))
    }

    /// What a taxon is taken for: its sisters.
    pub(super) fn similar_species(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let id = call.get("taxon_id").ok_or_else(|| Refusal::new(422, "Missing required parameter: taxon_id"))?;
        let taxon = id.parse().ok().and_then(|id| self.world.taxa.get(id));
        let taxon = taxon.ok_or_else(|| Refusal::unknown("taxon_id", id))?;
        let sisters = taxon.parent.into_iter().flat_map(|parent| self.world.taxa.children(parent));
        let results = sisters.filter(|sister| sister.id != taxon.id).map(|sister| {
            let count = 1 + self.world.dice("similar", sister.id).skewed(200);
            json!({ "count": count, "taxon": self.world.taxon_listed(sister) })
        });
        Ok(list(results.collect()))
    }

    fn identified<K: std::hash::Hash + Eq>(
        &self,
        call: &Call<'_>,
        key: impl Fn(&Brief) -> Option<K>,
    ) -> Result<HashMap<K, u64>, Refusal> {
        let filter = self.identification_filter(call)?;
        Ok(self.matching(&filter, |found| {
            let mut counts = HashMap::new();
            for one in found {
                for key in self.world.briefs(one).iter().filter_map(&key) {
                    *counts.entry(key).or_default() += 1;
                }
            }
            counts
        }))
    }
}

fn named(counts: &BTreeMap<String, u64>, name: &str) -> Vec<Value> {
    counts.iter().map(|(key, count)| json!({ name: key, "count": count })).collect()
}

/// All there is, on one page.
fn list(results: Vec<Value>) -> Reply {
    let paging = Paging { page: 1, per_page: results.len() as u64 };
    Reply::page(results.len(), paging, results)
}
