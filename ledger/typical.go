package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Typical is what the latest whole answers of a model were like for clients of one kind:
// those that stream, or those that do not.
type Typical struct {
	Answers int // that came bit by bit; what follows is their mean
	Output  int // tokens
	First   time.Duration
	Writes  time.Duration // from the first content to the end

	Whole []Length // of each, however it came; those that took the longest come first
}

// Length is how long one answer was.
type Length struct {
	Took   time.Duration
	Output int // tokens
}

// origin is what answers are like each other by.
type origin struct {
	provider, model string
	stream          bool
}

// typicalNeeds is how many answers say more than what a process that had just begun
// expected; typicalMost, how many are looked at.
const (
	typicalNeeds = 5
	typicalMost  = 500
)

// add takes one more answer into the sums of those before it.
func (t *Typical) add(output int, first, took time.Duration) {
	t.Whole = append(t.Whole, Length{took, output})
	if (took-first)*5 <= took { // it came as one body, or nearly
		return
	}
	t.Answers++
	t.Output += output
	t.First += first
	t.Writes += took - first
}

// mean ends the adding.
func (t *Typical) mean() {
	n := max(1, t.Answers)
	t.Output, t.First, t.Writes = t.Output/n, t.First/time.Duration(n), t.Writes/time.Duration(n)
	slices.SortFunc(t.Whole, func(a, b Length) int { return cmp.Compare(b.Took, a.Took) })
}

// Typical is what the latest whole answers of a model were like, to clients that stream or
// to those that do not.
func (s *Store) Typical(ctx context.Context, provider, model string, stream bool) (t Typical, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT output, first, took FROM attempts
 WHERE provider = ? AND model = ? AND stream = ? AND source = 'reported' AND outcome = 'ok' AND first > 0
 ORDER BY begun DESC LIMIT ?`, provider, model, stream, typicalMost)
	if err != nil {
		return t, fmt.Errorf("reading the ledger: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var output int
		var first, took time.Duration
		if err := rows.Scan(&output, &first, &took); err != nil {
			return t, fmt.Errorf("reading the ledger: %w", err)
		}
		t.add(output, first, took)
	}
	if err := rows.Err(); err != nil {
		return t, fmt.Errorf("reading the ledger: %w", err)
	}
	t.mean()
	return t, nil
}
