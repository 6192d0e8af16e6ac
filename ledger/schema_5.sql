-- The cells of an hour, day or month that is over, packed: a report reads those of a
-- thousand keys and models as one value. What is packed says the same as the cells. Parts
-- of one place are added up; those below zero are of rows that came late.
CREATE TABLE packs (
  scope INTEGER NOT NULL, -- as in cells, as are grain and at
  grain INTEGER NOT NULL,
  at    INTEGER NOT NULL,
  part  INTEGER NOT NULL,
  cells BLOB    NOT NULL,
  PRIMARY KEY (scope, grain, at, part)
);
-- The hours before it are packed. Days and months are packed when they have their sums.
ALTER TABLE summed ADD COLUMN hour INTEGER NOT NULL DEFAULT 0;
