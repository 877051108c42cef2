//! Places.

use serde_json::{Value, json};

use super::{
    Origin,
    call::{Call, Paging},
    reply::{Lifetime, Refusal, Reply},
    taxa::has_word,
};
use crate::data::PLACES;

const IDS: usize = 500;

impl Origin {
    pub(super) fn places_autocomplete(&self, call: &Call<'_>, lifetime: Lifetime) -> Result<Reply, Refusal> {
        let paging = call.paging(10, 20)?;
        let found: Vec<Value> = PLACES
            .iter()
            .filter(|place| call.get("q").is_none_or(|term| has_word(place.display_name, term)))
            .map(|place| self.world.place(place))
            .collect();
        Ok(Reply::page(found.len(), paging, paging.slice(&found).to_vec()).lasting(lifetime))
    }

    pub(super) fn places_by_id(&self, call: &Call<'_>, ids: &str) -> Result<Reply, Refusal> {
        let ids: Vec<&str> = ids.split(',').filter(|id| !id.is_empty()).collect();
        if ids.len() > IDS {
            return Err(Refusal::new(422, "Too many IDs"));
        }
        let found: Vec<Value> = ids
            .iter()
            .filter_map(|id| PLACES.iter().find(|place| place.id.to_string() == **id || place.slug() == **id))
            .map(|place| self.world.place(place))
            .collect();
        Ok(Reply::shown(call, found.len().max(1), found))
    }

    pub(super) fn places_containing(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let degrees = |name: &str| call.get(name).and_then(|value| value.parse::<f64>().ok());
        let (Some(latitude), Some(longitude)) = (degrees("lat"), degrees("lng")) else {
            return Err(Refusal::new(422, "Missing required parameters: lat, lng"));
        };
        let around = PLACES.iter().filter(|place| {
            let [south, west, north, east] = place.bounds;
            (south..=north).contains(&latitude) && (west..=east).contains(&longitude)
        });
        let found: Vec<Value> = around.map(|place| self.world.place(place)).collect();
        Ok(Reply::page(found.len(), Paging { page: 1, per_page: found.len() as u64 }, found))
    }

    pub(super) fn places_nearby(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let degrees = |name: &str| call.get(name).and_then(|value| value.parse::<f64>().ok());
        let corners = (degrees("swlat"), degrees("swlng"), degrees("nelat"), degrees("nelng"));
        let (Some(south), Some(west), Some(north), Some(east)) = corners else {
            return Err(Refusal::new(422, "Missing required parameters: nelat, nelng, swlat, swlng"));
        };
        let near = PLACES.iter().filter(|place| {
            let [s, w, n, e] = place.bounds;
            s <= north && n >= south && w <= east && e >= west
        });
        let (standard, community): (Vec<_>, Vec<_>) = near.partition(|place| place.admin_level <= 10);
        let json = |places: Vec<_>| places.into_iter().map(|place| self.world.place(place)).collect::<Vec<Value>>();
        let (standard, community) = (json(standard), json(community));
        let total = standard.len() + community.len();
        let paging = Paging { page: 1, per_page: u64::try_from(total).unwrap_or(0) };
        let value = json!({ "total_results": total, "page": paging.page, "per_page": paging.per_page,
            "results": { "standard": standard, "community": community } });
        Ok(Reply::json(value).lasting(Lifetime::Seconds(300)))
    }
}
