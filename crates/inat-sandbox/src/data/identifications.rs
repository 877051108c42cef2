//! Identifications: two on each observation, the owner's first. Their ids follow from the observation's.

use serde_json::{Value, json};

use super::{Observation, Taxon, USERS, World, author, details, text, words::REMARKS};

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
    let at = observation.created + i64::try_from(place * 7_200 + dice.below(3_600)).unwrap_or(0) * i64::from(!own);
    let body = (!own && dice.percent(30)).then(|| dice.pick(REMARKS, "Agreed.").to_owned());
    let user = world.identifier(observation, place);
    let said = Naming { id, uuid: dice.uuid(), user, at, body, own, category: category(place), vision: own };
    Some(naming(world, taxon, &said))
}

/// What filters and counts look at in an identification.
#[derive(Debug)]
pub(crate) struct Brief {
    pub(crate) id: u64,
    pub(crate) user: u64,
    pub(crate) taxon: u64,
    pub(crate) own: bool,
    pub(crate) category: String,
    pub(crate) current: bool,
}

impl Brief {
    fn of(record: &Value) -> Option<Self> {
        Some(Self {
            id: record["id"].as_u64()?,
            user: author(record)?,
            taxon: record["taxon_id"].as_u64()?,
            own: record["own_observation"] == true,
            category: record["category"].as_str()?.to_owned(),
            current: record["current"] == true,
        })
    }
}

impl World {
    /// The identifications of an observation in brief. A synthetic one is not spelled out for it, which would take a search of all
    /// observations too long; a written observation has none here before somebody else has named it.
    pub(crate) fn briefs(&self, one: &Observation) -> Vec<Brief> {
        if let Some(talk) = one.given.as_deref().and_then(|given| given.talk.as_ref()) {
            return talk.identifications.iter().filter_map(Brief::of).collect();
        }
        let (Some(taxon), Some(_)) = (one.taxon, one.index) else { return Vec::new() };
        let brief = |place| Brief {
            id: identification_id(one.id, place),
            user: self.identifier(one, place),
            taxon,
            own: place == 0,
            category: category(place).to_owned(),
            current: true,
        };
        (0..IDENTIFICATIONS_EACH).map(brief).collect()
    }
}

fn category(place: u64) -> &'static str {
    if place == 0 { "improving" } else { "supporting" }
}

/// What one identification says, beside its taxon.
#[derive(Debug)]
pub(crate) struct Naming {
    pub(crate) id: u64,
    pub(crate) uuid: String,
    pub(crate) user: u64,
    pub(crate) at: i64,
    pub(crate) body: Option<String>,
    /// Of one's own observation.
    pub(crate) own: bool,
    pub(crate) category: &'static str,
    /// Whether a computer suggested it.
    pub(crate) vision: bool,
}

/// An identification as it stands inside an observation.
pub(crate) fn naming(world: &World, taxon: &Taxon, said: &Naming) -> Value {
    json!({
        "id": said.id,
        "uuid": said.uuid,
        "user": world.user(said.user),
        "created_at": text(said.at),
        "created_at_details": details(said.at),
        "body": said.body,
        "category": said.category,
        "current": true,
        "flags": [],
        "own_observation": said.own,
        "taxon_change": null,
        "vision": said.vision,
        "disagreement": if said.own { Value::Null } else { false.into() },
        "previous_observation_taxon_id": taxon.id,
        "spam": false,
        "taxon_id": taxon.id,
        "hidden": false,
        "moderator_actions": [],
        "taxon": world.taxon_nested(taxon),
        "previous_observation_taxon": world.taxon_nested(taxon),
    })
}
