//! The field names of recorded answers, where a folder of them is at hand: every name the real API gives, the sandbox gives.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::client::get;
use inat_sandbox::{Config, Sandbox};
use serde_json::Value;

fn fixtures() -> Option<PathBuf> {
    let given = std::env::var_os("INAT_FIXTURES").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures");
    given.or(Some(beside)).filter(|folder| folder.is_dir())
}

fn recorded(folder: &Path, name: &str) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(folder.join(name)).ok()?).ok()
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

#[test]
fn field_names_are_those_of_recorded_answers() {
    let Some(folder) = fixtures() else { return };
    let sandbox = Sandbox::start(Config { observations: 300, ..Config::default() }).unwrap();
    let id = sandbox.observation_ids()[0];
    let observation = format!("/v1/observations/{id}");
    let table = [
        ("v1/get_observation_2.json", "", observation.as_str(), "/results/0"),
        ("v1/get_observation_2.json", "/user", &observation, "/results/0/user"),
        ("v1/get_observation_2.json", "/taxon", &observation, "/results/0/taxon"),
        ("v1/get_observation_2.json", "/identifications/0", &observation, "/results/0/identifications/0"),
        ("v1/get_observation_2.json", "/photos/0", &observation, "/results/0/photos/0"),
        ("v1/get_observation_2.json", "/observation_photos/0", &observation, "/results/0/observation_photos/0"),
        ("v1/get_observation_2.json", "/observed_on_details", &observation, "/results/0/observed_on_details"),
        ("v1/get_taxa.json", "/results/0", "/v1/taxa?q=danaus", "/results/0"),
        ("v1/get_taxa.json", "/results/0/default_photo", "/v1/taxa?q=danaus", "/results/0/default_photo"),
        ("v1/get_taxa_autocomplete.json", "/results/0", "/v1/taxa/autocomplete?q=danaus", "/results/0"),
        ("v1/get_taxa_by_id.json", "/results/0", "/v1/taxa/48662", "/results/0"),
        (
            "v1/get_taxa_by_id.json",
            "/results/0/conservation_statuses/0",
            "/v1/taxa/48662",
            "/results/0/conservation_statuses/0",
        ),
        ("v1/get_places_by_id.json", "/results/0", "/v1/places/14", "/results/0"),
        ("v1/get_places_autocomplete.json", "/results/0", "/v1/places/autocomplete?q=cal", "/results/0"),
        (
            "v1/get_places_nearby.json",
            "/results",
            "/v1/places/nearby?swlat=30&swlng=-120&nelat=40&nelng=-110",
            "/results",
        ),
        ("v1/get_projects_by_id.json", "/results/0", "/v1/projects/101", "/results/0"),
        ("v1/get_projects_by_id.json", "/results/0/admins/0", "/v1/projects/101", "/results/0/admins/0"),
        ("v1/get_projects.json", "/results/0", "/v1/projects", "/results/0"),
        ("v1/get_user_by_id.json", "/results/0", "/v1/users/1", "/results/0"),
        ("v1/get_users_autocomplete.json", "/results/0", "/v1/users/autocomplete?q=m", "/results/0"),
        ("v1/get_controlled_terms.json", "/results/0", "/v1/controlled_terms", "/results/0"),
        ("v1/get_controlled_terms.json", "/results/0/values/0", "/v1/controlled_terms", "/results/0/values/0"),
        ("v1/get_identifications.json", "/results/0", "/v1/identifications", "/results/0"),
        ("v1/get_identifications.json", "/results/0/observation", "/v1/identifications", "/results/0/observation"),
        ("v1/get_observation_species_counts.json", "/results/0", "/v1/observations/species_counts", "/results/0"),
        (
            "v1/get_observation_species_counts.json",
            "/results/0/taxon",
            "/v1/observations/species_counts",
            "/results/0/taxon",
        ),
        ("v1/get_observation_observers_node_page1.json", "/results/0", "/v1/observations/observers", "/results/0"),
        ("v1/get_observation_identifiers_node_page1.json", "/results/0", "/v1/observations/identifiers", "/results/0"),
        ("v1/get_observation_histogram_month_of_year.json", "", "/v1/observations/histogram", ""),
        (
            "v1/get_observation_histogram_month_of_year.json",
            "/results/month_of_year",
            "/v1/observations/histogram",
            "/results/month_of_year",
        ),
        (
            "v1/get_observation_popular_field_values.json",
            "/results/0",
            "/v1/observations/popular_field_values",
            "/results/0",
        ),
        ("v1/get_observation_taxonomy.json", "", "/v1/observations/taxonomy", ""),
        ("v1/get_observation_taxonomy.json", "/results/0", "/v1/observations/taxonomy", "/results/0"),
        ("v1/get_search.json", "/results/0", "/v1/search?q=danaus", "/results/0"),
        ("v2/get_observations_full.json", "/results/0/photos/0", "/v2/observations?fields=all", "/results/0/photos/0"),
        ("v2/get_taxa_minimal.json", "/results/0", "/v2/taxa", "/results/0"),
        ("v1/get_lifelist_metadata.json", "/results/0", "/v1/taxa/lifelist_metadata", "/results/0"),
        ("v1/get_taxa_map_layers.json", "", "/v1/taxa/48662/map_layers", ""),
        ("v1/get_posts_login.json", "/0", "/v1/posts?login=fernwalker", "/0"),
        ("v1/get_posts_project.json", "/0", "/v1/posts?parent_type=Project&parent_id=101", "/0"),
        ("v1/get_posts_project.json", "/0/parent", "/v1/posts?parent_type=Project&parent_id=101", "/0/parent"),
        ("v0/get_observations.json", "/0", "/observations.json", "/0"),
        ("v0/get_observation_fields_page1.json", "/0", "/observation_fields.json", "/0"),
    ];
    let mut lacking = Vec::new();
    for (file, theirs, target, ours) in table {
        let Some(expected) = recorded(&folder, file) else { continue };
        let expected = names(at(&expected, theirs));
        let reply = get(sandbox.addr(), target).json();
        let given = names(at(&reply, ours));
        let missing: Vec<_> = expected.difference(&given).collect();
        if !missing.is_empty() {
            lacking.push(format!("{target} {ours} lacks {missing:?} of {file}"));
        }
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

#[test]
fn an_observation_weighs_what_real_ones_weigh() {
    let sandbox = Sandbox::start(Config { observations: 300, ..Config::default() }).unwrap();
    let body = get(sandbox.addr(), "/v1/observations?per_page=100").body;
    let each = body.len() / 100;
    assert!((10_000..20_000).contains(&each), "{each}");
    let small = get(sandbox.addr(), "/v2/observations?per_page=100&fields=id,taxon.name,user.login").body;
    assert!(small.len() < body.len() / 50, "{}", small.len());
}
