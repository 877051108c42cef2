//! Writing observations. What was written stands over the synthetic data and is seen by every later read.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::SystemTime,
};

use serde_json::{Map, Value, json};

use super::{
    Origin, Upload,
    call::{Call, Paging},
    reply::{Refusal, Reply},
    uploads::Kind,
};
use crate::{
    clock::unix_seconds,
    data::{Date, Given, Grade, Observation, today},
    shared::lock,
};

/// Written records get ids above everything synthetic.
const FIRST: u64 = 900_000_000;

/// What was written since the start.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    /// Created observations, and synthetic ones as they are now.
    pub(super) changed: BTreeMap<u64, Observation>,
    /// Whose it was, and when it went.
    pub(super) deleted: HashMap<u64, (u64, SystemTime)>,
    pub(super) by_uuid: HashMap<String, u64>,
    pub(super) media: HashMap<(Kind, String), (u64, u64)>,
    pub(super) projects: BTreeMap<u64, Value>,
    pub(super) deleted_projects: BTreeSet<u64>,
    /// Who joined which project, and when.
    pub(super) members: BTreeMap<(u64, u64), i64>,
    /// By follower, kind and id of what is followed.
    pub(super) subscriptions: BTreeMap<(u64, String, u64), Value>,
    pub(super) messages: BTreeMap<u64, Value>,
    /// The observation a comment, identification or the like is about, by the id and the UUID of the record.
    pub(super) said: HashMap<String, u64>,
    pub(super) uploads: Vec<Upload>,
    pub(super) created: usize,
    last_id: u64,
}

impl Writes {
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        FIRST + self.last_id
    }
}

impl Origin {
    /// An upsert: a `uuid` that is known already names the observation to change, so a lost reply can be answered by sending it again.
    pub(super) fn create_observation(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = body(call, "observation")?;
        check(call, &given)?;
        let uuid = given.get("uuid").and_then(Value::as_str).map(str::to_owned);
        if let Some(known) = uuid.as_deref().and_then(|uuid| self.find_uuid(uuid)) {
            return self.change(call, user, &known, &given);
        }
        let at = unix_seconds(call.now);
        let one = {
            let mut writes = lock(&self.writes);
            // Two requests with one uuid may arrive at once: only the first creates.
            let raced =
                uuid.as_ref().and_then(|uuid| writes.by_uuid.get(uuid)).and_then(|id| writes.changed.get(id)).cloned();
            if let Some(one) = raced {
                one
            } else {
                let mut one = blank(writes.next_id(), user, at);
                apply(&self.world, &mut one, &given);
                let uuid = one.uuid(&self.world);
                writes.by_uuid.insert(uuid, one.id);
                writes.changed.insert(one.id, one.clone());
                writes.created += 1;
                one
            }
        };
        Ok(self.written(call, &one))
    }

    pub(super) fn update_observation(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let one = self.named(&json!(id)).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        let given = body(call, "observation")?;
        check(call, &given)?;
        self.change(call, user, &one, &given)
    }

    pub(super) fn delete_own_observation(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let one = self.named(&json!(id)).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        owned(&one, user)?;
        self.remove(&one, call.now);
        Ok(Reply::json(json!({ "id": one.id, "uuid": one.uuid(&self.world) })))
    }

    fn change(
        &self,
        call: &Call<'_>,
        user: u64,
        one: &Observation,
        given: &Map<String, Value>,
    ) -> Result<Reply, Refusal> {
        owned(one, user)?;
        // The trap of the real server: `ignore_photos` false takes away the photos that are not sent along.
        let unignored =
            [given.get("ignore_photos"), outer(call).get("ignore_photos")].into_iter().flatten().any(|value| {
                *value == json!(false) || *value == json!(0) || *value == json!("0") || *value == json!("false")
            });
        let changed = self.amend(one.id, call.now, |one| {
            if unignored {
                with_given(one, |kept| {
                    kept.photos.clear();
                    kept.ignore_synthetic_media = true;
                });
            }
            apply(&self.world, one, given);
        });
        let one = changed.map(|((), one)| one).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        Ok(self.written(call, &one))
    }

    /// Changes an observation under one lock, so that of two changes at once neither is lost, and gives it as it is now. `None` where it
    /// is gone.
    pub(super) fn amend<T>(
        &self,
        id: u64,
        now: SystemTime,
        change: impl FnOnce(&mut Observation) -> T,
    ) -> Option<(T, Observation)> {
        let mut writes = lock(&self.writes);
        if writes.deleted.contains_key(&id) {
            return None;
        }
        let mut one = writes.changed.get(&id).cloned().or_else(|| self.world.find_observation(id))?;
        let outcome = change(&mut one);
        one.updated = unix_seconds(now).max(one.updated + 1);
        writes.changed.insert(id, one.clone());
        Some((outcome, one))
    }

    fn written(&self, call: &Call<'_>, one: &Observation) -> Reply {
        let record = self.shown_as(call, one);
        if call.is_v2() { Reply::page(1, Paging { page: 1, per_page: 1 }, vec![record]) } else { Reply::json(record) }
    }

    fn remove(&self, one: &Observation, now: SystemTime) {
        let mut writes = lock(&self.writes);
        writes.changed.remove(&one.id);
        writes.by_uuid.retain(|_, id| *id != one.id);
        writes.deleted.insert(one.id, (one.user, now));
    }

    pub(crate) fn touch(&self, id: u64, description: &str, now: SystemTime) -> bool {
        let change = |one: &mut Observation| with_given(one, |given| given.description = Some(description.to_owned()));
        self.amend(id, now, change).is_some()
    }

    pub(crate) fn delete(&self, id: u64, now: SystemTime) -> bool {
        match self.find(id) {
            Some(one) => {
                self.remove(&one, now);
                true
            }
            None => false,
        }
    }

    pub(crate) fn add(&self, user: u64, taxon: u64, now: SystemTime) -> u64 {
        let mut writes = lock(&self.writes);
        let id = writes.next_id();
        let mut one = blank(id, user, unix_seconds(now));
        one.taxon = self.world.taxa.get(taxon).map(|taxon| taxon.id);
        writes.by_uuid.insert(one.uuid(&self.world), id);
        writes.changed.insert(id, one);
        id
    }
}

fn check(call: &Call<'_>, given: &Map<String, Value>) -> Result<(), Refusal> {
    let day = observed_text(given).and_then(|text| text.get(..10)?.parse::<Date>().ok());
    if day.is_some_and(|day| day > today(call.now)) {
        return Err(Refusal::rails(422, json!({ "errors": [["Observed on can't be in the future"]] })));
    }
    let out = |name: &str, most: f64| number(given, name).is_some_and(|degrees| degrees.abs() > most);
    if out("latitude", 90.0) || out("longitude", 180.0) {
        return Err(Refusal::rails(422, json!({ "errors": [["Latitude and longitude must be on Earth"]] })));
    }
    Ok(())
}

fn blank(id: u64, user: u64, at: i64) -> Observation {
    Observation {
        id,
        index: None,
        taxon: None,
        user,
        place: None,
        position: None,
        observed: None,
        created: at,
        updated: at,
        grade: Grade::Casual,
        obscured: false,
        captive: false,
        photos: 0,
        sounds: 0,
        given: None,
    }
}

fn owned(one: &Observation, user: u64) -> Result<(), Refusal> {
    if one.user == user { Ok(()) } else { Err(Refusal::new(403, "You don't have permission to do that")) }
}

fn apply(world: &crate::data::World, one: &mut Observation, fields: &Map<String, Value>) {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut given = one.given.as_deref().cloned().unwrap_or_default();
    if one.index.is_none() && given.uuid.is_none() {
        given.uuid = text("uuid");
    }
    let replace = |old: &mut Option<String>, name: &str| {
        if fields.contains_key(name) {
            *old = text(name);
        }
    };
    replace(&mut given.description, "description");
    replace(&mut given.species_guess, "species_guess");
    replace(&mut given.place_guess, "place_guess");
    if let Some(said) = observed_text(fields) {
        one.observed = seconds(&said);
        given.observed_on_string = Some(said);
    }
    if let Some(tags) = fields.get("tag_list") {
        given.tags = tags_of(tags);
    }
    if let Some(taxon) = fields.get("taxon_id") {
        one.taxon = number_of(taxon).and_then(|id| world.taxa.get(id)).map(|taxon| taxon.id);
    }
    if let (Some(latitude), Some(longitude)) = (number(fields, "latitude"), number(fields, "longitude")) {
        one.position = Some((latitude, longitude));
        one.place = crate::data::PLACES.iter().rev().find(|place| {
            let [south, west, north, east] = place.bounds;
            (south..=north).contains(&latitude) && (west..=east).contains(&longitude)
        });
    }
    given.positional_accuracy = fields.get("positional_accuracy").and_then(number_of).or(given.positional_accuracy);
    if let Some(privacy) = fields.get("geoprivacy") {
        one.obscured = matches!(privacy.as_str(), Some("obscured" | "private"));
    }
    if let Some(captive) = fields.get("captive_flag").or_else(|| fields.get("captive")) {
        one.captive = matches!(captive, Value::Bool(true)) || *captive == json!("1") || *captive == json!(1);
    }
    one.given = Some(Arc::new(given));
    grade(one);
}

/// With a date, a place and a picture or sound, others can help to name it.
pub(super) fn grade(one: &mut Observation) {
    if one.index.is_none() {
        let complete = one.observed.is_some() && one.position.is_some() && (one.has_photos() || one.has_sounds());
        one.grade = if complete && !one.captive { Grade::NeedsId } else { Grade::Casual };
    }
}

fn tags_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
        }
        Value::Array(tags) => tags.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn observed_text(fields: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    text("observed_on_string").or_else(|| text("observed_on")).or_else(|| text("time_observed_at"))
}

fn seconds(text: &str) -> Option<i64> {
    let whole = text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    whole.or_else(|| {
        let day = text.get(..10)?.parse::<Date>().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
    })
}

fn number(fields: &Map<String, Value>, name: &str) -> Option<f64> {
    let value = fields.get(name)?;
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number| number.is_finite())
}

fn number_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// What a request says beside the record: its query, and the top level of its body.
pub(super) fn outer(call: &Call<'_>) -> Map<String, Value> {
    let mut out: Map<String, Value> = call.params.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    if let Ok(Value::Object(body)) = serde_json::from_slice(&call.seen.body) {
        out.extend(body);
    }
    out
}

/// The record in a body: JSON with or without its name around it, or a form with names like `observation[uuid]`.
pub(super) fn body(call: &Call<'_>, name: &str) -> Result<Map<String, Value>, Refusal> {
    let body = &call.seen.body;
    if call.seen.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
        let inner = |key: &str| Some(key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?.to_owned());
        let pairs = url::form_urlencoded::parse(body);
        return Ok(pairs.filter_map(|(key, value)| Some((inner(&key)?, json!(value)))).collect());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut fields)) => match fields.remove(name) {
            Some(Value::Object(inner)) => Ok(inner),
            Some(Value::Array(items)) => match items.into_iter().next() {
                Some(Value::Object(inner)) => Ok(inner),
                _ => Err(Refusal::new(422, format!("{name} is empty"))),
            },
            _ => Ok(fields),
        },
        _ => Err(Refusal::new(400, "the body is not a JSON object")),
    }
}

pub(super) fn with_given(one: &mut Observation, change: impl FnOnce(&mut Given)) {
    let mut given = one.given.as_deref().cloned().unwrap_or_default();
    change(&mut given);
    one.given = Some(Arc::new(given));
}
