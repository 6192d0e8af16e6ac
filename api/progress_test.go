package api

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/tidwall/gjson"

	"gateway"
)

// What an answer costs grows with its length, not with the square of it.
func TestJoinedEventsCostWhatTheirLengthDoes(t *testing.T) {
	cost := func(events int) uint64 {
		chunks := make([]gateway.Chunk, events)
		for i := range chunks {
			chunks[i].Raw = fmt.Appendf(nil, `{"candidates":[{"content":{"role":"model","parts":[{"text":"piece %06d of the text "}]},"index":0}]}`, i)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := joinGemini(nil, chunks)
		runtime.ReadMemStats(&after)
		if want := events * len("piece 000000 of the text "); len(got) < want || !gjson.ValidBytes(got) {
			t.Fatalf("%d bytes of %d events, want more than %d", len(got), events, want)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	cost(10)
	few, many := cost(500), cost(8000)
	if ratio := float64(many) / float64(few); ratio > 16*2 { // the square would be 256
		t.Errorf("16 times the events take %.0f times the memory: %d bytes, then %d", ratio, few, many)
	}
}
