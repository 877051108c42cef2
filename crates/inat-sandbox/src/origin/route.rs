//! The table of what exists.

use std::time::Duration;

use super::{
    Origin,
    call::{Call, Version},
    hidden_cache,
    reply::{Lifetime, Refusal, Reply},
};
use crate::{Answer, shared::lock};

const HOUR: Duration = Duration::from_secs(3_600);

impl Origin {
    pub(super) fn route(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        if call.method == "OPTIONS" && segments.first() != Some(&"__sandbox") {
            return Ok(options());
        }
        match (call.version, call.method) {
            (Version::Other, _) => Ok(self.outside(call, &segments)),
            (_, "GET") => self.read(call, &segments),
            _ => self.write(call, &segments),
        }
    }

    fn outside(&self, call: &Call<'_>, segments: &[&str]) -> Reply {
        Reply::ready(match (call.method, segments) {
            (_, ["__sandbox", rest @ ..]) => Self::helper(call, rest),
            ("GET", ["photos", id, file]) => self.photo_file(call, id, file),
            ("GET", ["sounds", file]) => self.sound_file(call, file),
            ("GET", ["attachments", ..]) => self.icon(call),
            ("GET", ["users", "api_token"]) => Self::api_token(call),
            ("GET", ["oauth", "authorize"]) => Self::authorize(call),
            ("POST", ["oauth", "token"]) => Self::token(call),
            ("GET", ["login"]) => {
                Answer::html(200, "<!DOCTYPE html>\n<html><head><title>Log In</title></head><body></body></html>\n")
            }
            ("GET", []) => Answer::text(200, "A stand-in for api.inaturalist.org. Try /v1/taxa?q=monarch\n"),
            _ => Refusal::no_route(call),
        })
    }

    fn read(&self, call: &Call<'_>, segments: &[&str]) -> Result<Reply, Refusal> {
        let v1 = call.version == Version::V1;
        match segments {
            ["ping"] => Ok(Reply::json(serde_json::json!({ "status": "available" })).lasting(Lifetime::NoStore)),
            ["taxa"] => self.taxa(call),
            ["taxa", "autocomplete"] => self.taxa_autocomplete(call),
            ["taxa", ids] => self.taxa_by_id(call, ids),
            ["observations"] => self.hidden(call, HOUR, || self.observations(call)),
            ["observations", "species_counts"] => self.hidden(call, 2 * HOUR, || self.species_counts(call)),
            ["observations", "observers"] => self.hidden(call, 2 * HOUR, || self.observers(call)),
            ["observations", "identifiers"] => self.hidden(call, 2 * HOUR, || self.identifiers(call)),
            ["observations", "histogram"] => self.hidden(call, 2 * HOUR, || self.histogram(call)),
            ["observations", "popular_field_values"] => self.popular_field_values(call),
            ["observations", "taxonomy"] => self.taxonomy(call),
            ["observations", "deleted"] => self.deleted(call),
            ["observations", "updates"] => Self::updates(call),
            ["observations", ids] => self.observations_by_id(call, ids),
            ["observations", id, "taxon_summary"] => self.taxon_summary(call, id),
            // Searching identifications exists only in v1.
            ["identifications"] if v1 => self.identifications(call),
            ["identifications", ids] if v1 => self.identifications_by_id(call, ids),
            ["places"] if !v1 => self.places_autocomplete(call, Lifetime::Seconds(300)),
            ["places", "autocomplete"] => self.places_autocomplete(call, Lifetime::Seconds(300)),
            ["places", "nearby"] => self.places_nearby(call),
            ["places", ids] => self.places_by_id(call, ids),
            ["projects"] => self.projects(call, if v1 { Lifetime::Unsaid } else { Lifetime::Seconds(300) }, (10, 300)),
            ["projects", "autocomplete"] => self.projects(call, Lifetime::Seconds(300), (10, 300)),
            ["projects", ids] => self.projects_by_id(call, ids),
            ["users", "me"] => self.me(call),
            ["users", "autocomplete"] => self.users_autocomplete(call),
            ["users", id] => self.user_by_id(call, id),
            ["search"] => self.search(call),
            ["controlled_terms"] => Self::terms(call),
            ["controlled_terms", "for_taxon"] => self.terms_for_taxon(call),
            _ => Ok(Reply::ready(Refusal::no_route(call))),
        }
    }

    fn write(&self, call: &Call<'_>, segments: &[&str]) -> Result<Reply, Refusal> {
        match (call.method, segments) {
            ("POST", ["observations"]) => self.create_observation(call),
            ("PUT" | "PATCH", ["observations", id]) => self.update_observation(call, id),
            ("DELETE", ["observations", id]) => self.delete_own_observation(call, id),
            ("POST", ["observation_photos" | "observation_sounds" | "photos" | "sounds"]) => {
                self.upload(call, segments[0])
            }
            ("POST", ["project_observations"]) => self.add_to_project(call),
            ("POST", ["projects"]) => self.create_project(call),
            ("PUT" | "PATCH", ["projects", id]) => self.update_project(call, id),
            ("POST", ["log"]) => Ok(Reply::ready(Answer::new(204))),
            _ => Ok(Reply::ready(Refusal::no_route(call))),
        }
    }

    fn hidden(
        &self,
        call: &Call<'_>,
        lifetime: Duration,
        make: impl FnOnce() -> Result<Reply, Refusal>,
    ) -> Result<Reply, Refusal> {
        let Some((cache, key)) = self.hidden.as_ref().zip(hidden_cache::key(call)) else { return make() };
        if let Some(reply) = lock(cache).get(&key, lifetime, call.now) {
            return Ok(reply);
        }
        let reply = make()?;
        lock(cache).put(key, reply.clone(), call.now);
        Ok(reply)
    }
}

fn options() -> Reply {
    let answer = Answer::new(200)
        .header("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS, HEAD")
        .header("Access-Control-Allow-Headers", "Authorization, Content-Type, X-HTTP-Method-Override, X-Via");
    Reply::ready(answer)
}
