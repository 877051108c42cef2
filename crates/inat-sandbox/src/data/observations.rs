//! Observations: what filters look at. Their JSON is made for those on the page only.

use std::sync::Arc;

use super::{Dice, Talk, World, places, places::Place, uuid};

/// Synthetic ids start here, one in every block of three, so there are gaps as in nature.
const FIRST: u64 = 10_000_001;
const BLOCK: u64 = 3;
/// 2015-01-01 to 2025-06-01.
const UPLOADED: (i64, i64) = (1_420_070_400, 1_748_736_000);
const MONTH: u64 = 30 * 86_400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grade {
    Research,
    NeedsId,
    Casual,
}

impl Grade {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Research => "research",
            Self::NeedsId => "needs_id",
            Self::Casual => "casual",
        }
    }
}

/// A photo or sound on a written observation.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    /// The id of the link between observation and file.
    pub(crate) id: u64,
    pub(crate) file: u64,
    pub(crate) uuid: String,
}

/// What a write said, where it differs from the synthetic values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Given {
    pub(crate) uuid: Option<String>,
    pub(crate) species_guess: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) place_guess: Option<String>,
    pub(crate) observed_on_string: Option<String>,
    pub(crate) positional_accuracy: Option<u64>,
    pub(crate) tags: Vec<String>,
    pub(crate) photos: Vec<Media>,
    pub(crate) sounds: Vec<Media>,
    pub(crate) ignore_synthetic_media: bool,
    /// What was said about it, once anything was.
    pub(crate) talk: Option<Talk>,
}

#[derive(Debug, Clone)]
pub(crate) struct Observation {
    pub(crate) id: u64,
    /// The synthetic index; `None` for a written one.
    pub(crate) index: Option<u32>,
    pub(crate) taxon: Option<u64>,
    pub(crate) user: u64,
    pub(crate) place: Option<&'static Place>,
    /// The true position, latitude first.
    pub(crate) position: Option<(f64, f64)>,
    pub(crate) observed: Option<i64>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) grade: Grade,
    pub(crate) obscured: bool,
    pub(crate) captive: bool,
    pub(crate) photos: u64,
    pub(crate) sounds: u64,
    pub(crate) given: Option<Arc<Given>>,
}

impl World {
    pub(crate) fn observation_id(&self, index: u32) -> u64 {
        FIRST + u64::from(index) * BLOCK + self.dice("gap", u64::from(index)).below(BLOCK)
    }

    /// The synthetic observation with this id, made without making any other.
    pub(crate) fn find_observation(&self, id: u64) -> Option<Observation> {
        let index =
            u32::try_from(id.checked_sub(FIRST)? / BLOCK).ok().filter(|index| *index < self.observation_count())?;
        (self.observation_id(index) == id).then(|| self.observation(index))
    }

    /// The lowest 32 bits of a synthetic UUID hide the index, so that it can be looked up without a table.
    pub(crate) fn observation_uuid(&self, index: u32) -> String {
        let mut dice = self.dice("uuid", u64::from(index));
        let bits =
            u128::from(dice.next()) << 64 | u128::from(dice.next() & !0xffff_ffff) | u128::from(index ^ self.veil());
        uuid(bits)
    }

    pub(crate) fn find_observation_uuid(&self, text: &str) -> Option<Observation> {
        let last = text.get(28..36)?;
        let index = u32::from_str_radix(last, 16).ok()? ^ self.veil();
        (index < self.observation_count() && self.observation_uuid(index) == text).then(|| self.observation(index))
    }

    fn veil(&self) -> u32 {
        u32::try_from(self.dice("veil", 0).below(1 << 32)).unwrap_or(0)
    }

    pub(crate) fn observation(&self, index: u32) -> Observation {
        let mut dice = self.dice("observation", u64::from(index));
        let spacing = (UPLOADED.1 - UPLOADED.0) / i64::from(self.observation_count().max(1));
        let created = UPLOADED.0 + i64::from(index) * spacing + below(&mut dice, spacing.unsigned_abs());
        let leaves: Vec<&'static Place> = places::leaves().collect();
        let place = leaves.get(usize::try_from(dice.below(leaves.len() as u64)).unwrap_or(0)).copied();
        let position = place.map(|place| {
            let [south, west, north, east] = place.bounds;
            (south + (north - south) * dice.unit(), west + (east - west) * dice.unit())
        });
        let grade = match dice.below(100) {
            0..60 => Grade::Research,
            60..88 => Grade::NeedsId,
            _ => Grade::Casual,
        };
        Observation {
            id: self.observation_id(index),
            index: Some(index),
            taxon: Some(self.taxa.drawn(&mut dice)),
            user: 1 + dice.skewed(super::USERS),
            place,
            position,
            observed: Some(created - below(&mut dice, MONTH)),
            created,
            updated: created + below(&mut dice, 3 * MONTH),
            grade,
            obscured: dice.percent(8),
            captive: grade == Grade::Casual && dice.percent(60),
            photos: 1 + dice.below(3),
            sounds: u64::from(dice.percent(3)),
            given: None,
        }
    }
}

fn below(dice: &mut Dice, end: u64) -> i64 {
    i64::try_from(dice.below(end)).unwrap_or(0)
}

impl Observation {
    pub(crate) fn uuid(&self, world: &World) -> String {
        match (self.given.as_ref().and_then(|given| given.uuid.clone()), self.index) {
            (Some(uuid), _) => uuid,
            (None, Some(index)) => world.observation_uuid(index),
            (None, None) => world.dice("written uuid", self.id).uuid(),
        }
    }

    pub(crate) fn has_photos(&self) -> bool {
        self.synthetic_photos() > 0 || self.given.as_ref().is_some_and(|given| !given.photos.is_empty())
    }

    pub(crate) fn has_sounds(&self) -> bool {
        self.sounds > 0 || self.given.as_ref().is_some_and(|given| !given.sounds.is_empty())
    }

    pub(crate) fn synthetic_photos(&self) -> u64 {
        if self.given.as_ref().is_some_and(|given| given.ignore_synthetic_media) { 0 } else { self.photos }
    }
}

#[cfg(test)]
mod tests {
    use super::super::World;
    use crate::Config;

    #[test]
    fn ids_rise_with_gaps_and_lead_back() {
        let world = World::new(&Config { observations: 2_000, ..Config::default() }, "http://sandbox");
        let mut last = 0;
        let mut gaps = 0;
        for index in 0..2_000 {
            let one = world.observation(index);
            assert!(one.id > last);
            gaps += usize::from(one.id > last + 1);
            last = one.id;
            assert_eq!(world.find_observation(one.id).and_then(|found| found.index), Some(index));
            let uuid = world.observation_uuid(index);
            assert_eq!(world.find_observation_uuid(&uuid).map(|found| found.id), Some(one.id));
            assert_eq!(&uuid[14..15], "4");
        }
        assert!(gaps > 500);
        assert!(world.find_observation(1).is_none());
        assert!(world.find_observation(u64::MAX).is_none());
        assert!(world.find_observation_uuid("none").is_none());
        assert!(world.find_observation_uuid("ääääääääääääääääääääääääääääääääääää").is_none());
    }
}
