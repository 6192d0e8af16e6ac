// Package ledger keeps the books: one row per attempt in an SQLite file, rollups that
// are always the fold of the rows, and the reading of both.
//
// It prices nothing by itself beyond the tariff that a row is given, and never sees a
// prompt, an answer or a key: a row holds counts, names and ids only.
package ledger
