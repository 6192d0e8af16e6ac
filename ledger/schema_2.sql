-- What a row is booked for besides its key, and the price list it was priced by.
ALTER TABLE attempts ADD COLUMN team   TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN run    TEXT NOT NULL DEFAULT '';
ALTER TABLE attempts ADD COLUMN tariff TEXT NOT NULL DEFAULT '';

-- Every price list that was ever used, under the hash of its content.
CREATE TABLE tariffs (
  id     TEXT    NOT NULL PRIMARY KEY,
  prices TEXT    NOT NULL, -- gateway.Tariff as JSON
  since  INTEGER NOT NULL  -- unix seconds when it was first used
) WITHOUT ROWID;

-- Sums of rows, changed in the same transaction as the rows. The same rows are summed by
-- hour, day and month, so that a report over a year reads months and not hours; and for
-- all keys together, by key, by run and by tag, so that each report reads few cells.
CREATE TABLE cells (
  scope     INTEGER NOT NULL, -- 0 all, 1 a key (who is its team), 2 a run, 3 a tag ("name=value")
  grain     INTEGER NOT NULL, -- 0 hour, 1 day, 2 month, of UTC
  at        INTEGER NOT NULL, -- first unix hour of the hour, day or month
  key       TEXT    NOT NULL, -- '' in scope 0
  who       TEXT    NOT NULL,
  provider  TEXT    NOT NULL,
  model     TEXT    NOT NULL,
  attempts  INTEGER NOT NULL,
  requests  INTEGER NOT NULL,
  prompt    INTEGER NOT NULL,
  cached    INTEGER NOT NULL,
  output    INTEGER NOT NULL,
  cost      INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  unpriced  INTEGER NOT NULL,
  PRIMARY KEY (scope, grain, at, key, who, provider, model)
) WITHOUT ROWID;
CREATE INDEX cells_key ON cells (key, scope, grain, at);
CREATE INDEX cells_who ON cells (who, scope, grain, at);

WITH hours AS (
  SELECT 0 AS scope, hour, '' AS k, '' AS who, provider, model, attempts, requests, prompt, cached, output, cost, estimated, unpriced FROM rollups
  UNION ALL
  SELECT 1, hour, key, '', provider, model, attempts, requests, prompt, cached, output, cost, estimated, unpriced FROM rollups
  UNION ALL
  SELECT 3, a.begun/3600000000000, a.key, t.key || '=' || t.value, a.provider, a.model, 1, a.winner, a.fresh+a.cached+a.write5m+a.write1h, a.cached,
    a.output, a.cost, CASE a.source WHEN 'estimated' THEN a.cost ELSE 0 END, 1-a.priced FROM attempts a, json_each(a.tags) t
), grains AS (
  SELECT *, 0 AS grain, hour AS at FROM hours
  UNION ALL SELECT *, 1, hour/24*24 FROM hours
  UNION ALL SELECT *, 2, CAST(strftime('%s', hour*3600, 'unixepoch', 'start of month') AS INTEGER)/3600 FROM hours
)
INSERT INTO cells SELECT scope, grain, at, k, who, provider, model, SUM(attempts), SUM(requests), SUM(prompt), SUM(cached), SUM(output), SUM(cost),
  SUM(estimated), SUM(unpriced) FROM grains GROUP BY 1,2,3,4,5,6,7;

DROP TABLE rollups;
