//! Identifications, which can be searched in v1 only.

use serde_json::{Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    filter::{Filter, find_user},
    reply::{Refusal, Reply},
    talk::Part,
    taxa::ids_in_path,
};
use crate::data::{Brief, extend, put};

/// By id there is no limit on the ids, only on the answer: the first 30.
const SHOWN: usize = 30;

impl Origin {
    pub(super) fn identifications(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(30, 200)?.within_window(call.version)?;
        let filter = self.identification_filter(call)?;
        let (above, below) = (call.number("id_above"), call.number("id_below"));
        let ascending = call.get("order") == Some("asc");
        let user = match call.get("user_id").or_else(|| call.get("user_login")) {
            Some(id) => Some(find_user(&self.world, call, id).ok_or_else(|| Refusal::unknown("user_id", id))?),
            None => None,
        };
        let wanted = |brief: &Brief| {
            above.is_none_or(|above| i128::from(brief.id) > i128::from(above))
                && below.is_none_or(|below| i128::from(brief.id) < i128::from(below))
                && user.is_none_or(|user| brief.user == user)
                && call.flag("own_observation").is_none_or(|own| own == brief.own)
                && call.flag("current").is_none_or(|current| current == brief.current)
                && call.list("category").is_none_or(|categories| categories.contains(&brief.category.as_str()))
        };
        let mut ids: Vec<(u64, u64)> = self.matching(&filter, |found| {
            let briefs = found.into_iter().map(|one| (one.id, self.world.briefs(one)));
            briefs.flat_map(|(id, briefs)| briefs.into_iter().filter(wanted).map(move |brief| (brief.id, id))).collect()
        });
        ids.sort_unstable();
        if !ascending {
            ids.reverse();
        }
        let results = paging.slice(&ids).iter().filter_map(|(id, _)| self.identification_shown(call, *id));
        Ok(Reply::page(ids.len(), paging, results.collect()))
    }

    pub(super) fn identifications_by_id(&self, call: &Call<'_>, ids: &str) -> Result<Reply, Refusal> {
        let found: Vec<Value> =
            ids_in_path(ids)?.iter().filter_map(|id| self.identification_shown(call, *id)).collect();
        let total = found.len();
        let paging = Paging { page: 1, per_page: 30 };
        Ok(Reply::page(total, paging, found.into_iter().take(SHOWN).collect()))
    }

    /// The id, user and date filters of this endpoint are about the identification, not the observation.
    pub(super) fn identification_filter(&self, call: &Call<'_>) -> Result<Filter, Refusal> {
        const OWN: &[&str] = &["id", "id_above", "id_below", "user_id", "user_login", "order", "order_by"];
        let params = call.params.iter().filter(|(name, _)| !OWN.contains(&name.as_str())).cloned().collect();
        let segments = call.segments.clone();
        let narrowed = Call { params, segments, fields: call.fields.clone(), ..*call };
        Filter::read(self, &narrowed)
    }

    /// An identification with its observation around it.
    fn identification_shown(&self, call: &Call<'_>, id: u64) -> Option<Value> {
        let (observation, mut value) = self.said(Part::Identifications, &id.to_string()).ok()?;
        let one = self.find(observation)?;
        if let Some(taxon) = value["taxon_id"].as_u64().and_then(|id| self.world.taxa.get(id)) {
            put(&mut value, "taxon", Some(self.world.taxon_with_ancestors(taxon)));
        }
        let mut observation = self.world.observation_json(&one, call.viewer());
        extend(&mut observation, json!({ "user_id": one.user }));
        extend(&mut value, json!({ "current_taxon": true, "observation": observation }));
        Some(value)
    }
}
