//! Counting observations: by species, observer, identifier, time and annotation.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::ToSpan;
use serde_json::{Map, Value, json};

use super::{
    Origin,
    call::Call,
    filter::Filter,
    reply::{Lifetime, Refusal, Reply},
};
use crate::data::{Date, controlled_terms, day_of, of_day, text};

/// Observers and identifiers beyond these cannot be reached at all.
const TOP: usize = 500;
const BUCKETS: usize = 5_000;
/// Counts over everything are kept longer.
const COMMON: &[&str] = &["locale", "verifiable", "preferred_place_id"];

impl Origin {
    pub(super) fn species_counts(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(500, 500)?;
        let filter = Filter::read(self, call)?;
        let counts = self.matching(&filter, |found| {
            let mut counts: HashMap<u64, u64> = HashMap::new();
            for taxon in found.iter().filter_map(|one| one.taxon) {
                *counts.entry(taxon).or_default() += 1;
            }
            counts
        });
        let ranked = ranked(counts);
        let results: Vec<Value> = paging
            .slice(&ranked)
            .iter()
            .filter_map(|(id, count)| {
                let taxon = self.world.taxon_listed(self.world.taxa.get(*id)?);
                Some(json!({ "count": count, "taxon": call.select("id", taxon) }))
            })
            .collect();
        Ok(Reply::page(ranked.len(), paging, results).lasting(lifetime(call)))
    }

    pub(super) fn observers(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(500, 500)?;
        let filter = Filter::read(self, call)?;
        let (counts, species) = self.matching(&filter, |found| {
            let mut counts: HashMap<u64, u64> = HashMap::new();
            let mut species: HashMap<u64, BTreeSet<u64>> = HashMap::new();
            for one in found {
                *counts.entry(one.user).or_default() += 1;
                species.entry(one.user).or_default().extend(one.taxon);
            }
            (counts, species)
        });
        let mut ranked = ranked(counts);
        let total = ranked.len();
        ranked.truncate(TOP);
        let results = paging.slice(&ranked).iter().map(|(user, count)| {
            json!({
                "user_id": user,
                "observation_count": count,
                "species_count": species.get(user).map_or(0, BTreeSet::len),
                "user": call.select("id", self.world.user(*user)),
            })
        });
        Ok(Reply::page(total, paging, results.collect()).lasting(lifetime(call)))
    }

    pub(super) fn identifiers(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(500, 500)?;
        let filter = Filter::read(self, call)?;
        let counts = self.matching(&filter, |found| {
            let mut counts: HashMap<u64, u64> = HashMap::new();
            for one in found.iter().filter(|one| one.index.is_some()) {
                for user in self.world.identifiers(one) {
                    *counts.entry(user).or_default() += 1;
                }
            }
            counts
        });
        let mut ranked = ranked(counts);
        let total = ranked.len();
        ranked.truncate(TOP);
        let results = paging
            .slice(&ranked)
            .iter()
            .map(|(user, count)| json!({ "user_id": user, "count": count, "user": call.select("id", self.world.user(*user)) }));
        Ok(Reply::page(total, paging, results.collect()).lasting(lifetime(call)))
    }

    pub(super) fn histogram(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let filter = Filter::read(self, call)?;
        let interval = call.get("interval").unwrap_or("month_of_year");
        let created = call.get("date_field") == Some("created");
        let moments: Vec<i64> = self.matching(&filter, |found| {
            found.iter().filter_map(|one| if created { Some(one.created) } else { one.observed }).collect()
        });
        let buckets = match interval {
            "week_of_year" => numbered(1..=53, moments.iter().map(|at| i64::from(date(*at).iso_week_date().week()))),
            "year" | "month" | "week" | "day" => dated(interval, &moments),
            "hour" => hourly(&moments),
            _ => numbered(1..=12, moments.iter().map(|at| i64::from(date(*at).month()))),
        };
        let known = matches!(interval, "week_of_year" | "year" | "month" | "week" | "day" | "hour");
        let interval = if known { interval } else { "month_of_year" };
        let size = buckets.len();
        Ok(Reply::json(json!({ "total_results": size, "page": 1, "per_page": size, "results": { interval: buckets } })))
    }

    pub(super) fn popular_field_values(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let filter = Filter::read(self, call)?;
        let total = self.matching(&filter, |found| found.len());
        let mut results = Vec::new();
        for term in controlled_terms(None) {
            for (place, value) in term["values"].as_array().cloned().unwrap_or_default().into_iter().enumerate() {
                let count = total / (20 + place * 7);
                let months: Map<String, Value> = (1..=12).map(|month| (month.to_string(), json!(count / 12))).collect();
                results.push(json!({ "count": count, "month_of_year": months, "controlled_attribute": term, "controlled_value": value }));
            }
        }
        let size = results.len();
        Ok(Reply::json(json!({ "total_results": size, "page": 1, "per_page": size, "results": results }))
            .lasting(Lifetime::Seconds(300)))
    }

    pub(super) fn taxonomy(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let filter = Filter::read(self, call)?;
        let (direct, without) = self.matching(&filter, |found| {
            let mut direct: BTreeMap<u64, u64> = BTreeMap::new();
            for taxon in found.iter().filter_map(|one| one.taxon) {
                *direct.entry(taxon).or_default() += 1;
            }
            (direct, found.iter().filter(|one| one.taxon.is_none()).count())
        });
        let mut below: BTreeMap<u64, u64> = BTreeMap::new();
        for (id, count) in &direct {
            for ancestor in self.world.taxa.get(*id).map(|taxon| taxon.ancestors.clone()).unwrap_or_default() {
                *below.entry(ancestor).or_default() += count;
            }
        }
        let results: Vec<Value> = self
            .world
            .taxa
            .all()
            .iter()
            .filter(|taxon| below.contains_key(&taxon.id))
            .map(|taxon| {
                json!({
                    "id": taxon.id, "name": taxon.name, "rank": taxon.rank, "rank_level": crate::data::rank_level(taxon.rank),
                    "parent_id": taxon.parent, "is_active": true, "descendant_obs_count": below.get(&taxon.id),
                    "direct_obs_count": direct.get(&taxon.id).copied().unwrap_or(0),
                })
            })
            .collect();
        let value = json!({ "count_without_taxon": without, "size": direct.len(), "results": results });
        Ok(Reply::json(value).lasting(Lifetime::Seconds(300)))
    }
}

pub(super) fn lifetime(call: &Call<'_>) -> Lifetime {
    let common = call.params.iter().all(|(name, _)| COMMON.contains(&name.as_str()));
    Lifetime::Seconds(if common && !call.is_v2() { 7_200 } else { 300 })
}

/// Most first; equal ones by id, so that pages do not overlap.
pub(super) fn ranked(counts: HashMap<u64, u64>) -> Vec<(u64, u64)> {
    let mut ranked: Vec<(u64, u64)> = counts.into_iter().collect();
    ranked.sort_by_key(|(id, count)| (std::cmp::Reverse(*count), *id));
    ranked
}

fn date(at: i64) -> Date {
    of_day(day_of(at))
}

fn numbered(all: std::ops::RangeInclusive<i64>, values: impl Iterator<Item = i64>) -> Map<String, Value> {
    let mut counts: BTreeMap<i64, u64> = all.map(|number| (number, 0)).collect();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts.into_iter().map(|(number, count)| (number.to_string(), json!(count))).collect()
}

/// Buckets from the first to the last date, empty ones included.
fn dated(interval: &str, moments: &[i64]) -> Map<String, Value> {
    let start = |day: Date| match interval {
        "year" => day.first_of_year(),
        "month" => day.first_of_month(),
        "week" => day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days()).unwrap_or(day),
        _ => day,
    };
    let step = match interval {
        "year" => 1.year(),
        "month" => 1.month(),
        "week" => 7.days(),
        _ => 1.day(),
    };
    let mut counts: BTreeMap<Date, u64> = BTreeMap::new();
    for at in moments {
        *counts.entry(start(date(*at))).or_default() += 1;
    }
    let (Some(mut next), Some(last)) = (counts.keys().next().copied(), counts.keys().last().copied()) else {
        return Map::new();
    };
    while next < last && counts.len() < BUCKETS {
        counts.entry(next).or_default();
        let Ok(after) = next.checked_add(step) else { break };
        next = after;
    }
    counts.into_iter().map(|(day, count)| (day.to_string(), json!(count))).collect()
}

fn hourly(moments: &[i64]) -> Map<String, Value> {
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for at in moments {
        *counts.entry(at.div_euclid(3_600)).or_default() += 1;
    }
    counts
        .into_iter()
        .take(BUCKETS)
        .map(|(hour, count)| (text(hour * 3_600).replace("+00:00", "Z"), json!(count)))
        .collect()
}
