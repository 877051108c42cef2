//! The synthetic world: taxa, people, places, projects and observations that follow from a seed. A record is made when it is asked for, so
//! a sandbox with a million observations starts as fast as one with ten.

mod dates;
mod dice;
mod identifications;
mod observation_fields;
mod observation_json;
mod observations;
mod people;
mod photos;
mod places;
mod projects;
mod talk;
mod taxa;
mod taxon_json;
mod terms;
mod words;

use std::sync::OnceLock;

pub(crate) use dates::{Date, day_of, details, micros_text, of_day, text, today};
pub(crate) use dice::{Dice, uuid};
pub(crate) use identifications::{Brief, IDENTIFICATIONS_EACH, Naming, identification, identification_place, naming};
pub(crate) use observation_fields::{FIELDS, Field};
pub(crate) use observations::{Given, Grade, Media, Observation};
pub(crate) use photos::jpeg;
pub(crate) use places::PLACES;
pub(crate) use talk::{Talk, author, comment, commented};
pub(crate) use taxa::{Taxon, rank_level};
pub(crate) use taxon_json::{extend, put};
pub(crate) use terms::{controlled_terms, is_value_of};

use crate::Config;

/// Users 1 to this many exist; others only when a token names them.
pub(crate) const USERS: u64 = 1_000;

/// Everything that can be asked for, before anybody wrote anything.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) media_base: String,
    pub(crate) taxa: taxa::Taxa,
    count: u32,
    observations: OnceLock<Vec<Observation>>,
}

impl World {
    pub(crate) fn new(config: &Config, url: &str) -> Self {
        let media_base = config.media_base.as_deref().unwrap_or(url).trim_end_matches('/').to_owned();
        Self {
            seed: config.seed,
            media_base,
            taxa: taxa::Taxa::new(config.seed),
            count: config.observations,
            observations: OnceLock::new(),
        }
    }

    /// All synthetic observations by ascending id, made at the first search.
    pub(crate) fn observations(&self) -> &[Observation] {
        self.observations.get_or_init(|| (0..self.count).map(|index| self.observation(index)).collect())
    }

    pub(crate) fn observation_count(&self) -> u32 {
        self.count
    }

    pub(crate) fn dice(&self, name: &str, index: u64) -> Dice {
        Dice::new(self.seed, name, index)
    }
}
