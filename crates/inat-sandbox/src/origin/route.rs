//! The table of what exists.

use std::time::Duration;

use super::{
    Origin,
    call::{Call, Version},
    hidden_cache,
    reply::{Lifetime, Refusal, Reply},
    talk::{Part, switched},
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
            (Version::Other, _) => self.outside(call, &segments),
            (_, "GET") => self.read(call, &segments),
            _ => self.write(call, &segments),
        }
    }

    fn outside(&self, call: &Call<'_>, segments: &[&str]) -> Result<Reply, Refusal> {
        Ok(Reply::ready(match (call.method, segments) {
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
            ("GET", []) => self.index(call),
            _ => return self.rails(call, segments).unwrap_or_else(|| Ok(Reply::ready(Refusal::no_route(call)))),
        }))
    }

    fn read(&self, call: &Call<'_>, segments: &[&str]) -> Result<Reply, Refusal> {
        let v1 = call.version == Version::V1;
        match segments {
            ["ping"] => Ok(Reply::json(serde_json::json!({ "status": "available" })).lasting(Lifetime::NoStore)),
            ["observations", rest @ ..] => self.read_observations(call, rest),
            ["identifications", rest @ ..] => self.read_identifications(call, rest),
            ["taxa", rest @ ..] => self.read_taxa(call, rest),
            ["projects", rest @ ..] => self.read_projects(call, rest),
            ["places", rest @ ..] => self.read_places(call, rest),
            ["users", "me"] => self.me(call),
            ["users", "autocomplete"] => self.users_autocomplete(call),
            ["users", id] => self.user_by_id(call, id),
            ["users", id, "projects"] => self.projects_of(call, id),
            ["search"] => self.search(call),
            ["controlled_terms"] => Self::terms(call),
            ["controlled_terms", "for_taxon"] => self.terms_for_taxon(call, None),
            ["controlled_terms", "for_taxon", id] if !v1 => self.terms_for_taxon(call, Some(id)),
            ["observation_fields", "autocomplete"] => Self::fields_autocomplete(call),
            ["posts"] if v1 => self.posts(call),
            ["posts", "for_user"] => self.posts_for_user(call),
            ["messages"] => self.messages(call),
            ["messages", "unread"] => Self::unread_messages(call),
            ["messages", id] => self.message(call, id),
            ["taxon_id_summaries"] if !v1 => self.id_summaries(call),
            ["taxon_id_summaries", uuid] if !v1 => Ok(self.id_summary_by_uuid(call, uuid)),
            ["taxon_places", _, tile @ ..] => Self::outlined(call, 30, tile),
            ["taxon_ranges", _, tile @ ..] => Self::outlined(call, 3_600, tile),
            [style @ ("grid" | "points" | "heatmap" | "colored_heatmap" | "summary"), zoom, x, y] => {
                self.tile(call, style, [zoom, x, y]).map(Reply::ready)
            }
            _ => Ok(Reply::ready(Refusal::no_route(call))),
        }
    }

    fn outlined(call: &Call<'_>, seconds: u32, tile: &[&str]) -> Result<Reply, Refusal> {
        match tile {
            [zoom, x, y] => Self::outline(call, seconds, [zoom, x, y]).map(Reply::ready),
            _ => Ok(Reply::ready(Refusal::no_route(call))),
        }
    }

    fn read_observations(&self, call: &Call<'_>, rest: &[&str]) -> Result<Reply, Refusal> {
        match rest {
            [] => self.hidden(call, HOUR, || self.observations(call)),
            ["species_counts"] => self.hidden(call, 2 * HOUR, || self.species_counts(call)),
            ["observers"] => self.hidden(call, 2 * HOUR, || self.observers(call)),
            ["identifiers"] => self.hidden(call, 2 * HOUR, || self.identifiers(call)),
            ["histogram"] => self.hidden(call, 2 * HOUR, || self.histogram(call)),
            ["popular_field_values"] => self.popular_field_values(call),
            ["taxonomy"] => self.taxonomy(call),
            ["tree_taxa" | "taxa"] => self.tree_taxa(call),
            ["taxa_counts_by_month"] => self.taxa_counts_by_month(call),
            ["iconic_taxa_counts"] => self.iconic_taxa_counts(call),
            ["iconic_taxa_species_counts"] => self.iconic_taxa_species_counts(call),
            ["quality_grades"] => self.quality_grades(call),
            ["identification_categories"] => self.identification_categories(call),
            ["umbrella_project_stats"] => self.umbrella_project_stats(call),
            ["deleted"] => self.deleted(call),
            ["updates"] => Self::updates(call),
            [ids] => self.observations_by_id(call, ids),
            [id, "taxon_summary"] => self.taxon_summary(call, id),
            [id, "quality_metrics"] => self.quality_metrics(call, id),
            [id, "subscriptions"] => self.subscriptions(call, "Observation", id),
            _ => Ok(Reply::ready(Refusal::no_route(call))),
        }
    }

    fn read_identifications(&self, call: &Call<'_>, rest: &[&str]) -> Result<Reply, Refusal> {
        // Searching identifications exists only in v1.
        let v1 = call.version == Version::V1;
        match rest {
            [] if v1 => self.identifications(call),
            ["categories"] if v1 => self.identification_categories(call),
            ["species_counts"] if v1 => self.identified_species(call),
            ["observers"] if v1 => self.identified_people(call),
            ["identifiers"] => self.identifying_people(call),
            ["recent_taxa"] => self.recent_taxa(call),
            ["similar_species"] => self.similar_species(call),
            [ids] if v1 => self.identifications_by_id(call, ids),
            _ => Ok(Reply::ready(Refusal::no_route(call))),
        }
    }

    fn read_taxa(&self, call: &Call<'_>, rest: &[&str]) -> Result<Reply, Refusal> {
        match rest {
            [] => self.taxa(call),
            ["autocomplete"] => self.taxa_autocomplete(call),
            ["iconic"] => Ok(self.iconic_taxa(call)),
            ["lifelist_metadata"] => self.lifelist_metadata(call),
            ["suggest"] => self.suggest(call),
            [ids] => self.taxa_by_id(call, ids),
            [id, "wanted"] => self.wanted(call, id),
            [id, "map_layers"] => self.map_layers(id),
            _ => Ok(Reply::ready(Refusal::no_route(call))),
        }
    }

    fn read_projects(&self, call: &Call<'_>, rest: &[&str]) -> Result<Reply, Refusal> {
        let v1 = call.version == Version::V1;
        match rest {
            [] => self.projects(call, if v1 { Lifetime::Unsaid } else { Lifetime::Seconds(300) }, (10, 300)),
            ["autocomplete"] => self.projects(call, Lifetime::Seconds(300), (10, 300)),
            [ids] => self.projects_by_id(call, ids),
            [id, "members" | "followers"] => self.project_members(call, id),
            [id, "membership"] => self.membership(call, id),
            [id, "posts"] => self.project_posts(call, id),
            [id, "subscriptions"] => self.subscriptions(call, "Project", id),
            _ => Ok(Reply::ready(Refusal::no_route(call))),
        }
    }

    fn read_places(&self, call: &Call<'_>, rest: &[&str]) -> Result<Reply, Refusal> {
        match rest {
            [] if call.is_v2() => self.places_autocomplete(call, Lifetime::Seconds(300)),
            ["autocomplete"] => self.places_autocomplete(call, Lifetime::Seconds(300)),
            ["nearby"] => self.places_nearby(call),
            ["containing"] => self.places_containing(call),
            [ids] => self.places_by_id(call, ids),
            [_, zoom, x, y] => Self::outlined(call, 3_600, &[zoom, x, y]),
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
            (_, ["observations", id, rest @ ..]) => self.write_about(call, id, rest),
            (_, ["projects", rest @ ..]) => self.write_projects(call, rest),
            (_, ["votes" | "annotations" | "subscriptions", ..]) => self.write_opinion(call, segments),
            ("POST", ["comments"]) => self.create_comment(call),
            ("PUT", ["comments", id]) => self.update_comment(call, id),
            ("DELETE", ["comments", id]) => self.take_back(call, Part::Comments, id),
            ("POST", ["identifications"]) => self.create_identification(call),
            ("PUT", ["identifications", id]) => self.update_identification(call, id),
            ("DELETE", ["identifications", id]) => self.withdraw_identification(call, id),
            ("POST", ["observation_field_values"]) => self.set_field_value(call),
            ("PUT", ["observation_field_values", id]) => self.update_field_value(call, id),
            ("DELETE", ["observation_field_values", id]) => self.take_back(call, Part::FieldValues, id),
            ("POST", ["flags"]) => self.create_flag(call),
            ("PUT", ["flags", id]) => self.update_flag(call, id),
            ("DELETE", ["flags", id]) => self.take_back(call, Part::Flags, id),
            ("POST", ["project_observations"]) => self.add_to_project(call),
            ("PUT", ["project_observations", id]) => self.update_project_link(call, id),
            ("DELETE", ["project_observations", id]) => self.take_back(call, Part::Projects, id),
            ("POST", ["messages"]) => self.create_message(call),
            ("DELETE", ["messages", id]) => self.delete_message(call, id),
            ("PUT", ["users", id]) => self.update_user(call, id),
            ("POST", ["log"]) => Ok(Reply::ready(Answer::new(204))),
            _ => Ok(Reply::ready(Refusal::no_route(call))),
        }
    }

    /// Routes below an observation. v1 and v2 name the taking back of a fave differently.
    fn write_about(&self, call: &Call<'_>, id: &str, rest: &[&str]) -> Result<Reply, Refusal> {
        match (call.method, rest) {
            ("POST", ["fave"]) => self.vote(call, id, None),
            ("DELETE", ["unfave" | "fave"]) => self.unvote(call, id, None),
            ("POST", ["vote"]) => self.vote(call, id, call.get("scope")),
            ("DELETE", ["vote"]) => self.unvote(call, id, call.get("scope")),
            ("POST", ["review"]) => self.review(call, id, true),
            ("DELETE", ["review"]) => self.review(call, id, false),
            ("POST", ["quality", metric]) => self.set_quality(call, id, metric),
            ("DELETE", ["quality", metric]) => self.unset_quality(call, id, metric),
            ("PUT", ["subscription"]) => self.subscribe(call, "Observation", id),
            ("PUT", ["viewed_updates"]) => call.required().map(|_| switched()),
            _ => Ok(Reply::ready(Refusal::no_route(call))),
        }
    }

    fn write_opinion(&self, call: &Call<'_>, segments: &[&str]) -> Result<Reply, Refusal> {
        match (call.method, segments) {
            ("POST", ["votes", "vote", "observation", id]) => self.vote(call, id, call.get("scope")),
            ("DELETE", ["votes", "unvote", "observation", id]) => self.unvote(call, id, call.get("scope")),
            ("POST", ["annotations"]) => self.annotate(call),
            ("DELETE", ["annotations", id]) => self.take_back(call, Part::Annotations, id),
            ("POST", ["votes", "vote", "annotation", id] | ["annotations", id, "vote"]) => {
                self.vote_annotation(call, id)
            }
            ("DELETE", ["votes", "unvote", "annotation", id] | ["annotations", id, "vote" | "unvote"]) => {
                self.unvote_annotation(call, id)
            }
            ("POST", ["subscriptions", kind, id, "subscribe"]) => self.subscribe(call, kind, id),
            _ => Ok(Reply::ready(Refusal::no_route(call))),
        }
    }

    fn write_projects(&self, call: &Call<'_>, rest: &[&str]) -> Result<Reply, Refusal> {
        match (call.method, rest) {
            ("POST", []) => self.create_project(call),
            ("PUT" | "PATCH", [id]) => self.update_project(call, id),
            ("DELETE", [id]) => self.delete_project(call, id),
            ("POST", [id, "join" | "membership"]) => self.join_project(call, id),
            ("DELETE", [id, "leave" | "membership"]) => self.leave_project(call, id),
            ("POST", [id, "add"]) => self.add_to_this_project(call, id),
            ("DELETE", [id, "remove"]) => self.remove_from_project(call, id),
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
