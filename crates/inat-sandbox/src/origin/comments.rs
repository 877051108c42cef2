//! Comments, on observations only: those on journal posts and the like have nothing to hang on here.

use serde_json::{Value, json};

use super::{
    Origin,
    call::Call,
    reply::{Refusal, Reply},
    talk::{Part, stamps, written},
    writes::body,
};
use crate::{
    clock::unix_seconds,
    data::{comment, extend, put},
};

impl Origin {
    pub(super) fn create_comment(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = body(call, "comment")?;
        let parent = given.get("parent_id").or_else(|| given.get("parent_uuid"));
        if given.get("parent_type").and_then(Value::as_str).is_some_and(|kind| kind != "Observation") {
            return Err(Refusal::rails(422, json!({ "errors": { "parent": ["must exist"] } })));
        }
        let one = self.about(parent)?;
        let words = words(given.get("body"))?;
        let (id, uuid) = self.registered(one.id, &given)?;
        let record = comment(id, &uuid, &self.world.user(user), unix_seconds(call.now), &words);
        self.say(call, one.id, Part::Comments, record.clone())?;
        Ok(shown(call, record, user, one.id))
    }

    pub(super) fn update_comment(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let words = words(body(call, "comment")?.get("body"))?;
        let (observation, record) =
            self.reword(call, Part::Comments, id, |record| put(record, "body", Some(words.into())))?;
        Ok(shown(call, record, user, observation))
    }
}

fn words(given: Option<&Value>) -> Result<String, Refusal> {
    let words = given.and_then(Value::as_str).filter(|words| !words.trim().is_empty());
    words.map(str::to_owned).ok_or_else(|| Refusal::rails(422, json!({ "errors": { "body": ["can't be blank"] } })))
}

fn shown(call: &Call<'_>, record: Value, user: u64, observation: u64) -> Reply {
    let mut columns = stamps(call, user);
    extend(
        &mut columns,
        json!({ "parent_type": "Observation", "parent_id": observation, "created_at": record["created_at"] }),
    );
    written(call, record, columns)
}
