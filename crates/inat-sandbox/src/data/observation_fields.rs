//! Observation fields: what observers may add to an observation beyond what the site asks for.

use serde_json::{Value, json};

use super::{Dice, World, text};

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
    pub(crate) datatype: &'static str,
    pub(crate) description: &'static str,
    /// Separated by bars; any value where it is empty.
    pub(crate) allowed_values: &'static str,
}

const fn field(
    id: u64,
    name: &'static str,
    datatype: &'static str,
    description: &'static str,
    allowed_values: &'static str,
) -> Field {
    Field { id, name, datatype, description, allowed_values }
}

/// More than a page of 30 holds.
pub(crate) const FIELDS: &[Field] = &[
    field(1, "Feeding on", "taxon", "What it eats in the picture", ""),
    field(2, "Host plant", "taxon", "The plant it lives on", ""),
    field(3, "Group size", "numeric", "How many were seen together", ""),
    field(4, "Wing wear", "text", "How worn the wings are", "fresh|worn|ragged"),
    field(5, "Behaviour", "text", "What it was doing", "feeding|resting|flying|mating|calling"),
    field(6, "Habitat", "text", "Where it lives", "meadow|forest|wetland|shore|garden|roadside"),
    field(7, "Time of survey", "time", "When the survey began", ""),
    field(8, "Date collected", "date", "When the specimen was taken", ""),
    field(9, "Collected", "text", "Whether a specimen was taken", "yes|no"),
    field(10, "Specimen number", "text", "Its number in the collection", ""),
    field(11, "Soil", "text", "What it grows in", "sand|loam|clay|peat|rock"),
    field(12, "Height in cm", "numeric", "From the ground to the top", ""),
    field(13, "Stem diameter in cm", "numeric", "At breast height", ""),
    field(14, "Flower colour", "text", "As seen in daylight", "white|yellow|red|blue|other"),
    field(15, "Phenology", "text", "The stage of the year", "budding|flowering|fruiting|dormant"),
    field(16, "Visitor of", "taxon", "The flower it visits", ""),
    field(17, "Parasite of", "taxon", "The host", ""),
    field(18, "Prey of", "taxon", "What eats it in the picture", ""),
    field(19, "Length in mm", "numeric", "Without antennae", ""),
    field(20, "Trap", "text", "How it was caught", "light|pitfall|malaise|net|none"),
    field(21, "Light source", "text", "What the moths came to", ""),
    field(22, "Water depth in m", "numeric", "Below the surface", ""),
    field(23, "Water temperature", "numeric", "In degrees Celsius", ""),
    field(24, "Song recorded", "text", "Whether there is a recording", "yes|no"),
    field(25, "Nest", "text", "Whether it is at a nest", "yes|no"),
    field(26, "Tag", "text", "What the tag says", ""),
    field(27, "Dead on road", "text", "Whether it was run over", "yes|no"),
    field(28, "Track width in mm", "numeric", "At its widest", ""),
    field(29, "Spore print", "text", "Its colour", ""),
    field(30, "Substrate", "text", "What it grows on", "wood|soil|dung|litter"),
    field(31, "Odour", "text", "What it smells of", ""),
    field(32, "Survey route", "text", "The name of the route", ""),
    field(33, "Field guide page", "numeric", "Where it is described", ""),
];

impl Field {
    pub(crate) fn find(id: u64) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.id == id)
    }

    pub(crate) fn allows(&self, value: &str) -> bool {
        let listed = self.allowed_values.is_empty() || self.allowed_values.split('|').any(|allowed| allowed == value);
        listed && (self.datatype != "numeric" || value.trim().parse::<f64>().is_ok_and(f64::is_finite))
    }

    /// As the search index holds it.
    pub(crate) fn indexed(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "name_autocomplete": self.name,
            "description": self.description,
            "description_autocomplete": self.description,
            "datatype": self.datatype,
            "allowed_values": self.allowed_values,
            "values_count": null,
            "users_count": null,
        })
    }
}

impl World {
    /// As the Rails application gives it.
    pub(crate) fn observation_field(&self, field: &Field) -> Value {
        let mut dice: Dice = self.dice("observation field", field.id);
        let created = 1_330_000_000 + i64::try_from(dice.below(200_000_000)).unwrap_or(0);
        json!({
            "id": field.id,
            "name": field.name,
            "datatype": field.datatype,
            "user_id": 1 + dice.below(super::USERS),
            "description": field.description,
            "created_at": text(created),
            "updated_at": text(created + 86_400),
            "allowed_values": field.allowed_values,
            "values_count": dice.below(5_000),
            "users_count": dice.below(300),
        })
    }
}
