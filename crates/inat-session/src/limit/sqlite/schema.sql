-- One row: the ledger's own time (see time.rs), in microseconds.
CREATE TABLE time (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    ledger  TEXT    NOT NULL,           -- a name no other file has
    offset  INTEGER NOT NULL,           -- to be added to the wall clock
    seen    INTEGER NOT NULL,           -- the latest time seen, to about a second
    start   TEXT,                       -- the start of the machine, by name
    started INTEGER,                    -- and when it was
    lost_at INTEGER                     -- when the file before this one was lost
) STRICT;

CREATE TABLE bucket (
    name          TEXT    PRIMARY KEY,
    id            INTEGER NOT NULL,
    stopped_until INTEGER NOT NULL,
    stop          INTEGER NOT NULL,     -- 0 none, 1 told, 2 throttled, 3 block page
    status        INTEGER NOT NULL,
    pace          REAL    NOT NULL,
    credit        INTEGER NOT NULL,
    credited_at   INTEGER NOT NULL,
    keep          INTEGER NOT NULL      -- how long slots are kept
) STRICT, WITHOUT ROWID;

-- One row per departure. The key is bucket * 2^40 + its number in the bucket, so that the newest and the one so many before it
-- are each one step down an ordinary rowid tree.
CREATE TABLE slot (
    key INTEGER PRIMARY KEY,
    at  INTEGER NOT NULL
) STRICT;

CREATE TABLE minute (
    bucket INTEGER NOT NULL,
    number INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    PRIMARY KEY (bucket, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE version (
    endpoint TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (endpoint, version)
) STRICT, WITHOUT ROWID;

-- Files that were deleted while in use, and whose slots are in this one now.
CREATE TABLE carried (
    ledger TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
