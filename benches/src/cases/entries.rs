//! What a hit costs when the file holds many entries.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use http::{HeaderMap, Method};
use inat_session::cache::{Asked, Entry, Identity, Key, Rules};
use inat_session::store::{Config, SqliteStore, Store};
use inat_session::{Freshness, Timestamp, blocking};
use tempfile::TempDir;

use crate::body::{self, SMALL};
use crate::origin::Origin;
use crate::raw::Raw;
use crate::repeat::repeat;
use crate::report::{Row, Target, micros};
use crate::timing::{Timed, timed};
use crate::{Effort, Fallible, peers};

/// Room for a million small entries.
const ROOM: u64 = 8 << 30;

pub fn run(effort: Effort) -> Fallible<Vec<Row>> {
    let (folder, origin) = (TempDir::new()?, Origin::start()?);
    let few = Filled::new(&folder.path().join("few.db"), &origin, 1_000)?;
    let many = Filled::new(&folder.path().join("many.db"), &origin, 100_000)?;
    let taken = repeat(effort.repetitions, |_| {
        Ok([few.hits(effort)?, many.hits(effort)?, few.reads(effort)?, many.reads(effort)?].map(|timed| timed.p50))
    })?;
    let compare = |case: &str, ours: usize, theirs: usize, target| compare(case, &taken, ours, theirs, target);
    let mut rows = vec![
        compare("SQLite hit, small, p50: 100,000 entries vs 1,000", 1, 0, Target::AtMost(1.3)),
        compare("the same for the raw read", 3, 2, Target::None),
        compare("100,000 entries: hit vs raw read, p50", 1, 3, Target::None),
    ];
    drop(many);
    std::fs::remove_file(folder.path().join("many.db"))?;
    let case = "SQLite hit, small, p50: a million entries, vs the raw read there";
    if effort.million {
        let file = folder.path().join("million.db");
        let million = Filled::new(&file, &origin, 1_000_000)?;
        let taken = repeat(effort.repetitions, |_| {
            Ok([few.hits(effort)?, million.hits(effort)?, few.reads(effort)?, million.reads(effort)?]
                .map(|timed| timed.p50))
        })?;
        rows.push(self::compare(case, &taken, 1, 3, Target::AtMost(2.5)));
        rows.push(self::compare("a million entries vs 1,000, hit", &taken, 1, 0, Target::None));
        rows.push(self::compare("a million entries vs 1,000, raw read", &taken, 3, 2, Target::None));
    } else {
        rows.push(Row::skipped(case, "takes minutes and 2 GB; `just bench --million entries`"));
    }
    Ok(rows)
}

fn compare(case: &str, taken: &[[f64; 4]], ours: usize, theirs: usize, target: Target) -> Row {
    let of = |side: usize| -> Vec<f64> { taken.iter().map(|sides| sides[side]).collect() };
    let ratios: Vec<f64> = taken.iter().map(|sides| sides[ours] / sides[theirs]).collect();
    Row::ratio(case, micros(&of(ours)), micros(&of(theirs)), &ratios, target)
}

/// A file with so many entries.
struct Filled {
    session: blocking::Session,
    raw: Raw,
    slots: Vec<i64>,
    urls: Vec<String>,
}

impl Filled {
    /// One entry comes from the server, the others are its copies under other URLs, put into the store directly.
    fn new(file: &Path, origin: &Origin, count: usize) -> Fallible<Self> {
        let session =
            || blocking::Session::builder().cache_file(file).cache_size(ROOM).memory_tier(0).unlimited().build();
        let urls: Vec<String> = (0..count).map(|n| origin.url(SMALL, n)).collect();
        let first = session()?;
        first.get(&urls[0])?;
        first.close()?;
        {
            let store = SqliteStore::at(file, Config { max_bytes: ROOM, ..Config::default() });
            let rules = Rules::default();
            let now = Timestamp::from_micros(i64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_micros())?);
            let found = store.variants(&key_of(&urls[0], &rules)?, now)?;
            let model: Arc<Entry> = found.first().ok_or("the first entry is not there")?.entry.clone();
            let body = Bytes::from(body::json(SMALL.len));
            for url in &urls[1..] {
                let entry = Entry { url: url.parse()?, ..Entry::clone(&model) };
                store.put(&key_of(url, &rules)?, &entry, &body, now)?;
            }
        }
        let raw = Raw::open(file)?;
        let slots = raw.slots()?;
        if slots.len() != count {
            return Err(format!("{} entries instead of {count}", slots.len()).into());
        }
        Ok(Self { session: session()?, raw, slots, urls })
    }

    /// Hits in no order.
    fn hits(&self, effort: Effort) -> Fallible<Timed> {
        let mut rng = Rng::with_seed(1);
        timed(effort.span, |_| peers::hit(&self.session, &self.urls[rng.usize(..self.urls.len())], SMALL))
    }

    fn reads(&self, effort: Effort) -> Fallible<Timed> {
        let mut rng = Rng::with_seed(2);
        let mut read = self.raw.reader()?;
        timed(effort.span, |_| read(self.slots[rng.usize(..self.slots.len())]).map(|_| ()))
    }
}

fn key_of(url: &str, rules: &Rules) -> Fallible<Key> {
    let (method, url, headers) = (Method::GET, url.parse()?, HeaderMap::new());
    let asked = Asked { method: &method, url: &url, headers: &headers, freshness: Freshness::Normal, lifetime: None };
    Ok(Key::of(&asked, &[], &Identity::Anonymous, rules))
}
