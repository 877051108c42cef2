//! The hit path: one statement for the variants of a key and, in the usual case of a single one, its body.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::SqliteStore;
use super::database::Database;
use super::fault::Fault;
use super::glance::Glimpse;
use super::readers::Reader;
use crate::Timestamp;
use crate::cache::Key;
use crate::store::tiered::{Loaded, Version};
use crate::store::{StoreError, Stored, frame, record, variant};

const HIT: &str = "SELECT id, revision, used, meta, data, slot, stored, more FROM entry WHERE slot BETWEEN ?1 AND ?2";
const BODY: &str = "SELECT data FROM body WHERE id = ?1";
const VERSIONS: &str = "SELECT id, revision, slot, more FROM entry WHERE slot BETWEEN ?1 AND ?2";
/// Larger bodies are read when they are asked for.
const COMES_ALONG: i64 = 4 << 20;

/// The rows that hold the variants of a key. Two keys that agree in 60 bits share them; the whole key decides.
pub(super) fn slots(key: &Key) -> (i64, i64) {
    let first = key.short() & !0xF;
    (first, first | 0xF)
}

impl SqliteStore {
    /// The variants, the most recent first, each with its version.
    pub(super) fn load_from_file(&self, key: &Key, now: Timestamp) -> Result<Vec<Loaded>, StoreError> {
        let mut much_used = false;
        let found = self.with(
            |database| database.read(self, |reader| self.read_variants(reader, key, now, &mut much_used)),
            |memory| memory_variants(memory, key, now),
        )?;
        if much_used {
            self.write_uses();
        }
        Ok(found)
    }

    fn read_variants(
        &self,
        reader: &mut Reader,
        key: &Key,
        now: Timestamp,
        much_used: &mut bool,
    ) -> Result<Vec<Loaded>, Fault> {
        let (first, last) = slots(key);
        let mut statement = reader.conn.prepare_cached(HIT)?;
        let mut rows = statement.query([first, last])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, revision, used) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let Some(record) = blob(row.get_ref(3)?).and_then(|meta| record::decode(meta, id)) else {
                self.warn_damaged(id);
                continue;
            };
            if record.key != *key {
                continue;
            }
            let body = match along(&reader.conn, row, first, id, record.body_len)? {
                Along::Whole(body) => Some(body),
                Along::Later => None,
                Along::Damaged => {
                    self.warn_damaged(id);
                    continue;
                }
            };
            let stored = Stored { entry: Arc::new(record.entry), id, body_len: record.body_len, body };
            if self.owed.hides(key, &stored) {
                continue;
            }
            *much_used |= !self.config.read_only && self.uses.mark(first, id, used, now);
            found.push(Loaded { stored, version: Version { id, revision }, used });
            if row.get::<_, i64>(5)? == first && is_alone(row.get_ref(7)?) {
                break;
            }
        }
        if found.len() > 1 {
            found.sort_by_key(|loaded| variant::recency(&loaded.stored));
        }
        Ok(found)
    }

    /// The body, when it is still there and whole.
    pub(super) fn body_from_file(&self, stored: &Stored) -> Result<Option<Bytes>, StoreError> {
        let read = |reader: &mut Reader| -> Result<Option<Bytes>, Fault> {
            let mut statement = reader.conn.prepare_cached(BODY)?;
            let mut rows = statement.query([stored.id])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let body = whole(row.get_ref(0)?, stored.id, stored.body_len);
            if body.is_none() {
                self.warn_damaged(stored.id);
            }
            Ok(body)
        };
        self.with(|database| database.read(self, read), |_| Ok(None))
    }

    /// Which versions of a key's variants there are; much cheaper than reading them.
    pub(super) fn versions_in_file(&self, key: &Key) -> Result<Vec<Version>, StoreError> {
        let (first, last) = slots(key);
        let read = |reader: &mut Reader| -> Result<Vec<Version>, Fault> {
            let mut statement = reader.conn.prepare_cached(VERSIONS)?;
            let mut rows = statement.query([first, last])?;
            let mut versions = Vec::new();
            while let Some(row) = rows.next()? {
                versions.push(Version { id: row.get(0)?, revision: row.get(1)? });
                if row.get::<_, i64>(2)? == first && is_alone(row.get_ref(3)?) {
                    break;
                }
            }
            Ok(versions)
        };
        self.with(|database| database.read(self, read), |_| Ok(Vec::new()))
    }

    /// A number that changes when anybody may have changed the file, this process included: what was true under it is true
    /// while it stays.
    ///
    /// `None` while something is owed: what memory holds may be meant.
    pub(super) fn pulse_of_file(&self) -> Result<Option<u64>, StoreError> {
        if !self.owed.is_empty() {
            return Ok(None);
        }
        let pulse = |database: &Database| {
            let has_glanced_enough = Database::has_glanced_enough();
            match database.glance.look() {
                Glimpse::Same if !has_glanced_enough => return Ok(Some(self.epoch.load(Ordering::Acquire))),
                Glimpse::Changed(header) if !has_glanced_enough => {
                    // Before others can find it the same: under the old number they would take for true what was.
                    let pulse = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
                    database.glance.learn(header);
                    return Ok(Some(pulse));
                }
                Glimpse::Same | Glimpse::Changed(_) | Glimpse::Nothing => {}
            }
            let pulse = database.read(self, |reader| {
                if has_glanced_enough {
                    if database.has_moved(reader) {
                        return Err(Fault::Moved);
                    }
                    // What is held is only as good as what was glanced at.
                    reader.end()?;
                }
                let pulse = self.ask_for_pulse(reader)?;
                database.glance.open(&reader.conn, &self.path);
                Ok(pulse)
            })?;
            Ok(Some(pulse))
        };
        self.with(pulse, |_| Ok(None))
    }

    fn ask_for_pulse(&self, reader: &mut Reader) -> Result<u64, Fault> {
        let mut statement = reader.conn.prepare_cached("PRAGMA data_version")?;
        let version = statement.query_row([], |row| row.get::<_, i64>(0))?;
        if version != reader.version {
            reader.version = version;
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        Ok(self.epoch.load(Ordering::Acquire))
    }

    /// Notes that a variant was used without being read from the file.
    pub(super) fn touch_in_file(&self, key: &Key, id: i64, now: Timestamp) {
        if !self.config.read_only && self.uses.mark(slots(key).0, id, i64::MIN, now) {
            self.write_uses();
        }
    }

    fn warn_damaged(&self, id: i64) {
        tracing::debug!(path = %self.path.display(), id, "a damaged entry is left out");
        self.warn_once(
            "an entry of the cache file is damaged; it is left out and will be replaced",
            "its checksum is wrong",
        );
    }
}

fn memory_variants(memory: &super::MemoryStore, key: &Key, now: Timestamp) -> Result<Vec<Loaded>, StoreError> {
    let stored = crate::store::Store::variants(memory, key, now)?;
    let loaded = |stored: Stored| Loaded { version: Version { id: stored.id, revision: 0 }, used: 0, stored };
    Ok(stored.into_iter().map(loaded).collect())
}

/// What `more` says in the first row of a key.
fn is_alone(more: ValueRef<'_>) -> bool {
    more == ValueRef::Integer(0)
}

/// A body, as far as it comes along with its metadata.
enum Along {
    Whole(Bytes),
    /// It is read when it is asked for.
    Later,
    Damaged,
}

/// The body that comes along with a row of [`HIT`]: one that stands beside it, or that of the first variant, for one variant is
/// the rule. That is read now, while the other statement holds the lock, which would else be given back and taken again.
fn along(conn: &Connection, row: &Row<'_>, first: i64, id: i64, len: u64) -> Result<Along, Fault> {
    let read = |packed| whole(packed, id, len).map_or(Along::Damaged, Along::Whole);
    let beside = row.get_ref(4)?;
    if beside != ValueRef::Null {
        return Ok(read(beside));
    }
    if row.get::<_, i64>(5)? != first || row.get::<_, i64>(6)? > COMES_ALONG {
        return Ok(Along::Later);
    }
    let mut statement = conn.prepare_cached(BODY)?;
    let mut rows = statement.query([id])?;
    Ok(match rows.next()? {
        Some(row) => read(row.get_ref(0)?),
        None => Along::Later,
    })
}

/// A body that stands in a column; `None` when it is damaged.
pub(super) fn whole(packed: ValueRef<'_>, id: i64, len: u64) -> Option<Bytes> {
    blob(packed).and_then(|packed| frame::unpack(packed, id)).filter(|body| body.len() as u64 == len)
}

/// The bytes of a column, without a copy; `None` for a value of another type.
pub(super) fn blob(value: ValueRef<'_>) -> Option<&[u8]> {
    match value {
        ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    }
}
