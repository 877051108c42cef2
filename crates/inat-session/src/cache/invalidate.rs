//! What a write makes outdated (RFC 9111 §4.4).
//!
//! Always: the target, and what `Location` and `Content-Location` name on the same origin. For the API also the listings the
//! thing is part of, because a person who has just uploaded an observation looks for it there:
//!
//! - every collection above it: `/v1/observations/1/fave` → `/v1/observations/1`, `/v1/observations`;
//! - what is computed from observations (counts, observers, identifiers, histograms, …) and identifications, when anything
//!   that belongs to an observation is written;
//! - `autocomplete` of its collection and the common `/search`;
//! - all of this in both versions of the API, and on both of iNaturalist's hosts.
//!
//! Paths that begin with `/v1/` or `/v2/` count as the API's on any host, so that a stand-in behaves alike. On somebody
//! else's host this removes a little too much at worst, which costs a request.

use http::{HeaderMap, Method, StatusCode, header};
use url::{Position, Url};

use super::resource_of;

/// The resources, as [`resource_of`] names them, whose stored answers a request made outdated. Empty for a safe method and
/// after an error. `method` is the one the request means ([`super::effective_method`]).
pub fn invalidated(method: &Method, url: &Url, status: StatusCode, headers: &HeaderMap) -> Vec<String> {
    if method.is_safe() || !(status.is_success() || status.is_redirection()) {
        return Vec::new();
    }
    let mut resources = vec![resource_of(url)];
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let named = headers.get(name).and_then(|value| url.join(value.to_str().ok()?).ok());
        // Only of the same origin: else one site could empty the cache of another.
        resources.extend(named.filter(|named| named.origin() == url.origin()).map(|named| resource_of(&named)));
    }
    resources.extend(listings(url));
    resources.sort_unstable();
    resources.dedup();
    resources
}

const API: &str = "api.inaturalist.org";
const WEB: &str = "www.inaturalist.org";

/// What is written under these belongs to an observation.
const PARTS_OF_OBSERVATIONS: [&str; 13] = [
    "annotations",
    "comments",
    "flags",
    "identifications",
    "observation_field_values",
    "observation_fields",
    "observation_photos",
    "observation_sounds",
    "observations",
    "photos",
    "project_observations",
    "sounds",
    "votes",
];

/// What the API computes from observations.
const FROM_OBSERVATIONS: [&str; 20] = [
    "observations",
    "observations/histogram",
    "observations/iconic_taxa_counts",
    "observations/iconic_taxa_species_counts",
    "observations/identification_categories",
    "observations/identifiers",
    "observations/observers",
    "observations/popular_field_values",
    "observations/quality_grades",
    "observations/species_counts",
    "observations/taxa_counts_by_month",
    "observations/taxonomy",
    "observations/umbrella_project_stats",
    "observations/updates",
    "identifications",
    "identifications/categories",
    "identifications/identifiers",
    "identifications/observers",
    "identifications/recent_taxa",
    "identifications/species_counts",
];

fn listings(url: &Url) -> Vec<String> {
    let path = url.path().trim_matches('/');
    let host = url.host_str().unwrap_or_default();
    let versioned = path.strip_prefix("v1/").or_else(|| path.strip_prefix("v2/"));
    let rest = match (versioned, host) {
        (Some(rest), _) => rest,
        // The site takes some writes itself, without a version.
        (None, WEB) => path.strip_suffix(".json").unwrap_or(path),
        (None, _) => return Vec::new(),
    };
    let names = names(rest);
    let roots = if host == API || host == WEB {
        vec![format!("https://{API}/v1"), format!("https://{API}/v2"), format!("https://{WEB}")]
    } else {
        let origin = format!("{}://{}", url.scheme(), &url[Position::BeforeHost..Position::BeforePath]);
        vec![format!("{origin}/v1"), format!("{origin}/v2")]
    };
    let full = roots.iter().flat_map(|root| names.iter().map(move |name| format!("{root}/{name}")));
    full.filter_map(|name| Url::parse(&name).ok()).map(|url| resource_of(&url)).collect()
}

/// The names below the version of what a write to `path` outdates.
fn names(path: &str) -> Vec<String> {
    let mut names = vec![path.to_owned()];
    let mut above = path;
    while let Some((parent, _)) = above.rsplit_once('/') {
        names.push(parent.to_owned());
        above = parent;
    }
    let collection = above;
    names.push(format!("{collection}/autocomplete"));
    names.push("search".to_owned());
    if PARTS_OF_OBSERVATIONS.contains(&collection) {
        names.extend(FROM_OBSERVATIONS.map(str::to_owned));
    }
    if collection == "users" {
        names.push("users/me".to_owned());
    }
    if collection == "messages" {
        names.push("messages/unread".to_owned());
    }
    names
}
