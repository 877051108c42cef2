//! Naming what is in an observation. Only the last identification of each person counts, and together they decide what the observation
//! is of: two agreeing, and more than two in three, as on the site.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Origin,
    call::Call,
    reply::{Refusal, Reply},
    talk::{Part, done, is_named, stamps, written},
    writes::body,
};
use crate::{
    clock::unix_seconds,
    data::{Grade, Naming, Observation, Talk, author, extend, naming, put},
};

impl Origin {
    pub(super) fn create_identification(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = body(call, "identification")?;
        let one = self.about(given.get("observation_id"))?;
        let taxon = given.get("taxon_id").and_then(number).and_then(|id| self.world.taxa.get(id));
        let taxon = taxon
            .ok_or_else(|| Refusal::rails(422, json!({ "errors": { "taxon": ["must exist", "can't be blank"] } })))?;
        let known = one.taxon.and_then(|id| self.world.taxa.get(id));
        let category = match known {
            None => "improving",
            Some(known) if known.id == taxon.id => "supporting",
            Some(known) if taxon.ancestors.contains(&known.id) => "leading",
            Some(_) => "maverick",
        };
        let (id, uuid) = self.registered(one.id, &given)?;
        let said = Naming {
            id,
            uuid,
            user,
            at: unix_seconds(call.now),
            body: given.get("body").and_then(Value::as_str).filter(|body| !body.is_empty()).map(str::to_owned),
            own: one.user == user,
            category,
            vision: given.get("vision") == Some(&json!(true)),
        };
        let mut record = naming(&self.world, taxon, &said);
        if let Some(disagrees) = given.get("disagreement").and_then(Value::as_bool) {
            put(&mut record, "disagreement", Some(disagrees.into()));
        }
        let added = self.discuss(one.id, call.now, |one, talk| {
            for earlier in talk.identifications.iter_mut().filter(|earlier| author(earlier) == Some(user)) {
                put(earlier, "current", Some(false.into()));
            }
            talk.identifications.push(record.clone());
            talk.reviewed_by.insert(user);
            decide(one, talk);
        });
        added.ok_or_else(|| Refusal::new(404, "Not Found"))?;
        Ok(shown(call, record, user, one.id))
    }

    /// The words may change, and whether it still counts; the taxon does not: who changes their mind identifies again.
    pub(super) fn update_identification(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = body(call, "identification")?;
        let (observation, record) = self.reword(call, Part::Identifications, id, |record| {
            for name in ["body", "current"] {
                put(record, name, given.get(name).cloned());
            }
        })?;
        self.discuss(observation, call.now, |one, talk| decide(one, talk));
        Ok(shown(call, record, user, observation))
    }

    /// Withdraws it. With `delete=true` it goes altogether.
    pub(super) fn withdraw_identification(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let (observation, _) =
            self.reword(call, Part::Identifications, id, |record| put(record, "current", Some(false.into())))?;
        let gone = call.flag("delete") == Some(true);
        self.discuss(observation, call.now, |one, talk| {
            talk.identifications.retain(|record| !(gone && is_named(record, id)));
            decide(one, talk);
        });
        Ok(done(call))
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// What the identifications that count make of an observation.
fn decide(one: &mut Observation, talk: &Talk) {
    let counting: Vec<&Value> = talk.identifications.iter().filter(|record| record["current"] == true).collect();
    let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
    for taxon in counting.iter().filter_map(|record| record["taxon_id"].as_u64()) {
        *votes.entry(taxon).or_default() += 1;
    }
    let best = votes.iter().max_by_key(|(_, count)| **count).map(|(taxon, count)| (*taxon, *count));
    let agreed = best.filter(|(_, count)| *count >= 2 && count * 3 > counting.len() * 2).map(|(taxon, _)| taxon);
    let owners = || counting.iter().find(|record| record["own_observation"] == true);
    let first = || owners().or(counting.first()).and_then(|record| record["taxon_id"].as_u64());
    one.taxon = agreed.or_else(first);
    let complete = one.observed.is_some() && one.position.is_some() && (one.has_photos() || one.has_sounds());
    one.grade = match agreed {
        _ if !complete || one.captive => Grade::Casual,
        Some(_) => Grade::Research,
        None => Grade::NeedsId,
    };
}

fn shown(call: &Call<'_>, record: Value, user: u64, observation: u64) -> Reply {
    let mut columns = stamps(call, user);
    extend(&mut columns, json!({ "observation_id": observation, "created_at": record["created_at"] }));
    written(call, record, columns)
}
