CREATE TABLE attempts (
  request   TEXT    NOT NULL,
  attempt   INTEGER NOT NULL,
  key       TEXT    NOT NULL,
  tags      TEXT    NOT NULL,
  op        TEXT    NOT NULL,
  role      TEXT    NOT NULL,
  provider  TEXT    NOT NULL,
  model     TEXT    NOT NULL,
  asked     TEXT    NOT NULL,
  begun     INTEGER NOT NULL, -- unix nanoseconds, UTC
  first     INTEGER NOT NULL, -- nanoseconds after begun; 0: no content
  took      INTEGER NOT NULL,
  outcome   TEXT    NOT NULL,
  status    INTEGER NOT NULL,
  finish    TEXT    NOT NULL,
  winner    INTEGER NOT NULL,
  stream    INTEGER NOT NULL,
  fresh     INTEGER NOT NULL,
  cached    INTEGER NOT NULL,
  write5m   INTEGER NOT NULL,
  write1h   INTEGER NOT NULL,
  output    INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  source    TEXT    NOT NULL, -- reported, estimated, none
  cost      INTEGER NOT NULL, -- microcents
  billed    INTEGER NOT NULL, -- 1: the provider named the cost itself
  priced    INTEGER NOT NULL,
  pricedate TEXT    NOT NULL,
  PRIMARY KEY (request, attempt)
) WITHOUT ROWID;

CREATE INDEX attempts_begun ON attempts (begun);

-- Rollups change in the same transaction as the rows they sum up.
CREATE TABLE rollups (
  hour      INTEGER NOT NULL, -- unix hours, UTC
  provider  TEXT    NOT NULL,
  model     TEXT    NOT NULL,
  key       TEXT    NOT NULL,
  attempts  INTEGER NOT NULL,
  requests  INTEGER NOT NULL,
  prompt    INTEGER NOT NULL,
  cached    INTEGER NOT NULL,
  output    INTEGER NOT NULL,
  cost      INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  unpriced  INTEGER NOT NULL,
  PRIMARY KEY (hour, provider, model, key)
) WITHOUT ROWID;
