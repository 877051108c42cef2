//! What is left of the first API, on www.inaturalist.org: the Rails application itself, with paths that end in `.json` and bare lists.
//! OAuth tokens are good here, counts stand in headers, and what was deleted is said to be gone.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    Origin,
    call::Call,
    filter::Filter,
    reply::{Refusal, Reply},
    taxa::has_word,
};
use crate::{
    Answer,
    data::{FIELDS, Observation, put},
    shared::lock,
};

const PAGE: u64 = 30;
/// Beyond this, one has to be signed in.
const LAST_OPEN_PAGE: u64 = 100;

impl Origin {
    /// `None` where Rails has no such route either.
    pub(super) fn rails(&self, call: &Call<'_>, segments: &[&str]) -> Option<Result<Reply, Refusal>> {
        let (last, format) = match segments.last()?.split_once('.') {
            Some((name, format)) => (name, format),
            None => (*segments.last()?, "json"),
        };
        let mut segments = segments.to_vec();
        *segments.last_mut()? = last;
        Some(match (call.method, &segments[..]) {
            ("GET", ["observations"]) => self.rails_observations(call, format),
            _ if format != "json" => return None,
            ("GET", ["observations", id]) => self.rails_observation(call, id),
            ("POST", ["observations"]) => {
                self.create_observation(call).map(|_| ()).and_then(|()| self.rails_newest(call))
            }
            ("PUT" | "PATCH", ["observations", id]) => {
                self.update_observation(call, id).and_then(|_| self.rails_listed(call, id))
            }
            ("DELETE", ["observations", id]) => self.delete_own_observation(call, id).map(|_| super::talk::done(call)),
            ("GET", ["observation_fields"]) => self.rails_fields(call),
            ("POST", ["observation_field_values"]) => self.set_field_value(call),
            ("PUT", ["observation_field_values", id]) => self.update_field_value(call, id),
            ("POST", [route @ ("observation_photos" | "observation_sounds")]) => self.upload(call, route),
            ("POST", ["comments"]) => self.create_comment(call),
            ("POST", ["identifications"]) => self.create_identification(call),
            ("GET", ["posts"]) => self.posts(call),
            _ => return None,
        })
    }

    fn rails_observations(&self, call: &Call<'_>, format: &str) -> Result<Reply, Refusal> {
        let paging = call.paging(PAGE, 200)?;
        if paging.page > LAST_OPEN_PAGE && call.required().is_err() {
            return Ok(Reply::ready(Answer::new(302).header("Location", "/login")));
        }
        let filter = Filter::read(self, call)?;
        let (total, page): (usize, Vec<Observation>) = self.matching(&filter, |mut found| {
            found.reverse();
            (found.len(), paging.slice(&found).iter().map(|one| (*one).clone()).collect())
        });
        let (kind, body) = match format {
            "json" => ("application/json; charset=utf-8", self.rails_list(call, &page).to_string()),
            "csv" => ("text/csv; charset=utf-8", self.csv(call, &page)),
            "atom" => ("application/atom+xml; charset=utf-8", self.atom(call, &page)),
            "kml" => ("application/vnd.google-earth.kml+xml", self.kml(call, &page)),
            "dwc" => ("application/xml; charset=utf-8", self.dwc(call, &page)),
            "widget" => ("text/javascript; charset=utf-8", self.widget(call, &page)),
            _ => return Ok(Reply::ready(Refusal::no_route(call))),
        };
        let answer = Answer::new(200)
            .header("Content-Type", kind)
            .header("X-Total-Entries", total.to_string())
            .header("X-Page", paging.page.to_string())
            .header("X-Per-Page", paging.per_page.to_string());
        Ok(Reply::ready(answer.body(body)))
    }

    fn rails_observation(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        if let Some(one) = self.named(&json!(id)) {
            return Ok(Reply::json(self.rails_record(call, &one)));
        }
        let gone = id.parse().is_ok_and(|id| lock(&self.writes).deleted.contains_key(&id));
        Err(if gone { Refusal::new(410, "Gone") } else { Refusal::new(404, "Not Found") })
    }

    /// The observation just created, by its uuid or else the last of all.
    fn rails_newest(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let given = super::writes::body(call, "observation")?;
        let named = given.get("uuid").and_then(Value::as_str).and_then(|uuid| self.find_uuid(uuid));
        let last = || lock(&self.writes).changed.values().next_back().cloned();
        let one = named.or_else(last).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        Ok(Reply::json(self.rails_list(call, &[one])))
    }

    fn rails_listed(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let one = self.named(&json!(id)).ok_or_else(|| Refusal::new(404, "Not Found"))?;
        Ok(Reply::json(self.rails_list(call, &[one])))
    }

    fn rails_list(&self, call: &Call<'_>, page: &[Observation]) -> Value {
        page.iter().map(|one| self.rails_record(call, one)).collect()
    }

    /// A record with the columns of the database, coordinates as text.
    fn rails_record(&self, call: &Call<'_>, one: &Observation) -> Value {
        let full = self.world.observation_json(one, call.viewer());
        let (latitude, longitude) = coordinates(&full["location"]);
        let (private_latitude, private_longitude) = coordinates(&full["private_location"]);
        let taxon = &full["taxon"];
        let license = full["license_code"].as_str().map(str::to_uppercase);
        let counted = |name: &str| full[name].as_array().map_or(0, Vec::len);
        let mut out = json!({
            "latitude": latitude, "longitude": longitude, "private_latitude": private_latitude,
            "private_longitude": private_longitude, "private_positional_accuracy": null, "timeframe": null,
            "user_id": one.user, "user_login": full["user"]["login"], "taxon_id": one.taxon, "id_please": false,
            "iconic_taxon_id": taxon["iconic_taxon_id"], "iconic_taxon_name": taxon["iconic_taxon_name"],
            "time_zone": "UTC", "zic_time_zone": "Etc/UTC", "location_is_exact": !one.obscured, "delta": false,
            "positioning_method": null, "positioning_device": null, "out_of_range": null, "license": license,
            "observation_photos_count": counted("photos"), "observation_sounds_count": counted("sounds"), "old_uuid": null,
            "last_indexed_at": full["updated_at"], "private_place_guess": null, "tag_list": full["tags"],
            "short_description": full["description"], "created_at_utc": full["created_at"],
            "updated_at_utc": full["updated_at"], "time_observed_at_utc": full["time_observed_at"],
            "user": { "login": full["user"]["login"], "user_icon_url": full["user"]["icon_url"] },
            "taxon": { "id": taxon["id"], "name": taxon["name"], "rank": taxon["rank"], "ancestry": taxon["ancestry"],
                "common_name": { "name": taxon["preferred_common_name"] } },
            "iconic_taxon": { "id": taxon["iconic_taxon_id"], "name": taxon["iconic_taxon_name"] },
        });
        for name in SAME {
            put(&mut out, name, Some(full[*name].clone()));
        }
        out
    }

    fn rails_fields(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let paging = call.paging(PAGE, PAGE)?;
        let term = call.get("q").unwrap_or_default();
        let found: Vec<Value> = FIELDS
            .iter()
            .filter(|field| has_word(field.name, term))
            .map(|field| self.world.observation_field(field))
            .collect();
        Ok(Reply::json(Value::Array(paging.slice(&found).to_vec())))
    }

    fn csv(&self, call: &Call<'_>, page: &[Observation]) -> String {
        let columns = [
            "scientific_name",
            "datetime",
            "description",
            "place_guess",
            "latitude",
            "longitude",
            "common_name",
            "url",
            "user_login",
            "id",
            "species_guess",
            "iconic_taxon_name",
            "taxon_id",
            "observed_on",
            "user_id",
            "created_at",
            "updated_at",
            "quality_grade",
            "license",
        ];
        let mut out = columns.join(",") + "\n";
        for one in page {
            let record = self.rails_record(call, one);
            let cells = columns.map(|column| match column {
                "scientific_name" => cell(&record["taxon"]["name"]),
                "common_name" => cell(&record["taxon"]["common_name"]["name"]),
                "datetime" => cell(&record["time_observed_at"]),
                "url" => cell(&record["uri"]),
                _ => cell(&record[column]),
            });
            out += &(cells.join(",") + "\n");
        }
        out
    }

    fn atom(&self, call: &Call<'_>, page: &[Observation]) -> String {
        let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xml:lang=\"en-US\" xmlns=\"http://www.w3.org/2005/Atom\" \
            xmlns:georss=\"http://www.georss.org/georss\">\n  <title>iNaturalist: Observations by Everyone</title>\n"
            .to_owned();
        for record in page.iter().map(|one| self.rails_record(call, one)) {
            let [id, uri, name, login] = ["id", "uri", "species_guess", "user_login"].map(|name| xml(&record[name]));
            let [published, updated, lat, lng] =
                ["created_at", "updated_at", "latitude", "longitude"].map(|name| xml(&record[name]));
            let _ = writeln!(
                out,
                "  <entry>\n    <id>tag:www.inaturalist.org,2005:Observation/{id}</id>\n    \
                <published>{published}</published>\n    <updated>{updated}</updated>\n    <link rel=\"alternate\" href=\"{uri}\"/>\n    \
                <title>{name}</title>\n    <author>\n      <name>{login}</name>\n    </author>\n    \
                <georss:point>{lat} {lng}</georss:point>\n  </entry>"
            );
        }
        out + "</feed>\n"
    }

    fn kml(&self, call: &Call<'_>, page: &[Observation]) -> String {
        let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<kml xmlns=\"http://www.opengis.net/kml/2.2\">\n  <Document>\n".to_owned();
        for record in page.iter().map(|one| self.rails_record(call, one)) {
            let [id, name, when] = ["id", "species_guess", "time_observed_at"].map(|name| xml(&record[name]));
            let [lat, lng] = ["latitude", "longitude"].map(|name| xml(&record[name]));
            let _ = writeln!(
                out,
                "<Placemark id=\"ID{id}\">\n  <name>{name}</name>\n  <TimeStamp>\n    <when>{when}</when>\n  </TimeStamp>\n  \
                <Point>\n    <coordinates>{lng},{lat}</coordinates>\n  </Point>\n</Placemark>"
            );
        }
        out + "  </Document>\n</kml>\n"
    }

    fn dwc(&self, call: &Call<'_>, page: &[Observation]) -> String {
        let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<dwr:SimpleDarwinRecordSet xmlns:dcterms=\"http://purl.org/dc/terms/\" \
            xmlns:dwc=\"http://rs.tdwg.org/dwc/terms/\" xmlns:dwr=\"http://rs.tdwg.org/dwc/xsd/simpledarwincore/\">\n"
            .to_owned();
        for record in page.iter().map(|one| self.rails_record(call, one)) {
            let [uri, updated, id, name] = ["uri", "updated_at", "id", "species_guess"].map(|name| xml(&record[name]));
            let [date, lat, lng, login] =
                ["observed_on", "latitude", "longitude", "user_login"].map(|name| xml(&record[name]));
            let scientific = xml(&record["taxon"]["name"]);
            let _ = writeln!(
                out,
                "<dwr:SimpleDarwinRecord>\n  <dwc:occurrenceID>{uri}</dwc:occurrenceID>\n  \
                <dwc:basisOfRecord>HumanObservation</dwc:basisOfRecord>\n  <dcterms:modified>{updated}</dcterms:modified>\n  \
                <dwc:institutionCode>iNaturalist</dwc:institutionCode>\n  <dwc:catalogNumber>{id}</dwc:catalogNumber>\n  \
                <dwc:recordedBy>{login}</dwc:recordedBy>\n  <dwc:eventDate>{date}</dwc:eventDate>\n  \
                <dwc:decimalLatitude>{lat}</dwc:decimalLatitude>\n  <dwc:decimalLongitude>{lng}</dwc:decimalLongitude>\n  \
                <dwc:scientificName>{scientific}</dwc:scientificName>\n  <dwc:vernacularName>{name}</dwc:vernacularName>\n\
                </dwr:SimpleDarwinRecord>"
            );
        }
        out + "</dwr:SimpleDarwinRecordSet>\n"
    }

    /// A script that writes a table into somebody's page.
    fn widget(&self, call: &Call<'_>, page: &[Observation]) -> String {
        let mut rows = String::new();
        for record in page.iter().map(|one| self.rails_record(call, one)) {
            let [uri, name] = ["uri", "species_guess"].map(|name| xml(&record[name]));
            let _ = write!(rows, "<tr class=\"inat-observation\"><td><a href=\"{uri}\">{name}</a></td></tr>");
        }
        format!("try {{\n  document.write({})\n}} catch (e) {{}}\n", json!(format!("<table>{rows}</table>")))
    }
}

/// What both forms of a record say alike.
const SAME: &[&str] = &[
    "id",
    "uuid",
    "observed_on",
    "description",
    "map_scale",
    "species_guess",
    "created_at",
    "updated_at",
    "place_guess",
    "observed_on_string",
    "num_identification_agreements",
    "num_identification_disagreements",
    "time_observed_at",
    "positional_accuracy",
    "geoprivacy",
    "taxon_geoprivacy",
    "quality_grade",
    "uri",
    "comments_count",
    "oauth_application_id",
    "identifications_count",
    "captive",
    "community_taxon_id",
    "site_id",
    "public_positional_accuracy",
    "mappable",
    "cached_votes_total",
    "faves_count",
    "owners_identification_from_vision",
    "project_observations",
    "photos",
];

fn coordinates(location: &Value) -> (Value, Value) {
    match location.as_str().and_then(|text| text.split_once(',')) {
        Some((latitude, longitude)) => (latitude.into(), longitude.into()),
        None => (Value::Null, Value::Null),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// RFC 4180.
fn cell(value: &Value) -> String {
    let text = plain(value);
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn xml(value: &Value) -> String {
    plain(value).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
