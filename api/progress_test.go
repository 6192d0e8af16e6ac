package api

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"gateway"
)

// Arguments in pieces are whole exactly where a parser says so, and it is asked once.
func TestProgressOfArguments(t *testing.T) {
	for _, text := range []string{`{}`, ` {"a":[1,{"b":"}]\"\\"}]} `, `[1,[2]]`, `{"a":}`, `{"a":1}}`, `{"a":1} x`, `"s"`, `12`, ``, `}{`, `{"é":"\u0022"}`, `{"a":"` + "\n" + `"}`} {
		for size := 1; size <= 3; size++ {
			var p progress
			asked := 0
			for from := 0; from < len(text); from += size {
				p.add(text[from:min(from+size, len(text))])
				so := text[:min(from+size, len(text))]
				want := gjson.Valid(so) && strings.ContainsAny(strings.TrimSpace(so)[:1], "{[")
				got := p.whole(func() bool { asked++; return gjson.Valid(so) })
				if got != want {
					t.Errorf("%q is whole: %v, want %v", so, got, want)
				}
				if got {
					break // as its block closes
				}
			}
			if asked > 1 {
				t.Errorf("%q: parsed %d times", text, asked)
			}
		}
	}
}

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
