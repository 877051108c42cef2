//! Identifications: two on each observation, the owner's first. Their ids follow from the observation's.

use serde_json::{Value, json};

use super::{Observation, USERS, World, details, taxon_json::put, text, words::REMARKS};

pub(crate) const IDENTIFICATIONS_EACH: u64 = 2;
/// Keeps the ids apart from those of observations.
const OFFSET: u64 = 100_000_000;

/// The observation's id and the place on it that an identification's id names.
pub(crate) fn identification_place(id: u64) -> Option<(u64, u64)> {
    let number = id.checked_sub(OFFSET)?;
    Some((number / IDENTIFICATIONS_EACH, number % IDENTIFICATIONS_EACH))
}

pub(crate) fn identification_id(observation: u64, place: u64) -> u64 {
    OFFSET + observation * IDENTIFICATIONS_EACH + place
}

impl World {
    /// Who made the identification at a place of an observation.
    pub(crate) fn identifier(&self, observation: &Observation, place: u64) -> u64 {
        if place == 0 {
            return observation.user;
        }
        1 + self.dice("identifier", identification_id(observation.id, place)).skewed(USERS)
    }

    /// Everyone but the owner.
    pub(crate) fn identifiers(&self, observation: &Observation) -> impl Iterator<Item = u64> {
        (1..IDENTIFICATIONS_EACH).map(|place| self.identifier(observation, place))
    }
}

/// The identification at a place of an observation. `None` where its taxon is not known.
pub(crate) fn identification(world: &World, observation: &Observation, place: u64) -> Option<Value> {
    let taxon = world.taxa.get(observation.taxon?)?;
    let id = identification_id(observation.id, place);
    let mut dice = world.dice("identification", id);
    let own = place == 0;
    let user = world.identifier(observation, place);
    let at = observation.created + i64::try_from(place * 7_200 + dice.below(3_600)).unwrap_or(0) * i64::from(!own);
    let remark = (!own && dice.percent(30)).then(|| dice.pick(REMARKS, "Agreed."));
    let nested = world.taxon_nested(taxon);
    let mut out = json!({
        "id": id,
        "uuid": dice.uuid(),
        "user": world.user(user),
        "created_at": text(at),
        "created_at_details": details(at),
        "body": remark,
        "category": if own { "improving" } else { "supporting" },
        "current": true,
        "flags": [],
        "own_observation": own,
        "taxon_change": null,
        "vision": own,
        "disagreement": if own { Value::Null } else { false.into() },
        "previous_observation_taxon_id": taxon.id,
        "spam": false,
        "taxon_id": taxon.id,
        "hidden": false,
        "moderator_actions": [],
        "taxon": nested,
    });
    put(&mut out, "previous_observation_taxon", Some(world.taxon_nested(taxon)));
    Some(out)
}
