//! An observation as v1 gives it: some 13 kB, most of it people and taxa repeated inside.

use serde_json::{Value, json};

use super::{
    Dice, Grade, Observation, Taxon, World, day_of, details, of_day, photos,
    talk::talk_json,
    taxon_json::{extend, put},
    text,
    words::NOTES,
};

/// Who looks: the signed-in user, or nobody.
pub(crate) type Viewer = Option<u64>;

/// Every hidden position is shown to its owner and to this user, so that a test has a curator's token to try.
const TRUSTED: u64 = 1;

impl World {
    pub(crate) fn observation_json(&self, one: &Observation, viewer: Viewer) -> Value {
        let mut dice = self.dice("observation json", one.id);
        let taxon = one.taxon.and_then(|id| self.taxa.get(id));
        let mut out = self.core(one, taxon, &mut dice);
        extend(&mut out, when(one));
        extend(&mut out, whereabouts(one, viewer, &mut dice));
        extend(&mut out, talk_json(&self.talk(one), taxon));
        extend(&mut out, self.media(one));
        out
    }

    fn core(&self, one: &Observation, taxon: Option<&Taxon>, dice: &mut Dice) -> Value {
        let given = one.given.as_deref();
        let note = dice.percent(40).then(|| dice.pick(NOTES, "").to_owned()).filter(|_| one.index.is_some());
        let guess = taxon.map(|taxon| taxon.common.clone().unwrap_or_else(|| taxon.name.clone()));
        let mut user = self.user(one.user);
        put(&mut user, "preferences", Some(json!({})));
        json!({
            "id": one.id,
            "uuid": one.uuid(self),
            "quality_grade": one.grade.name(),
            "taxon": taxon.map(|taxon| self.taxon_nested(taxon)),
            "community_taxon_id": taxon.filter(|_| one.grade == Grade::Research).map(|taxon| taxon.id),
            "species_guess": given.and_then(|given| given.species_guess.clone()).or(guess),
            "description": given.and_then(|given| given.description.clone()).or(note),
            "tags": given.map(|given| given.tags.clone()).unwrap_or_default(),
            "user": user,
            "captive": one.captive,
            "uri": format!("https://www.inaturalist.org/observations/{}", one.id),
            "license_code": dice.pick(&[Some("cc-by-nc"), Some("cc-by"), Some("cc0"), None], None),
            "site_id": 1,
            "oauth_application_id": dice.pick(&[Some(2), Some(3), None], None),
            "owners_identification_from_vision": dice.percent(50),
            "spam": false,
            "outlinks": [],
            "preferences": { "prefers_community_taxon": null },
        })
    }

    fn media(&self, one: &Observation) -> Value {
        let login = self.login(one.user);
        let mut photos = Vec::new();
        let mut links = Vec::new();
        let mut add = |file: u64, link: u64, uuid: String| {
            let photo = photos::photo(self, file, &mut self.dice("photo", file), Some(&login));
            links.push(json!({ "id": link, "position": photos.len(), "uuid": uuid, "photo": photo }));
            photos.push(photo);
        };
        for number in 0..one.synthetic_photos() {
            let file = one.id * 10 + number;
            add(file, file + 7, self.dice("photo link", file).uuid());
        }
        let given = one.given.as_deref();
        for media in given.map(|given| given.photos.as_slice()).unwrap_or_default() {
            add(media.file, media.id, media.uuid.clone());
        }
        let given = given.map(|given| given.sounds.as_slice()).unwrap_or_default();
        let sounds = (0..one.sounds).map(|number| one.id * 10 + 9 - number).chain(given.iter().map(|media| media.file));
        let sounds: Vec<Value> = sounds.map(|file| self.sound(file, &login)).collect();
        json!({ "photos": photos, "observation_photos": links, "sounds": sounds })
    }

    /// A sound's record.
    pub(crate) fn sound(&self, file: u64, login: &str) -> Value {
        json!({
            "id": file,
            "license_code": "cc-by-nc",
            "attribution": format!("(c) {login}, some rights reserved (CC BY-NC)"),
            "native_sound_id": null,
            "secret_token": null,
            "file_url": format!("{}/sounds/{file}.wav", self.media_base),
            "file_content_type": "audio/x-wav",
            "play_local": true,
            "subtype": null,
            "flags": [],
        })
    }
}

fn when(one: &Observation) -> Value {
    let said = one.given.as_ref().and_then(|given| given.observed_on_string.clone());
    json!({
        "created_at": text(one.created),
        "created_at_details": details(one.created),
        "created_time_zone": "Etc/UTC",
        "updated_at": text(one.updated),
        "observed_on": one.observed.map(|at| of_day(day_of(at)).to_string()),
        "observed_on_details": one.observed.map(details),
        "observed_on_string": said.or_else(|| one.observed.map(text)),
        "observed_time_zone": "Etc/UTC",
        "time_observed_at": one.observed.map(text),
        "time_zone_offset": "+00:00",
    })
}

fn whereabouts(one: &Observation, viewer: Viewer, dice: &mut Dice) -> Value {
    let given = one.given.as_deref();
    let accuracy = given.and_then(|given| given.positional_accuracy).or_else(|| one.index.map(|_| 1 + dice.below(60)));
    let blur = (dice.unit() * 0.2 - 0.1, dice.unit() * 0.2 - 0.1);
    let shown =
        one.position.map(
            |(latitude, longitude)| {
                if one.obscured { (latitude + blur.0, longitude + blur.1) } else { (latitude, longitude) }
            },
        );
    let place = one.place.map(|place| place.display_name.to_owned());
    let mut out = json!({
        "location": shown.map(location),
        "geojson": shown.map(point),
        "mappable": shown.is_some(),
        "obscured": one.obscured,
        "geoprivacy": one.obscured.then_some("obscured"),
        "taxon_geoprivacy": null,
        "positional_accuracy": accuracy,
        "public_positional_accuracy": if one.obscured { Some(28_000) } else { accuracy },
        "map_scale": null,
        "place_guess": given.and_then(|given| given.place_guess.clone()).or(place),
        "place_ids": one.place.map(super::places::Place::ancestry).unwrap_or_default(),
    });
    if one.obscured && viewer.is_some_and(|viewer| viewer == one.user || viewer == TRUSTED) {
        put(&mut out, "private_location", one.position.map(|position| location(position).into()));
        put(&mut out, "private_geojson", one.position.map(point));
        put(&mut out, "private_place_guess", one.place.map(|place| place.name.into()));
    }
    out
}

fn location((latitude, longitude): (f64, f64)) -> String {
    format!("{latitude:.6},{longitude:.6}")
}

fn point((latitude, longitude): (f64, f64)) -> Value {
    let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
    json!({ "type": "Point", "coordinates": [round(longitude), round(latitude)] })
}
