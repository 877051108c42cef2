//! Faves, votes and quality metrics. A fave is a vote without a scope.

use serde_json::{Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    reply::{Refusal, Reply},
    talk::{Part, is_named, switched},
    writes,
};
use crate::{
    clock::unix_seconds,
    data::{Observation, author, put, text},
    shared::lock,
};

const METRICS: &[&str] = &["date", "location", "wild", "evidence", "recent", "needs_id", "subject", "recent_id"];

impl Origin {
    pub(super) fn vote(&self, call: &Call<'_>, id: &str, scope: Option<&str>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let one = self.named(&json!(id)).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        let vote = self.ballot(call, user, scope);
        self.discuss(one.id, call.now, |_, talk| cast(&mut talk.votes, vote));
        Ok(self.voted(call, one.id))
    }

    pub(super) fn unvote(&self, call: &Call<'_>, id: &str, scope: Option<&str>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let one = self.named(&json!(id)).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        self.discuss(one.id, call.now, |_, talk| {
            talk.votes.retain(|vote| author(vote) != Some(user) || vote["vote_scope"].as_str() != scope);
        });
        Ok(switched())
    }

    pub(super) fn vote_annotation(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let vote = self.ballot(call, user, None);
        self.poll(call, id, |votes| cast(votes, vote))?;
        Ok(switched())
    }

    pub(super) fn unvote_annotation(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        self.poll(call, id, |votes| votes.retain(|vote| author(vote) != Some(user)))?;
        Ok(switched())
    }

    /// Changes the votes on an annotation and counts them again.
    fn poll(&self, call: &Call<'_>, id: &str, change: impl FnOnce(&mut Vec<Value>)) -> Result<(), Refusal> {
        let (observation, _) = self.said(Part::Annotations, id)?;
        self.discuss(observation, call.now, |_, talk| {
            let Some(annotation) = talk.annotations.iter_mut().find(|record| is_named(record, id)) else { return };
            let mut votes = annotation["votes"].as_array().cloned().unwrap_or_default();
            change(&mut votes);
            let score: i64 = votes.iter().map(|vote| if vote["vote_flag"] == true { 1 } else { -1 }).sum();
            put(annotation, "vote_score", Some(score.into()));
            put(annotation, "votes", Some(votes.into()));
        });
        Ok(())
    }

    fn ballot(&self, call: &Call<'_>, user: u64, scope: Option<&str>) -> Value {
        let given = writes::outer(call);
        let against = matches!(given.get("vote").and_then(Value::as_str), Some("no" | "down" | "bad" | "false"));
        json!({
            "id": lock(&self.writes).next_id(),
            "vote_flag": !against,
            "vote_scope": scope,
            "user_id": user,
            "created_at": text(unix_seconds(call.now)),
            "user": self.world.user(user),
        })
    }

    /// v1 passes on the observation with its votes, as Rails gives it; v2 has nothing to say.
    fn voted(&self, call: &Call<'_>, id: u64) -> Reply {
        match self.find(id) {
            Some(one) if !call.is_v2() => Reply::json(self.shown_as(call, &one)),
            _ => switched(),
        }
    }

    pub(super) fn set_quality(&self, call: &Call<'_>, id: &str, metric: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let one = self.measured(id, metric)?;
        let given = writes::outer(call);
        let agree = !given.get("agree").is_some_and(|agree| *agree == json!(false) || *agree == json!("false"));
        let number = lock(&self.writes).next_id();
        let record =
            json!({ "id": number, "user_id": user, "metric": metric, "agree": agree, "user": self.world.user(user) });
        self.discuss(one.id, call.now, |_, talk| {
            talk.quality_metrics.retain(|known| known["metric"] != metric || author(known) != Some(user));
            talk.quality_metrics.push(record.clone());
        });
        Ok(if call.is_v2() { switched() } else { Reply::json(record) })
    }

    pub(super) fn unset_quality(&self, call: &Call<'_>, id: &str, metric: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let one = self.measured(id, metric)?;
        self.discuss(one.id, call.now, |_, talk| {
            talk.quality_metrics.retain(|known| known["metric"] != metric || author(known) != Some(user));
        });
        Ok(switched())
    }

    pub(super) fn quality_metrics(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let one = self.named(&json!(id)).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        let metrics = self.world.talk(&one).quality_metrics.clone();
        let paging = Paging { page: 1, per_page: metrics.len() as u64 };
        let results = metrics.into_iter().map(|record| call.select("id", record)).collect::<Vec<_>>();
        Ok(Reply::page(results.len(), paging, results))
    }

    fn measured(&self, id: &str, metric: &str) -> Result<Observation, Refusal> {
        if !METRICS.contains(&metric) {
            return Err(Refusal::rails(422, json!({ "errors": { "metric": ["is not included in the list"] } })));
        }
        self.named(&json!(id)).ok_or_else(|| Refusal::new(404, "Not Found"))
    }
}

/// One vote of each person in each scope: a new one takes the place of the old.
fn cast(votes: &mut Vec<Value>, vote: Value) {
    votes.retain(|known| known["user_id"] != vote["user_id"] || known["vote_scope"] != vote["vote_scope"]);
    votes.push(vote);
}
