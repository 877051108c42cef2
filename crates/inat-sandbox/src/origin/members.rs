//! The life of a project: who is in it, what is put into it, what it writes about itself.

use serde_json::{Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    reply::{Refusal, Reply},
    talk::{Part, done, stamps, written},
    writes::{body, outer},
};
use crate::{
    clock::unix_seconds,
    data::{extend, text},
    shared::lock,
};

impl Origin {
    fn project_id(&self, call: &Call<'_>, id: &str) -> Result<u64, Refusal> {
        self.find_project(id, call.is_v2()).ok_or_else(|| Refusal::new(404, "Not Found"))
    }

    pub(super) fn join_project(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let project = self.project_id(call, id)?;
        lock(&self.writes).members.insert((project, user), unix_seconds(call.now));
        Ok(Reply::json(self.member(project, user, unix_seconds(call.now))))
    }

    pub(super) fn leave_project(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let project = self.project_id(call, id)?;
        lock(&self.writes).members.remove(&(project, user));
        Ok(done(call))
    }

    /// Those who were there from the start, then those who joined.
    pub(super) fn project_members(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let paging = call.paging(30, 100)?;
        let project = self.project_id(call, id)?;
        let record = self.project(project);
        let first = record["user_ids"].as_array().into_iter().flatten().filter_map(Value::as_u64);
        let mut members: Vec<(u64, i64)> = first.map(|user| (user, 1_400_000_000)).collect();
        let joined = lock(&self.writes);
        members.extend(joined.members.iter().filter(|((of, _), _)| *of == project).map(|((_, user), at)| (*user, *at)));
        drop(joined);
        let results = paging.slice(&members).iter().map(|(user, at)| self.member(project, *user, *at)).collect();
        Ok(Reply::page(members.len(), paging, results))
    }

    pub(super) fn membership(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let project = self.project_id(call, id)?;
        let at = lock(&self.writes).members.get(&(project, user)).copied();
        let found: Vec<Value> = at.map(|at| call.select("id", self.member(project, user, at))).into_iter().collect();
        Ok(Reply::page(found.len(), Paging { page: 1, per_page: 30 }, found))
    }

    fn member(&self, project: u64, user: u64, at: i64) -> Value {
        let mut dice = self.world.dice("member", project * 10_000 + user);
        json!({
            "id": dice.below(900_000) + 1, "project_id": project, "user_id": user, "role": null,
            "observations_count": dice.skewed(500), "taxa_count": dice.skewed(200),
            "created_at": text(at), "updated_at": text(at), "user": self.world.user(user),
        })
    }

    pub(super) fn add_to_project(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let given = body(call, "project_observation")?;
        let project = given.get("project_id").map(ToString::to_string).unwrap_or_default();
        self.put_in(call, project.trim_matches('"'), given.get("observation_id"))
    }

    /// `POST /projects/ID/add`, with the observation's id in the body or the query.
    pub(super) fn add_to_this_project(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        self.put_in(call, id, outer(call).get("observation_id"))
    }

    fn put_in(&self, call: &Call<'_>, project: &str, observation: Option<&Value>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let (one, project) = (observation.and_then(|id| self.named(id)), self.find_project(project, false));
        let (Some(one), Some(project)) = (one, project) else {
            return Err(Refusal::rails(422, json!({ "errors": ["Observation or project does not exist"] })));
        };
        if self.world.talk(&one).projects.iter().any(|link| link["project_id"] == project) {
            return Err(Refusal::rails(422, json!({ "errors": ["Observation was already added to that project"] })));
        }
        let (id, uuid) = self.registered(one.id, &serde_json::Map::new())?;
        let title = self.project(project)["title"].clone();
        let record = json!({
            "id": id, "uuid": uuid, "project_id": project, "user_id": user, "user": self.world.user(user),
            "project": { "id": project, "title": title }, "preferences": { "allows_curator_coordinate_access": false },
            "project_user": { "user": self.world.user(user), "prefers_curator_coordinate_access_for": "none" },
        });
        self.say(call, one.id, Part::Projects, record.clone())?;
        let mut columns = stamps(call, user);
        extend(
            &mut columns,
            json!({ "observation_id": one.id, "curator_identification_id": null, "tracking_code": null }),
        );
        Ok(written(call, record, columns))
    }

    /// `DELETE /projects/ID/remove`: by the project and the observation, not by the link between them.
    pub(super) fn remove_from_project(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        call.required()?;
        let project = self.project_id(call, id)?;
        let one = self.about(outer(call).get("observation_id"))?;
        let link = self.world.talk(&one).projects.iter().find(|link| link["project_id"] == project).cloned();
        let link = link.and_then(|link| link["id"].as_u64()).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        self.take_back(call, Part::Projects, &link.to_string())
    }

    pub(super) fn update_project_link(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = body(call, "project_observation")?;
        let (observation, record) = self.reword(call, Part::Projects, id, |record| {
            if let Some(preferences) = given.get("preferences") {
                crate::data::put(record, "preferences", Some(preferences.clone()));
            }
        })?;
        let mut columns = stamps(call, user);
        extend(&mut columns, json!({ "observation_id": observation }));
        Ok(written(call, record, columns))
    }

    pub(super) fn delete_project(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let project = self.project_id(call, id)?;
        if self.project(project)["user_id"] != user {
            return Err(Refusal::new(403, "You don't have permission to do that"));
        }
        let mut writes = lock(&self.writes);
        writes.projects.remove(&project);
        writes.deleted_projects.insert(project);
        Ok(done(call))
    }
}
