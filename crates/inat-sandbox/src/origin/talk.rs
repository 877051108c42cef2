//! What hangs on an observation — identifications, comments, votes, annotations and the rest — found, added, changed and taken back.

use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    reply::{Refusal, Reply},
    writes,
};
use crate::{
    clock::unix_seconds,
    data::{Observation, Talk, author, commented, extend, identification_place, micros_text, text},
    shared::lock,
};

/// A list of an observation's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Identifications,
    Comments,
    Annotations,
    FieldValues,
    Flags,
    Projects,
}

impl Part {
    fn of(self, talk: &Talk) -> &[Value] {
        match self {
            Self::Identifications => &talk.identifications,
            Self::Comments => &talk.comments,
            Self::Annotations => &talk.annotations,
            Self::FieldValues => &talk.field_values,
            Self::Flags => &talk.flags,
            Self::Projects => &talk.projects,
        }
    }

    pub(super) fn of_mut(self, talk: &mut Talk) -> &mut Vec<Value> {
        match self {
            Self::Identifications => &mut talk.identifications,
            Self::Comments => &mut talk.comments,
            Self::Annotations => &mut talk.annotations,
            Self::FieldValues => &mut talk.field_values,
            Self::Flags => &mut talk.flags,
            Self::Projects => &mut talk.projects,
        }
    }

    /// The observation a synthetic record's id names.
    fn synthetic(self, id: u64) -> Option<u64> {
        match self {
            Self::Identifications => identification_place(id).map(|(observation, _)| observation),
            Self::Comments => commented(id),
            _ => None,
        }
    }
}

impl Origin {
    /// Changes an observation and what was said about it. `None` where it is gone.
    pub(super) fn discuss<T>(
        &self,
        observation: u64,
        now: SystemTime,
        change: impl FnOnce(&mut Observation, &mut Talk) -> T,
    ) -> Option<T> {
        let changed = self.amend(observation, now, |one| {
            let mut talk = self.world.talk(one).into_owned();
            let outcome = change(one, &mut talk);
            writes::with_given(one, |given| given.talk = Some(talk));
            outcome
        });
        changed.map(|(outcome, _)| outcome)
    }

    /// An id and a UUID for a new record of an observation. A UUID sent along must be new: here it does not make an upsert.
    pub(super) fn registered(&self, observation: u64, given: &Map<String, Value>) -> Result<(u64, String), Refusal> {
        let mut writes = lock(&self.writes);
        let id = writes.next_id();
        let uuid = given.get("uuid").and_then(Value::as_str).map(str::to_owned);
        let uuid = uuid.unwrap_or_else(|| self.world.dice("said", id).uuid());
        if writes.said.contains_key(&uuid) {
            return Err(Refusal::rails(422, json!({ "errors": { "uuid": ["has already been taken"] } })));
        }
        writes.said.insert(uuid.clone(), observation);
        writes.said.insert(id.to_string(), observation);
        Ok((id, uuid))
    }

    /// The record with this id or UUID, and the id of its observation.
    pub(super) fn said(&self, part: Part, id: &str) -> Result<(u64, Value), Refusal> {
        let written = lock(&self.writes).said.get(id).copied();
        let observation = written.or_else(|| part.synthetic(id.parse().ok()?));
        let found = observation.and_then(|id| self.find(id)).and_then(|one| {
            let talk = self.world.talk(&one);
            Some((one.id, part.of(&talk).iter().find(|record| is_named(record, id))?.clone()))
        });
        found.ok_or_else(|| Refusal::new(404, "Not Found"))
    }

    /// Adds a record where the observation still is.
    pub(super) fn say(&self, call: &Call<'_>, observation: u64, part: Part, record: Value) -> Result<(), Refusal> {
        let added = self.discuss(observation, call.now, |_, talk| part.of_mut(talk).push(record));
        added.ok_or_else(|| Refusal::new(404, "Not Found"))
    }

    /// Changes a record of the caller's own, and gives it as it is now with the id of its observation.
    pub(super) fn reword(
        &self,
        call: &Call<'_>,
        part: Part,
        id: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<(u64, Value), Refusal> {
        let observation = self.own(call, part, id)?;
        let changed = self.discuss(observation, call.now, |_, talk| {
            let record = part.of_mut(talk).iter_mut().find(|record| is_named(record, id))?;
            change(record);
            Some(record.clone())
        });
        changed.flatten().map(|record| (observation, record)).ok_or_else(|| Refusal::new(404, "Not Found"))
    }

    /// Takes a record of the caller's own away.
    pub(super) fn take_back(&self, call: &Call<'_>, part: Part, id: &str) -> Result<Reply, Refusal> {
        let observation = self.own(call, part, id)?;
        self.discuss(observation, call.now, |_, talk| part.of_mut(talk).retain(|record| !is_named(record, id)));
        Ok(done(call))
    }

    /// The observation of a record that is the caller's own.
    fn own(&self, call: &Call<'_>, part: Part, id: &str) -> Result<u64, Refusal> {
        let user = call.required()?;
        let (observation, record) = self.said(part, id)?;
        if author(&record) == Some(user) {
            return Ok(observation);
        }
        Err(Refusal::new(403, "You don't have permission to do that"))
    }

    /// The observation a body or path names, or the words Rails has for none.
    pub(super) fn about(&self, id: Option<&Value>) -> Result<Observation, Refusal> {
        let none = || Refusal::rails(422, json!({ "errors": { "observation": ["must exist"] } }));
        id.and_then(|id| self.named(id)).ok_or_else(none)
    }
}

pub(super) fn is_named(record: &Value, id: &str) -> bool {
    record["uuid"] == id || record["id"].as_u64().is_some_and(|known| known.to_string() == id)
}

/// A written record: v1 passes on what Rails says, which has columns of its own; v2 gives a page of one.
pub(super) fn written(call: &Call<'_>, mut record: Value, columns: Value) -> Reply {
    if call.is_v2() {
        let record = call.select("uuid", record);
        return Reply::page(1, Paging { page: 1, per_page: 1 }, vec![record]);
    }
    extend(&mut record, columns);
    Reply::json(record)
}

/// The columns every Rails record has.
pub(super) fn stamps(call: &Call<'_>, user: u64) -> Value {
    let (at, utc) = (text(unix_seconds(call.now)), micros_text(call.now));
    json!({ "user_id": user, "created_at": at, "updated_at": at, "created_at_utc": utc, "updated_at_utc": utc })
}

/// Done, and nothing to show: v1 and v2 send an empty body as JSON, which no parser takes.
pub(super) fn done(_: &Call<'_>) -> Reply {
    Reply::ready(crate::Answer::new(200).header("Content-Type", "application/json; charset=utf-8"))
}

/// Done, without a body: v2 for what is switched on and off. v1 passes on Rails' own 204.
pub(super) fn switched() -> Reply {
    Reply::ready(crate::Answer::new(204))
}
