-- Until here only what was spent while there was a budget was put on the accounts of keys
-- and teams, so that a budget made later began with nothing. Now all of their rows are on
-- them, and so the sum of an account is that of its rows. What is unsure stays as it is.
UPDATE charges SET cost = 0 WHERE account IN (SELECT key FROM attempts UNION SELECT team FROM attempts);
WITH spent AS (
  SELECT key AS account, begun/900000000000 AS quarter, cost FROM attempts WHERE key <> '' AND cost <> 0
  UNION ALL SELECT team, begun/900000000000, cost FROM attempts WHERE team <> '' AND cost <> 0
)
INSERT INTO charges SELECT account, quarter, SUM(cost), 0 FROM spent WHERE true GROUP BY 1, 2
ON CONFLICT DO UPDATE SET cost = excluded.cost;
