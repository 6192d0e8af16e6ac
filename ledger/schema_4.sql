-- Hours are summed with each row. Days are summed when they are over and months when
-- they are, from the hours and the days: a row then changes one sum and not three.
CREATE TABLE summed (
  day   INTEGER NOT NULL, -- unix hours; the days before it have their sums, and rows that come late are added to those
  month INTEGER NOT NULL  -- as day
);
INSERT INTO summed SELECT
  COALESCE((SELECT MAX(at) + 24 FROM cells WHERE grain = 1), 0),
  COALESCE((SELECT CAST(strftime('%s', MAX(at)*3600, 'unixepoch', '+1 month') AS INTEGER)/3600 FROM cells WHERE grain = 2), 0);
