//! People.

use serde_json::Value;

use super::{
    Origin,
    call::Call,
    reply::{Refusal, Reply},
};
use crate::{
    data::{USERS, World},
    shared::lock,
};

impl Origin {
    pub(super) fn me(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let user = call.required()?;
        let mut record = self.world.user(user);
        if let Some(fields) = record.as_object_mut() {
            fields.insert("email".to_owned(), format!("{}@example.org", self.world.login(user)).into());
            fields.insert("locale".to_owned(), "en".into());
        }
        Ok(Reply::shown(call, 1, vec![call.select("id", record)]))
    }

    pub(super) fn user_by_id(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let me = call.viewer().filter(|me| me.to_string() == id);
        match me.or_else(|| self.world.find_user(id)) {
            Some(user) => {
                let mut record = self.world.user(user);
                if let Some(fields) = record.as_object_mut() {
                    let count = self.world.dice("annotated", user).skewed(9_000);
                    fields.insert("annotated_observations_count".to_owned(), count.into());
                }
                Ok(Reply::shown(call, 1, vec![call.select("id", record)]))
            }
            None => Err(Refusal::new(404, "Not Found")),
        }
    }

    /// The projects somebody was in from the start, or joined.
    pub(super) fn projects_of(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let paging = call.paging(30, 300)?;
        let user = self.world.find_user(id).or_else(|| call.viewer().filter(|me| me.to_string() == id));
        let user = user.ok_or_else(|| Refusal::new(404, "Not Found"))?;
        let joined: Vec<u64> =
            lock(&self.writes).members.keys().filter(|(_, who)| *who == user).map(|(project, _)| *project).collect();
        let found: Vec<Value> = World::project_ids()
            .map(|id| (id, self.project(id)))
            .filter(|(id, project)| {
                joined.contains(id) || project["user_ids"].as_array().is_some_and(|ids| ids.contains(&user.into()))
            })
            .map(|(_, project)| call.select("id", project))
            .collect();
        Ok(Reply::page(found.len(), paging, paging.slice(&found).to_vec()))
    }

    /// Settings of one's own are taken and forgotten.
    pub(super) fn update_user(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let user = call.required()?;
        if user.to_string() != id {
            return Err(Refusal::new(403, "You don't have permission to do that"));
        }
        Ok(Reply::json(self.world.user(user)))
    }

    pub(super) fn users_autocomplete(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(5, 100)?;
        let term = call.get("q").unwrap_or_default().to_lowercase();
        let found: Vec<u64> = (1..=USERS).filter(|user| !term.is_empty() && self.user_matches(*user, &term)).collect();
        let results = paging.slice(&found).iter().map(|user| call.select("id", self.world.user(*user))).collect();
        Ok(Reply::page(found.len(), paging, results))
    }

    pub(super) fn user_matches(&self, user: u64, term: &str) -> bool {
        let name = || self.world.real_name(user).is_some_and(|name| name.to_lowercase().starts_with(term));
        self.world.login(user).starts_with(term) || name()
    }
}
