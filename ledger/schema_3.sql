-- What was booked to each budget, by quarters of an hour since 1970. unsure is how much
-- more than cost it may have been where a bill is not known exactly.
CREATE TABLE charges (
  account TEXT    NOT NULL,
  quarter INTEGER NOT NULL,
  cost    INTEGER NOT NULL,
  unsure  INTEGER NOT NULL,
  PRIMARY KEY (account, quarter)
) WITHOUT ROWID;

-- Runs of agents: caps as they were first set, and what is left of them.
CREATE TABLE runs (
  key      TEXT    NOT NULL,
  run      TEXT    NOT NULL,
  maxcost  INTEGER NOT NULL, -- microcents; 0: not limited, as all caps
  maxcalls INTEGER NOT NULL,
  maxtime  INTEGER NOT NULL, -- nanoseconds
  begun    INTEGER NOT NULL, -- unix nanoseconds, UTC, as all times
  calls    INTEGER NOT NULL,
  stopped  INTEGER NOT NULL, -- 0: it was not
  PRIMARY KEY (key, run)
) WITHOUT ROWID;

-- Idempotency keys by their hashes, and the requests that they stand for.
CREATE TABLE repeats (
  key     TEXT    NOT NULL,
  name    BLOB    NOT NULL,
  body    BLOB    NOT NULL,
  request TEXT    NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (key, name)
) WITHOUT ROWID;

CREATE INDEX repeats_at ON repeats (at);
