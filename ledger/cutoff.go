package ledger

import (
	"time"

	"gateway"
)

// cutOff is the row of an attempt that a killed process had sent: the prompt in full,
// and of the expected answer what can have been made by then, or all of it where the
// provider goes on without us. Its budget is charged the whole hold: more cannot be
// proved, and less could exceed the limit.
func cutOff(o *gateway.Outset, t Typical, at time.Time) Booking {
	e := o.Entry
	e.Outcome, e.Source, e.Usage.Reported = gateway.Canceled.String(), gateway.UsageEstimated, false
	e.Took = max(0, at.Sub(e.Begun))
	switch {
	case o.Bills != gateway.BillsInFull:
		all, first, writes := e.Usage.Output, o.First, o.Takes-o.First
		if t.Answers >= typicalNeeds && e.Op == "chat" {
			all, first, writes = t.Output, t.First, t.Writes
		}
		e.Usage.Output = made(all, e.Took-first, writes)
	case len(t.Whole) >= typicalNeeds && e.Op == "chat":
		e.Usage.Output = whole(t.Whole, e.Took)
	}
	if o.Most > 0 {
		e.Usage.Output = min(e.Usage.Output, o.Most)
	}
	if e.Priced {
		e.Cost = gateway.RoundUp(int64(e.Usage.Prompt())*int64(o.Input) + int64(e.Usage.Output)*int64(o.Output))
	}
	return Booking{Entry: e, Charges: chargesOf(o.Hold, e.Cost, max(0, o.Hold.Amount-e.Cost))}
}

// made is how many tokens there are after a time, of an answer that is written evenly
// and has all of them after another. One that takes longer is longer: those that are out
// at any moment are the long ones. But silence may also be a stall.
func made(all int, after, of time.Duration) int {
	const longest = 3
	if of <= 0 {
		return all
	}
	return int(min(longest, max(0, float64(after)/float64(of))) * float64(all))
}

// whole is how many tokens an answer will have that is not whole after a time: as many as
// those had, in the mean, that were not whole by then either. Those that are out at any
// moment are the long ones, so the mean of all would be too little. If only a few took so
// long, the ones that took the longest tell.
func whole(known []Length, after time.Duration) int {
	longer := 0
	for longer < len(known) && known[longer].Took > after {
		longer++
	}
	known = known[:min(len(known), max(longer, typicalNeeds))]
	sum := 0
	for _, l := range known {
		sum += l.Output
	}
	return (sum + len(known)/2) / max(1, len(known))
}
