package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gateway"
)

// busyRow is a row as a busy gateway writes them: many with the same words in them.
func busyRow(n int) gateway.Entry {
	begun := when.Add(time.Duration(n) * 457 * time.Microsecond)
	return gateway.Entry{
		Request: fmt.Sprintf("01a20ee7-%04x-7392-aa0d-%012x", n>>16&0xffff, n), Attempt: 1, Key: "bench", Op: "chat", Role: gateway.Primary,
		Provider: "first", Model: "bench-model", Asked: "auto", Outcome: "ok", Finish: "stop", Source: gateway.UsageReported,
		PriceDate: "2026-01-01", Tariff: "first/bench-model", Begun: begun, FirstContent: time.Duration(5+n%3) * time.Millisecond,
		Took: time.Duration(6+n%5) * time.Millisecond, Status: 0, Winner: true, Priced: true, Cost: gateway.Microcents(2300 + n%100),
		Usage: gateway.Usage{Fresh: 80 + n%7, Output: 40, Reported: true},
	}
}

// BenchmarkApply is the store's cost per row, in groups as they come 200 ms apart at 2,000
// requests a second.
func BenchmarkApply(b *testing.B) {
	const group = 400
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for n := 0; n < b.N; n += group {
		batch := Batch{Bookings: make([]Booking, group)}
		for i := range batch.Bookings {
			batch.Bookings[i].Entry = busyRow(n + i)
		}
		if _, err := s.Apply(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBook is what an attempt costs the journal: its outset and its row.
func BenchmarkBook(b *testing.B) {
	c, err := Start(&shelf{rows: map[holdID]Booking{}}, b.TempDir(), false)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Stop()
	b.ReportAllocs()
	done := make(chan error, 1)
	for n := range b.N {
		e := busyRow(n)
		if err := c.Begin(b.Context(), &gateway.Outset{Entry: e}); err != nil {
			b.Fatal(err)
		}
		c.Submit(e, gateway.Hold{}, 0, func(err error) { done <- err })
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}
