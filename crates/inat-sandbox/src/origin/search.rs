//! One search over taxa, places, projects and people.

use serde_json::{Value, json};

use super::{
    Origin,
    call::Call,
    reply::{Lifetime, Refusal, Reply},
    taxa::has_word,
};
use crate::data::{PLACES, USERS, World};

impl Origin {
    pub(super) fn search(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(30, 100)?.within_window(call.version)?;
        let term = call.get("q").unwrap_or_default();
        let sources = call.list("sources").unwrap_or_else(|| vec!["taxa", "places", "projects", "users"]);
        let mut found: Vec<Value> = Vec::new();
        let mut add = |kind: &str, matched: &str, mut record: Value| {
            if let Some(fields) = record.as_object_mut() {
                fields.insert("matched_term".to_owned(), matched.into());
            }
            let record = call.select("id", record);
            #[allow(clippy::cast_precision_loss, reason = "a made-up score")]
            let score = 10.0 - found.len() as f64 / 100.0;
            found.push(json!({ "score": score, "type": kind, "matches": [matched], "record": record }));
        };
        if term.is_empty() {
            return Ok(Reply::page(0, paging, Vec::new()).lasting(Lifetime::Seconds(120)));
        }
        if sources.contains(&"taxa") {
            for taxon in self.world.taxa.all() {
                let common = taxon.common.as_deref().filter(|name| has_word(name, term));
                if let Some(matched) = common.or(Some(taxon.name.as_str()).filter(|name| has_word(name, term))) {
                    add("Taxon", matched, self.world.taxon_nested(taxon));
                }
            }
        }
        if sources.contains(&"places") {
            for place in PLACES.iter().filter(|place| has_word(place.display_name, term)) {
                add("Place", place.display_name, self.world.place(place));
            }
        }
        if sources.contains(&"projects") {
            for id in World::project_ids().filter(|id| has_word(&World::project_title(*id), term)) {
                add("Project", &World::project_title(id), self.world.project(id));
            }
        }
        if sources.contains(&"users") {
            let term = term.to_lowercase();
            for user in (1..=USERS).filter(|user| self.user_matches(*user, &term)) {
                add("User", &self.world.login(user), self.world.user(user));
            }
        }
        Ok(Reply::page(found.len(), paging, paging.slice(&found).to_vec()).lasting(Lifetime::Seconds(120)))
    }
}
