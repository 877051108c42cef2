//! A taxon in the forms the API gives it: in a listing, inside other records, and by id.

use serde_json::{Map, Value, json};

use super::{Dice, Taxon, World, photos, rank_level, text};

impl World {
    /// As searches give it.
    pub(crate) fn taxon_listed(&self, taxon: &Taxon) -> Value {
        let mut dice = self.dice("taxon", taxon.id);
        let ancestry = joined(parents(taxon), "/");
        let mut out = json!({
            "observations_count": taxon.observations,
            "taxon_schemes_count": dice.below(9),
            "ancestry": if ancestry.is_empty() { Value::Null } else { ancestry.into() },
            "is_active": true,
            "flag_counts": { "resolved": dice.below(3), "unresolved": 0 },
            "wikipedia_url": format!("http://en.wikipedia.org/wiki/{}", taxon.name.replace(' ', "_")),
            "current_synonymous_taxon_ids": null,
            "iconic_taxon_id": taxon.iconic.map(|(id, _)| id),
            "rank_level": rank_level(taxon.rank),
            "taxon_changes_count": dice.below(4),
            "atlas_id": if dice.percent(20) { json!(dice.below(5_000)) } else { Value::Null },
            "complete_species_count": null,
            "parent_id": taxon.parent,
            "name": taxon.name,
            "rank": taxon.rank,
            "extinct": false,
            "id": taxon.id,
            "default_photo": self.default_photo(taxon),
            "ancestor_ids": taxon.ancestors,
            "vision": rank_level(taxon.rank) <= 20,
        });
        put(&mut out, "iconic_taxon_name", taxon.iconic.map(|(_, name)| name.into()));
        put(&mut out, "preferred_common_name", taxon.common.clone().map(Value::from));
        out
    }

    /// As it stands inside observations and identifications.
    pub(crate) fn taxon_nested(&self, taxon: &Taxon) -> Value {
        let mut out = self.taxon_listed(taxon);
        let more = json!({
            "created_at": text(1_200_000_000 + i64::try_from(taxon.id % 90_000).unwrap_or(0) * 500),
            "endemic": false,
            "introduced": taxon.id.is_multiple_of(7),
            "native": !taxon.id.is_multiple_of(7),
            "threatened": taxon.id == 48662,
            "min_species_taxon_id": taxon.id,
            "min_species_ancestry": joined(&taxon.ancestors, ","),
            "photos_locked": false,
            "universal_search_rank": taxon.observations,
            "place_ids": [1, 14, 18, 21, 48, 6712, 6793, 6883, 97394],
        });
        extend(&mut out, more);
        out
    }

    /// [`Self::taxon_nested`] with its ancestors spelled out.
    pub(crate) fn taxon_with_ancestors(&self, taxon: &Taxon) -> Value {
        let mut out = self.taxon_nested(taxon);
        put(&mut out, "ancestors", Some(self.ancestors(taxon)));
        out
    }

    /// As `/taxa/ID` gives it.
    pub(crate) fn taxon_shown(&self, taxon: &Taxon) -> Value {
        let mut out = self.taxon_listed(taxon);
        let photo = self.default_photo(taxon);
        let children: Vec<Value> = self.taxa.children(taxon.id).map(|child| self.taxon_listed(child)).collect();
        let common = taxon.common.as_deref().unwrap_or(&taxon.name);
        let mut dice = self.dice("shown taxon", taxon.id);
        let more = json!({
            "provisional": false,
            "photos_locked": false,
            "taxon_photos": [{ "taxon_id": taxon.id, "photo": photo, "taxon": self.taxon_listed(taxon) }],
            "ancestors": self.ancestors(taxon),
            "children": children,
            "conservation_statuses": statuses(self, taxon, &mut dice),
            "conservation_status": null,
            "listed_taxa_count": 1,
            "listed_taxa": [{
                "id": 8_000_000 + taxon.id,
                "taxon_id": taxon.id,
                "establishment_means": "native",
                "place": { "id": 97394, "name": "North America", "display_name": "North America", "admin_level": -10,
                    "ancestor_place_ids": [97394] },
                "list": { "id": 313_166, "title": "North America Check List" },
            }],
            "wikipedia_summary": format!("<i><b>{}</b></i>, the {common}, is a {} of the sandbox.", taxon.name, taxon.rank),
        });
        extend(&mut out, more);
        out
    }

    fn ancestors(&self, taxon: &Taxon) -> Value {
        parents(taxon)
            .iter()
            .skip(1)
            .filter_map(|id| self.taxa.get(*id))
            .map(|ancestor| self.taxon_listed(ancestor))
            .collect()
    }

    fn default_photo(&self, taxon: &Taxon) -> Value {
        let mut dice = self.dice("taxon photo", taxon.id);
        let mut photo = photos::photo(self, 1_000_000 + taxon.id, &mut dice, None);
        let base = format!("{}/photos/{}", self.media_base, 1_000_000 + taxon.id);
        put(&mut photo, "square_url", Some(format!("{base}/square.jpg").into()));
        put(&mut photo, "medium_url", Some(format!("{base}/medium.jpg").into()));
        photo
    }
}

fn statuses(world: &World, taxon: &Taxon, dice: &mut Dice) -> Value {
    if taxon.id != 48662 && !dice.percent(10) {
        return json!([]);
    }
    json!([{
        "id": 300_000 + taxon.id,
        "taxon_id": taxon.id,
        "taxon_name": taxon.name,
        "taxon_rank": taxon.rank,
        "status": "VU",
        "authority": "NatureServe",
        "iucn": 30,
        "url": "https://explorer.natureserve.org/",
        "description": null,
        "source_id": null,
        "geoprivacy": "open",
        "updater_id": 1,
        "created_at": text(1_500_000_000),
        "updated_at": text(1_600_000_000),
        "place": { "id": 97394, "name": "North America", "display_name": "North America", "admin_level": -10,
            "ancestor_place_ids": [97394] },
        "user": world.user(1),
        "updater": world.user(1),
    }])
}

fn parents(taxon: &Taxon) -> &[u64] {
    taxon.ancestors.split_last().map_or(&[], |(_, parents)| parents)
}

fn joined(ids: &[u64], separator: &str) -> String {
    ids.iter().map(u64::to_string).collect::<Vec<_>>().join(separator)
}

/// Sets a field of an object, where there is a value.
pub(crate) fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), value);
    }
}

pub(crate) fn extend(object: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend::<Map<String, Value>>(more);
    }
}
