//! Which observations a search is for.

use serde_json::Value;

use super::{Origin, call::Call, reply::Refusal, taxa::has_word};
use crate::data::{Date, Grade, Observation, PLACES, World, day_of, of_day, rank_level};

/// The parameters that narrow a search, checked.
#[derive(Debug, Default)]
pub(super) struct Filter {
    ids: Option<Vec<u64>>,
    taxa: Option<Vec<u64>>,
    without_taxa: Option<Vec<u64>>,
    iconic: Option<Vec<String>>,
    ranks: (Option<u32>, Option<u32>),
    places: Option<Vec<u64>>,
    projects: Option<Vec<u64>>,
    users: Option<Vec<u64>>,
    grades: Option<Vec<String>>,
    observed: (Option<Date>, Option<Date>),
    created: (Option<Date>, Option<Date>),
    years: Option<Vec<i64>>,
    months: Option<Vec<i64>>,
    updated_since: Option<i64>,
    above: Option<i64>,
    below: Option<i64>,
    photos: Option<bool>,
    sounds: Option<bool>,
    captive: Option<bool>,
    verifiable: Option<bool>,
    geo: Option<bool>,
    obscured: Option<bool>,
    bounds: Option<[f64; 4]>,
    words: Option<String>,
}

impl Filter {
    pub(super) fn read(origin: &Origin, call: &Call<'_>) -> Result<Self, Refusal> {
        let world = &origin.world;
        let numbers = |name: &str| {
            call.list(name).map(|list| list.iter().filter_map(|item| item.parse().ok()).collect::<Vec<i64>>())
        };
        let level = |name: &str| call.get(name).map(rank_level).filter(|level| *level > 0);
        Ok(Self {
            ids: call.list("id").map(|ids| origin.serial_ids(&ids)),
            taxa: taxa(world, call)?,
            without_taxa: call
                .list("without_taxon_id")
                .map(|ids| ids.iter().filter_map(|id| id.parse().ok()).collect()),
            iconic: call.list("iconic_taxa").map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            ranks: (level("lrank"), level("hrank")),
            places: known(call, "place_id", |id| {
                let id: u64 = id.parse().ok()?;
                PLACES.iter().find(|place| place.id == id).map(|place| place.id)
            })?,
            projects: known(call, "project_id", |id| origin.find_project(id, false))?,
            users: match known(call, "user_id", |id| find_user(world, call, id))? {
                Some(users) => Some(users),
                None => known(call, "user_login", |login| world.find_user(login))?,
            },
            grades: call.list("quality_grade").map(|grades| grades.iter().map(|grade| (*grade).to_owned()).collect()),
            observed: (date(call, "d1"), date(call, "d2")),
            created: (date(call, "created_d1"), date(call, "created_d2")),
            years: numbers("year"),
            months: numbers("month"),
            updated_since: call.get("updated_since").and_then(moment),
            above: call.number("id_above"),
            below: call.number("id_below"),
            photos: call.flag("photos"),
            sounds: call.flag("sounds"),
            captive: call.flag("captive"),
            verifiable: call.flag("verifiable"),
            geo: call.flag("geo"),
            obscured: call.get("geoprivacy").map(|kind| kind == "obscured"),
            bounds: bounds(call),
            words: call.get("q").map(str::to_owned),
        })
    }

    pub(super) fn matches(&self, world: &World, one: &Observation) -> bool {
        self.matches_id(one)
            && self.matches_taxon(world, one)
            && self.matches_people_and_places(one)
            && self.matches_dates(one)
            && self.matches_flags(one)
            && self.words.as_deref().is_none_or(|words| self.matches_words(world, one, words))
    }

    fn matches_id(&self, one: &Observation) -> bool {
        let id = i128::from(one.id);
        self.above.is_none_or(|above| id > i128::from(above))
            && self.below.is_none_or(|below| id < i128::from(below))
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&one.id))
    }

    fn matches_taxon(&self, world: &World, one: &Observation) -> bool {
        let free = self.taxa.is_none() && self.iconic.is_none() && self.ranks == (None, None);
        let Some(taxon) = one.taxon.and_then(|id| world.taxa.get(id)) else { return free };
        let level = rank_level(taxon.rank);
        self.taxa.as_ref().is_none_or(|wanted| taxon.ancestors.iter().any(|id| wanted.contains(id)))
            && !self
                .without_taxa
                .as_ref()
                .is_some_and(|unwanted| taxon.ancestors.iter().any(|id| unwanted.contains(id)))
            && self
                .iconic
                .as_ref()
                .is_none_or(|names| taxon.iconic.is_some_and(|(_, name)| names.iter().any(|wanted| wanted == name)))
            && self.ranks.0.is_none_or(|lowest| level >= lowest)
            && self.ranks.1.is_none_or(|highest| level <= highest)
    }

    fn matches_people_and_places(&self, one: &Observation) -> bool {
        let inside = |[south, west, north, east]: [f64; 4]| {
            one.position.is_some_and(|(lat, lng)| (south..=north).contains(&lat) && (west..=east).contains(&lng))
        };
        self.users.as_ref().is_none_or(|users| users.contains(&one.user))
            && self.places.as_ref().is_none_or(|wanted| {
                one.place.is_some_and(|place| place.ancestry().iter().any(|id| wanted.contains(id)))
            })
            && self.projects.as_ref().is_none_or(|projects| projects.iter().any(|project| is_in(one, *project)))
            && self.bounds.is_none_or(inside)
    }

    fn matches_dates(&self, one: &Observation) -> bool {
        let within = |(first, last): (Option<Date>, Option<Date>), at: Option<i64>| {
            (first.is_none() && last.is_none())
                || at
                    .map(|at| of_day(day_of(at)))
                    .is_some_and(|day| first.is_none_or(|d| day >= d) && last.is_none_or(|d| day <= d))
        };
        let observed = one.observed.map(|at| of_day(day_of(at)));
        within(self.observed, one.observed)
            && within(self.created, Some(one.created))
            && self
                .years
                .as_ref()
                .is_none_or(|years| observed.is_some_and(|day| years.contains(&i64::from(day.year()))))
            && self
                .months
                .as_ref()
                .is_none_or(|months| observed.is_some_and(|day| months.contains(&i64::from(day.month()))))
            && self.updated_since.is_none_or(|since| one.updated >= since)
    }

    fn matches_flags(&self, one: &Observation) -> bool {
        let is = |wanted: Option<bool>, value: bool| wanted.is_none_or(|wanted| wanted == value);
        is(self.photos, one.has_photos())
            && is(self.sounds, one.has_sounds())
            && is(self.captive, one.captive)
            && is(self.verifiable, one.grade != Grade::Casual)
            && is(self.geo, one.position.is_some())
            && is(self.obscured, one.obscured)
            && self.grades.as_ref().is_none_or(|grades| grades.iter().any(|grade| grade == one.grade.name()))
    }

    #[allow(clippy::unused_self, reason = "one of a family of checks")]
    fn matches_words(&self, world: &World, one: &Observation, words: &str) -> bool {
        let taxon = one.taxon.and_then(|id| world.taxa.get(id));
        taxon.is_some_and(|taxon| {
            has_word(&taxon.name, words) || taxon.common.as_deref().is_some_and(|name| has_word(name, words))
        }) || one
            .given
            .as_ref()
            .and_then(|given| given.description.as_deref())
            .is_some_and(|text| has_word(text, words))
    }
}

/// Every project holds a twentieth of everything, and what was put into it.
fn is_in(one: &Observation, project: u64) -> bool {
    let added = one.given.as_deref().and_then(|given| given.talk.as_ref());
    (one.id / 3 + project).is_multiple_of(20)
        || added.is_some_and(|talk| talk.projects.iter().any(|link| link["project_id"] == project))
}

fn taxa(world: &World, call: &Call<'_>) -> Result<Option<Vec<u64>>, Refusal> {
    if let Some(name) = call.get("taxon_name") {
        let named = world.taxa.all().iter().filter(|taxon| {
            taxon.name.eq_ignore_ascii_case(name)
                || taxon.common.as_deref().is_some_and(|common| common.eq_ignore_ascii_case(name))
        });
        return Ok(Some(named.map(|taxon| taxon.id).collect()));
    }
    known(call, "taxon_id", |id| world.taxa.get(id.parse().ok()?).map(|taxon| taxon.id))
}

/// The user a filter names; the signed-in one also as `me`, and by an id that only the token knows.
pub(super) fn find_user(world: &World, call: &Call<'_>, id: &str) -> Option<u64> {
    let me = call.viewer();
    if id == "me" || me.is_some_and(|me| id == me.to_string()) { me } else { world.find_user(id) }
}

/// The ids of a parameter; one that names nothing is refused in the words of the API.
fn known(call: &Call<'_>, name: &str, find: impl Fn(&str) -> Option<u64>) -> Result<Option<Vec<u64>>, Refusal> {
    let Some(values) = call.list(name) else { return Ok(None) };
    let ids: Result<Vec<u64>, Refusal> =
        values.iter().map(|value| find(value).ok_or_else(|| Refusal::unknown(name, value))).collect();
    ids.map(Some)
}

fn date(call: &Call<'_>, name: &str) -> Option<Date> {
    call.get(name)?.get(..10)?.parse().ok()
}

/// A date or a moment, as seconds since 1970.
fn moment(text: &str) -> Option<i64> {
    // A plus sign in a query is a space once decoded.
    let text = text.replace(' ', "+");
    let whole = text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    whole.or_else(|| {
        let day = text.get(..10)?.parse::<Date>().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
    })
}

fn bounds(call: &Call<'_>) -> Option<[f64; 4]> {
    let degrees = |name: &str| call.get(name)?.parse::<f64>().ok();
    Some([degrees("swlat")?, degrees("swlng")?, degrees("nelat")?, degrees("nelng")?])
}

impl Origin {
    /// Serial ids for a mix of ids and UUIDs; unknown UUIDs fall away.
    pub(super) fn serial_ids(&self, ids: &[&str]) -> Vec<u64> {
        ids.iter().filter_map(|id| id.parse().ok().or_else(|| self.find_uuid(id).map(|one| one.id))).collect()
    }

    /// What a value of a JSON body says, if it names an observation by id or UUID.
    pub(super) fn named(&self, value: &Value) -> Option<Observation> {
        match value {
            Value::Number(id) => self.find(id.as_u64()?),
            Value::String(text) => text.parse().ok().and_then(|id| self.find(id)).or_else(|| self.find_uuid(text)),
            _ => None,
        }
    }
}
