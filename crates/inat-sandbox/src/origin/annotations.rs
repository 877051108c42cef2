//! Annotations, observation field values and flags: small facts added to an observation.

use serde_json::{Map, Value, json};

use super::{
    Origin,
    call::Call,
    reply::{Lifetime, Refusal, Reply},
    talk::{Part, is_named, stamps, written},
    taxa::has_word,
    writes::body,
};
use crate::data::{FIELDS, Field, author, extend, is_value_of, put};

impl Origin {
    pub(super) fn annotate(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = body(call, "annotation")?;
        let one = self.about(given.get("resource_id"))?;
        let (term, value) = (number(&given, "controlled_attribute_id"), number(&given, "controlled_value_id"));
        let (Some(term), Some(value)) = (term, value) else {
            return Err(Refusal::rails(422, json!({ "errors": { "controlled_attribute": ["can't be blank"] } })));
        };
        if !is_value_of(term, value) {
            return Err(Refusal::rails(
                422,
                json!({ "errors": { "controlled_value": ["must be among the attribute's values"] } }),
            ));
        }
        if self.world.talk(&one).annotations.iter().any(|known| known["controlled_value_id"] == value) {
            return Err(Refusal::rails(422, json!({ "errors": { "controlled_value": ["has already been taken"] } })));
        }
        let (id, uuid) = self.registered(one.id, &given)?;
        let record = json!({
            "id": id, "uuid": uuid, "controlled_attribute_id": term, "controlled_value_id": value,
            "concatenated_attr_val": format!("{term}|{value}"), "vote_score": 0, "user_id": user, "votes": [],
            "user": self.world.user(user),
        });
        self.say(call, one.id, Part::Annotations, record.clone())?;
        let mut columns = stamps(call, user);
        extend(
            &mut columns,
            json!({ "resource_type": "Observation", "resource_id": one.id, "observation_field_value_id": null }),
        );
        Ok(written(call, record, columns))
    }

    /// Creates a value, or changes the one the observation has for this field: as Rails does.
    pub(super) fn set_field_value(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = body(call, "observation_field_value")?;
        let one = self.about(given.get("observation_id"))?;
        let (field, value) = field_value(&given, None)?;
        let known = self.world.talk(&one).field_values.iter().find(|known| known["field_id"] == field.id).cloned();
        if let Some(id) = known.as_ref().and_then(|known| known["id"].as_u64()) {
            return self.update_field_value(call, &id.to_string());
        }
        let (id, uuid) = self.registered(one.id, &given)?;
        let record = json!({
            "id": id, "uuid": uuid, "field_id": field.id, "datatype": field.datatype, "name": field.name, "name_ci": field.name,
            "value": value, "value_ci": value, "user_id": user, "updater_id": user, "user": self.world.user(user),
        });
        self.say(call, one.id, Part::FieldValues, record.clone())?;
        Ok(field_value_shown(call, record, user, one.id))
    }

    pub(super) fn update_field_value(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = body(call, "observation_field_value")?;
        let (observation, known) = self.said(Part::FieldValues, id)?;
        if author(&known) != Some(user) && self.find(observation).is_none_or(|one| one.user != user) {
            return Err(Refusal::new(403, "You don't have permission to do that"));
        }
        let (_, value) = field_value(&given, known["field_id"].as_u64())?;
        let changed = self.discuss(observation, call.now, |_, talk| {
            let record = talk.field_values.iter_mut().find(|record| is_named(record, id))?;
            for (name, value) in [("value", json!(value)), ("value_ci", json!(value)), ("updater_id", json!(user))] {
                put(record, name, Some(value));
            }
            Some(record.clone())
        });
        let record = changed.flatten().ok_or_else(|| Refusal::new(404, "Not Found"))?;
        Ok(field_value_shown(call, record, user, observation))
    }

    pub(super) fn fields_autocomplete(call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(30, 200)?;
        let term = call.get("q").unwrap_or_default();
        let found: Vec<Value> = FIELDS.iter().filter(|field| has_word(field.name, term)).map(Field::indexed).collect();
        Ok(Reply::page(found.len(), paging, paging.slice(&found).to_vec()).lasting(Lifetime::Unsaid))
    }

    pub(super) fn create_flag(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = body(call, "flag")?;
        let (kind, about) = (given.get("flaggable_type").and_then(Value::as_str), given.get("flaggable_id"));
        let reason = given.get("flag").and_then(Value::as_str).filter(|reason| !reason.trim().is_empty());
        let (Some(reason), Some("Observation")) = (reason, kind) else {
            return Err(Refusal::rails(422, json!({ "errors": { "flaggable": ["must exist"] } })));
        };
        let one = self.about(about)?;
        let (id, uuid) = self.registered(one.id, &given)?;
        let record = json!({
            "id": id, "uuid": uuid, "flag": reason, "comment": null, "resolved": false, "resolver_id": null, "user_id": user,
            "flaggable_type": kind, "flaggable_id": one.id, "created_at": stamps(call, user)["created_at"],
            "user": self.world.user(user),
        });
        self.say(call, one.id, Part::Flags, record.clone())?;
        Ok(written(call, record, stamps(call, user)))
    }

    pub(super) fn update_flag(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = body(call, "flag")?;
        let (_, record) = self.reword(call, Part::Flags, id, |record| {
            for name in ["resolved", "comment"] {
                put(record, name, given.get(name).cloned());
            }
        })?;
        Ok(written(call, record, stamps(call, user)))
    }
}

/// The field a value is for, and the value, where the field allows it.
fn field_value(given: &Map<String, Value>, known: Option<u64>) -> Result<(&'static Field, String), Refusal> {
    let invalid = |name: &str, why: &str| Refusal::rails(422, json!({ "errors": { name: [why] } }));
    let field = number(given, "observation_field_id").or(known).and_then(Field::find);
    let field = field.ok_or_else(|| invalid("observation_field", "must exist"))?;
    let value = match given.get("value") {
        Some(Value::String(value)) => value.clone(),
        None | Some(Value::Null) => return Err(invalid("value", "can't be blank")),
        Some(value) => value.to_string(),
    };
    if field.allows(&value) { Ok((field, value)) } else { Err(invalid("value", "is not allowed for this field")) }
}

fn field_value_shown(call: &Call<'_>, record: Value, user: u64, observation: u64) -> Reply {
    let mut columns = stamps(call, user);
    let field = record["field_id"].clone();
    extend(&mut columns, json!({ "observation_id": observation, "observation_field_id": field }));
    written(call, record, columns)
}

fn number(given: &Map<String, Value>, name: &str) -> Option<u64> {
    let value = given.get(name)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
