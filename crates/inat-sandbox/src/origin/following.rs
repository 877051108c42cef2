//! Marks that only their owner sees: what was reviewed, and what is followed.

use serde_json::{Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    reply::{Refusal, Reply},
    talk::{done, switched},
};
use crate::{clock::unix_seconds, data::text, shared::lock};

impl Origin {
    pub(super) fn review(&self, call: &Call<'_>, id: &str, reviewed: bool) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let one = self.named(&json!(id)).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        self.discuss(one.id, call.now, |_, talk| {
            if reviewed { talk.reviewed_by.insert(user) } else { talk.reviewed_by.remove(&user) }
        });
        Ok(if call.is_v2() { switched() } else { done(call) })
    }

    /// Follows, or stops following: one route does both, as on the site.
    pub(super) fn subscribe(&self, call: &Call<'_>, kind: &str, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let resource = self.followed(call, kind, id)?;
        let mut writes = lock(&self.writes);
        let key = (user, kind.to_owned(), resource);
        if writes.subscriptions.remove(&key).is_some() {
            return Ok(switched());
        }
        let id = writes.next_id();
        let at = text(unix_seconds(call.now));
        let record = json!({
            "id": id, "user_id": user, "resource_type": kind, "resource_id": resource, "taxon_id": null, "created_at": at,
            "updated_at": at, "uuid": self.world.dice("subscription", id).uuid(),
        });
        writes.subscriptions.insert(key, record.clone());
        Ok(if call.is_v2() { switched() } else { Reply::json(record) })
    }

    pub(super) fn subscriptions(&self, call: &Call<'_>, kind: &str, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let resource = self.followed(call, kind, id)?;
        let found: Vec<Value> =
            lock(&self.writes).subscriptions.get(&(user, kind.to_owned(), resource)).cloned().into_iter().collect();
        Ok(Reply::page(found.len(), Paging { page: 1, per_page: 30 }, found))
    }

    fn followed(&self, call: &Call<'_>, kind: &str, id: &str) -> Result<u64, Refusal> {
        let found = match kind {
            "Observation" => self.named(&json!(id)).map(|one| one.id),
            "Project" => self.find_project(id, call.is_v2()),
            _ => None,
        };
        found.ok_or_else(|| Refusal::new(404, "Not Found"))
    }
}
