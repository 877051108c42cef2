//! Identifications, which can be searched in v1 only.

use serde_json::{Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    filter::Filter,
    reply::{Refusal, Reply},
    taxa::ids_in_path,
};
use crate::data::{IDENTIFICATIONS_EACH, Observation, extend, identification, identification_id, identification_place};

/// By id there is no limit on the ids, only on the answer: the first 30.
const SHOWN: usize = 30;

impl Origin {
    pub(super) fn identifications(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(30, 200)?.within_window(call.version)?;
        let filter = self.identification_filter(call)?;
        // The first id of the next observation bounds the search; the rest is exact below.
        let (above, below) = (call.number("id_above"), call.number("id_below"));
        let ascending = call.get("order") == Some("asc");
        let user = call.get("user_id").and_then(|id| self.world.find_user(id));
        let own = call.flag("own_observation");
        let mut ids: Vec<(u64, Observation, u64)> = Vec::new();
        self.matching(&filter, |found| {
            for one in found.into_iter().filter(|one| one.index.is_some()) {
                for place in 0..IDENTIFICATIONS_EACH {
                    let id = identification_id(one.id, place);
                    let inside = above.is_none_or(|above| i128::from(id) > i128::from(above))
                        && below.is_none_or(|below| i128::from(id) < i128::from(below));
                    let by = user.is_none_or(|user| self.world.identifier(one, place) == user);
                    if inside && by && own.is_none_or(|own| own == (place == 0)) {
                        ids.push((id, one.clone(), place));
                    }
                }
            }
        });
        ids.sort_by_key(|(id, _, _)| *id);
        if !ascending {
            ids.reverse();
        }
        let results = paging
            .slice(&ids)
            .iter()
            .filter_map(|(_, one, place)| self.identification_with_observation(call, one, *place));
        Ok(Reply::page(ids.len(), paging, results.collect()))
    }

    pub(super) fn identifications_by_id(&self, call: &Call<'_>, ids: &str) -> Result<Reply, Refusal> {
        let found: Vec<Value> = ids_in_path(ids)?
            .iter()
            .filter_map(|id| {
                let (observation, place) = identification_place(*id)?;
                let one = self.find(observation).filter(|one| one.index.is_some())?;
                self.identification_with_observation(call, &one, place)
            })
            .collect();
        let total = found.len();
        let paging = Paging { page: 1, per_page: 30 };
        Ok(Reply::page(total, paging, found.into_iter().take(SHOWN).collect()))
    }

    /// The id, user and date filters of this endpoint are about the identification, not the observation.
    fn identification_filter(&self, call: &Call<'_>) -> Result<Filter, Refusal> {
        const OWN: &[&str] = &["id", "id_above", "id_below", "user_id", "user_login"];
        let params = call.params.iter().filter(|(name, _)| !OWN.contains(&name.as_str())).cloned().collect();
        let segments = call.segments.clone();
        let narrowed = Call { params, segments, fields: call.fields.clone(), ..*call };
        Filter::read(self, &narrowed)
    }

    fn identification_with_observation(&self, call: &Call<'_>, one: &Observation, place: u64) -> Option<Value> {
        let mut value = identification(&self.world, one, place)?;
        if let Some(fields) = value.as_object_mut() {
            if let Some(taxon) = one.taxon.and_then(|id| self.world.taxa.get(id)) {
                fields.insert("taxon".to_owned(), self.world.taxon_with_ancestors(taxon));
            }
            fields.insert("current_taxon".to_owned(), true.into());
            let mut observation = self.world.observation_json(one, call.viewer());
            extend(&mut observation, json!({ "user_id": one.user }));
            fields.insert("observation".to_owned(), observation);
        }
        Some(value)
    }
}
