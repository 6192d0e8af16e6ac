-- Budgets that reached a part of their limit: each once, until its receiver has it.
CREATE TABLE alerts (
  id      TEXT    NOT NULL PRIMARY KEY, -- account, period, limit and part
  account TEXT    NOT NULL,
  percent INTEGER NOT NULL,
  spent   INTEGER NOT NULL,
  budget  TEXT    NOT NULL, -- JSON
  begun   INTEGER NOT NULL, -- unix seconds of the period; 0: the whole life
  until   INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  sent    INTEGER NOT NULL -- 0: its receiver does not have it yet; below: when it was given up
) WITHOUT ROWID;
