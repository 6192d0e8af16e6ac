-- Keys live in a file of their own: they change seldom and by hand, also from another
-- process, and never wait for the books' commits nor make them wait.
CREATE TABLE keys (
  id       TEXT    NOT NULL PRIMARY KEY,
  alias    TEXT    NOT NULL, -- '' for none
  team     INTEGER NOT NULL, -- 1: a parent of keys, without a secret
  parent   TEXT    NOT NULL, -- id of a team; '' for none
  shown    TEXT    NOT NULL, -- first characters of the newest secret
  created  INTEGER NOT NULL, -- unix seconds, as all times here
  expires  INTEGER NOT NULL, -- 0: never
  revoked  INTEGER NOT NULL, -- 0: in force
  settings TEXT    NOT NULL  -- limits, budget, tags and model map as JSON
) WITHOUT ROWID;

-- A name is free again when the key that had it is revoked.
CREATE UNIQUE INDEX keys_alias ON keys (alias) WHERE alias <> '' AND revoked = 0;

CREATE TABLE secrets (
  hash    BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of the secret, which is kept nowhere
  key     TEXT    NOT NULL REFERENCES keys (id),
  created INTEGER NOT NULL,
  until   INTEGER NOT NULL -- 0: as long as the key; else it was replaced
) WITHOUT ROWID;

CREATE INDEX secrets_key ON secrets (key);
