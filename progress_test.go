package gateway

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// Arguments in pieces are whole exactly where a parser says so, and it is asked once.
func TestProgressOfArguments(t *testing.T) {
	for _, text := range []string{`{}`, ` {"a":[1,{"b":"}]\"\\"}]} `, `[1,[2]]`, `{"a":}`, `{"a":1}}`, `{"a":1} x`, `"s"`, `12`, ``, `}{`, `{"é":"\u0022"}`, `{"a":"` + "\n" + `"}`} {
		for size := 1; size <= 3; size++ {
			var p Progress
			asked := 0
			for from := 0; from < len(text); from += size {
				p.Add(text[from:min(from+size, len(text))])
				so := text[:min(from+size, len(text))]
				want := gjson.Valid(so) && strings.ContainsAny(strings.TrimSpace(so)[:1], "{[")
				got := p.Whole(func() bool { asked++; return gjson.Valid(so) })
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
