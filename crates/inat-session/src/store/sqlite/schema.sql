-- What a cache file holds. Metadata and bodies are apart, so that a 304 rewrites a few hundred bytes and never a body, and so
-- that looking for victims reads no bodies. Only the smallest stand beside their metadata, on the same page. Other bodies stand
-- in an ordinary rowid table: in an index b-tree SQLite copies whole records to compare keys.
CREATE TABLE entry (
    -- The first 60 bits of the key, then 4 bits to tell variants apart: all variants of a key are one short range. Keys begin
    -- with what stands for the resource (see key.rs), so that all entries of a resource are a range, too.
    slot     INTEGER PRIMARY KEY,
    -- This version of this variant; also the row of its body. Never given twice.
    id       INTEGER NOT NULL,
    -- Counts the times the metadata was replaced (after a 304) while the body stayed.
    revision INTEGER NOT NULL,
    -- In the first row of a key: whether there may be others. A row is most of a page, and most keys have one: who reads it need
    -- not look at the next row to see where the range ends.
    more     INTEGER NOT NULL,
    -- Minutes since the epoch.
    used     INTEGER NOT NULL,
    -- Bytes of metadata and body as stored.
    stored   INTEGER NOT NULL,
    -- Microseconds since the epoch from which on it can be of no use.
    dead     INTEGER NOT NULL,
    -- Whether the key begins with something else, because the caller named it.
    elsewhere INTEGER NOT NULL,
    -- The URL without query and fragment.
    resource TEXT NOT NULL,
    -- The whole key and everything a hit needs to know, under one checksum: see record.rs.
    meta     BLOB NOT NULL,
    -- A body that is small once packed, as in `body`; NULL where it stands there.
    data     BLOB
);
-- Covers eviction, pruning and statistics, which then read no metadata.
CREATE INDEX entry_by_use ON entry (used, id, stored, dead);
-- For the others the order of the table is enough: a page less to write for each.
CREATE INDEX entry_by_resource ON entry (resource) WHERE elsewhere = 1;

-- Writes of the last minutes: see written.rs.
CREATE TABLE written (
    -- Microseconds since the epoch.
    at        INTEGER NOT NULL,
    -- Hashes of the resources it concerns.
    resources BLOB NOT NULL
);
CREATE INDEX written_at ON written (at);

CREATE TABLE body (
    id   INTEGER PRIMARY KEY,
    -- A checksum, how it is packed, then the bytes: see frame.rs.
    data BLOB NOT NULL
);
