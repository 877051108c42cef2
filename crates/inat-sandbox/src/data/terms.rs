//! Controlled terms: what annotations are made of.

use serde_json::{Value, json};

use super::uuid;

type Labels = &'static [(u64, &'static str)];

/// Id, label, values, taxa it applies to.
const TERMS: &[(u64, &str, Labels, &[u64])] = &[
    (
        1,
        "Life Stage",
        &[(2, "Adult"), (3, "Teneral"), (4, "Pupa"), (5, "Nymph"), (6, "Larva"), (7, "Egg"), (8, "Juvenile")],
        &[1],
    ),
    (9, "Sex", &[(10, "Female"), (11, "Male"), (20, "Cannot Be Determined")], &[]),
    (12, "Flowers and Fruits", &[(13, "Flowers"), (14, "Fruits or Seeds"), (15, "Flower Buds")], &[47125]),
    (17, "Alive or Dead", &[(18, "Alive"), (19, "Dead"), (20, "Cannot Be Determined")], &[1]),
    (22, "Evidence of Presence", &[(23, "Feather"), (24, "Organism"), (25, "Scat"), (26, "Track"), (27, "Bone")], &[1]),
    (33, "Established", &[(34, "Not Established")], &[26036, 20978]),
    (36, "Leaves", &[(37, "Breaking Leaf Buds"), (38, "Green Leaves"), (39, "Colored Leaves")], &[47125]),
];

/// All terms, or those for a taxon with these ancestors.
pub(crate) fn controlled_terms(ancestors: Option<&[u64]>) -> Vec<Value> {
    TERMS
        .iter()
        .filter(|(_, _, _, taxa)| taxa.is_empty() || ancestors.is_none_or(|ids| ids.iter().any(|id| taxa.contains(id))))
        .map(|(id, label, values, taxa)| {
            let values: Vec<Value> = values
                .iter()
                .map(|(id, label)| {
                    json!({ "id": id, "ontology_uri": "", "uri": "", "blocking": false, "uuid": uuid(u128::from(*id) << 40), "label": label })
                })
                .collect();
            json!({
                "id": id,
                "ontology_uri": "",
                "uri": "",
                "is_value": false,
                "multivalued": false,
                "uuid": uuid(u128::from(*id) << 50),
                "values": values,
                "taxon_ids": taxa,
                "excepted_taxon_ids": [],
                "label": label,
            })
        })
        .collect()
}

/// Whether a value belongs to a term.
pub(crate) fn is_value_of(term: u64, value: u64) -> bool {
    TERMS.iter().any(|(id, _, values, _)| *id == term && values.iter().any(|(id, _)| *id == value))
}
