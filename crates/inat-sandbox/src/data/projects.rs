//! Projects.

use serde_json::{Value, json};

use super::{World, places, text};

/// Projects 101 to 100 + this many exist.
pub(crate) const PROJECTS: u64 = 150;
const FIRST: u64 = 101;

const THEMES: &[&str] = &[
    "Pollinators",
    "Birds",
    "Wild Plants",
    "Mushrooms",
    "Night Moths",
    "Pond Life",
    "Monarch Watch",
    "Roadside Finds",
];

impl World {
    pub(crate) fn project_ids() -> impl Iterator<Item = u64> {
        FIRST..FIRST + PROJECTS
    }

    pub(crate) fn project_title(id: u64) -> String {
        let number = usize::try_from(id.saturating_sub(FIRST)).unwrap_or(0);
        let place = places::PLACES[(number / THEMES.len()) % places::PLACES.len()].name;
        format!("{} of {place}", THEMES[number % THEMES.len()])
    }

    pub(crate) fn project_slug(id: u64) -> String {
        Self::project_title(id).to_lowercase().replace(' ', "-")
    }

    /// The project with this id or slug.
    pub(crate) fn find_project(id_or_slug: &str) -> Option<u64> {
        match id_or_slug.parse::<u64>() {
            Ok(id) => Self::project_ids().find(|known| *known == id),
            Err(_) => Self::project_ids().find(|id| Self::project_slug(*id) == id_or_slug),
        }
    }

    pub(crate) fn project(&self, id: u64) -> Value {
        let mut dice = self.dice("project", id);
        let number = usize::try_from(id.saturating_sub(FIRST)).unwrap_or(0);
        let place = &places::PLACES[(number / THEMES.len()) % places::PLACES.len()];
        let [south, west, north, east] = place.bounds;
        let (latitude, longitude) = (f64::midpoint(south, north), f64::midpoint(west, east));
        let owner = 1 + dice.below(50);
        let created = 1_400_000_000 + i64::try_from(dice.below(200_000_000)).unwrap_or(0);
        let grades = json!(["research", "needs_id"]);
        json!({
            "id": id,
            "title": Self::project_title(id),
            "hide_title": false,
            "description": format!("What lives in {}, seen by everyone who looks.", place.name),
            "slug": Self::project_slug(id),
            "project_type": if dice.percent(50) { "collection" } else { "" },
            "banner_color": "#74ac00",
            "place_id": place.id,
            "user_id": owner,
            "admins": [{ "id": 140_000 + id, "user_id": owner, "project_id": id, "role": "manager", "user": self.user(owner) }],
            "user_ids": [owner, owner + 1, owner + 2],
            "location": format!("{latitude:.6},{longitude:.6}"),
            "icon": format!("{}/attachments/projects/icons/{id}/span2.jpg", self.media_base),
            "icon_file_name": format!("project-{id}.jpg"),
            "header_image_url": null,
            "header_image_file_name": null,
            "header_image_contain": false,
            "project_observation_fields": [],
            "terms": null,
            "search_parameters": [{ "field": "quality_grade", "value": grades, "value_keyword": grades }],
            "project_observation_rules": [{ "id": 800_000 + id, "operator": "observed_in_place?", "operand_type": "Place",
                "operand_id": place.id }],
            "rule_preferences": [{ "field": "quality_grade", "value": "research,needs_id" }],
            "created_at": text(created),
            "updated_at": text(created + 86_400 * 200),
            "flags": [],
            "site_features": [],
            "prefers_user_trust": false,
            "observation_requirements_updated_at": null,
            "latitude": format!("{latitude:.6}"),
            "longitude": format!("{longitude:.6}"),
            "is_umbrella": false,
            "is_new_style_project": true,
            "user": self.user(owner),
        })
    }
}
