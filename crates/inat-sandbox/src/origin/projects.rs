//! Projects, read and written.

use serde_json::{Value, json};

use super::{
    Origin,
    call::Call,
    reply::{Lifetime, Refusal, Reply},
    taxa::has_word,
};
use crate::{
    clock::unix_seconds,
    data::{World, micros_text, text},
    shared::lock,
};

impl Origin {
    pub(super) fn projects(
        &self,
        call: &Call<'_>,
        lifetime: Lifetime,
        (default, most): (u64, u64),
    ) -> Result<Reply, Refusal> {
        let paging = call.paging(default, most)?.within_window(call.version)?;
        let written: Vec<u64> = lock(&self.writes).projects.keys().copied().collect();
        let mut ids: Vec<u64> =
            World::project_ids().filter(|id| !written.contains(id)).chain(written.iter().copied()).collect();
        ids.retain(|id| !lock(&self.writes).deleted_projects.contains(id));
        ids.sort_unstable();
        ids.retain(|id| {
            let project = self.project(*id);
            let title = project["title"].as_str().unwrap_or_default();
            let place = call
                .get("place_id")
                .is_none_or(|place| place.parse().is_ok_and(|place: u64| project["place_id"] == place));
            call.get("q").is_none_or(|term| has_word(title, term)) && place
        });
        let results = paging.slice(&ids).iter().map(|id| call.select("id", self.project(*id))).collect();
        Ok(Reply::page(ids.len(), paging, results).lasting(lifetime))
    }

    pub(super) fn projects_by_id(&self, call: &Call<'_>, ids: &str) -> Result<Reply, Refusal> {
        let ids: Vec<&str> = ids.split(',').filter(|id| !id.is_empty()).collect();
        let most = call.paging(30, 100)?.per_page.max(1);
        if ids.len() as u64 > most {
            return Err(Refusal::new(422, "Too many IDs"));
        }
        let known = ids.iter().filter_map(|id| self.find_project(id, call.is_v2()));
        let found: Vec<Value> = known.map(|id| call.select("id", self.project(id))).collect();
        Ok(Reply::shown(call, found.len().max(1), found))
    }

    /// By id, and on v1 by slug.
    pub(super) fn find_project(&self, id: &str, only_id: bool) -> Option<u64> {
        let number = id.parse::<u64>().ok();
        if only_id && number.is_none() {
            return None;
        }
        let writes = lock(&self.writes);
        let written = number.filter(|id| writes.projects.contains_key(id));
        let by_slug = writes.projects.iter().find(|(_, project)| project["slug"] == id).map(|(id, _)| *id);
        let synthetic = || World::find_project(id).filter(|id| !writes.deleted_projects.contains(id));
        written.or(by_slug).or_else(synthetic)
    }

    pub(super) fn project(&self, id: u64) -> Value {
        lock(&self.writes).projects.get(&id).cloned().unwrap_or_else(|| self.world.project(id))
    }

    pub(super) fn create_project(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let given = super::writes::body(call, "project")?;
        let id = {
            let mut writes = lock(&self.writes);
            writes.next_id()
        };
        let created = text(unix_seconds(call.now));
        let title = given.get("title").and_then(Value::as_str).unwrap_or_default().to_owned();
        if title.trim().is_empty() {
            return Err(Refusal::rails(422, json!({ "errors": { "title": ["can't be blank"] } })));
        }
        let mut project = self.world.project(id);
        crate::data::extend(
            &mut project,
            json!({
                "title": title, "slug": title.to_lowercase().replace(' ', "-"), "description": null, "user_id": user,
                "user": self.world.user(user), "created_at": created, "user_ids": [user],
                "admins": [{ "id": 1_470_000 + id, "user_id": user, "project_id": id, "role": "manager" }],
            }),
        );
        Ok(self.save_project(call, id, project, &given))
    }

    pub(super) fn update_project(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let id = self.find_project(id, false).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        let project = self.project(id);
        let admins =
            project["admins"].as_array().is_some_and(|admins| admins.iter().any(|admin| admin["user_id"] == user));
        if !admins && user != 1 {
            return Err(Refusal::new(403, "You don't have permission to do that"));
        }
        let given = super::writes::body(call, "project")?;
        Ok(self.save_project(call, id, project, &given))
    }

    /// The form Rails answers writes with: the record and its own columns.
    fn save_project(
        &self,
        call: &Call<'_>,
        id: u64,
        mut project: Value,
        given: &serde_json::Map<String, Value>,
    ) -> Reply {
        let plain =
            given.iter().filter(|(name, _)| !matches!(name.as_str(), "id" | "user_id" | "admins" | "user" | "uuid"));
        crate::data::extend(
            &mut project,
            Value::Object(plain.map(|(name, value)| (name.clone(), value.clone())).collect()),
        );
        let at = unix_seconds(call.now);
        crate::data::extend(&mut project, json!({ "updated_at": text(at), "updated_at_utc": micros_text(call.now) }));
        lock(&self.writes).projects.insert(id, project.clone());
        let created = project["created_at"].clone();
        crate::data::extend(
            &mut project,
            json!({
                "cover_content_type": null, "cover_file_name": null, "cover_file_size": null, "cover_updated_at": null,
                "created_at_utc": created, "delta": false, "end_time": null, "event_url": null, "group": null,
                "icon_content_type": null, "icon_file_size": null, "icon_updated_at": null, "last_aggregated_at": null,
                "map_type": "terrain", "observed_taxa_count": 0, "source_url": null, "start_time": null, "tracking_codes": null,
                "trusted": false, "zoom_level": null,
            }),
        );
        Reply::json(project)
    }
}
