package api

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

var strictSeeds = []string{
	`{}`, ` { } `, `{"a":1}`, `{"a":1,"a":2}`, `{"a":1,"A":2}`, `{"a":{"b":1,"b":2}}`, `{"a":{"b":1},"b":{"b":1}}`,
	`{"a":"\u0061","\u0061":1}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"a":"\u12g4"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\x01\"}",
	`{"a":[1,2,[3,{"x":null}]],"b":true,"c":false}`, `{"a":01}`, `{"a":-}`, `{"a":-0.5e+10}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`,
	`{"a":1,}`, `{"a":[1,]}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1}x`, `{"a":1} {}`, `[]`, `"x"`, ``, `{`, `{"`, `{"a":"`, `{"a":"\`, `{"a":tru}`,
	`{"long":"` + strings.Repeat("x", 100) + `é` + strings.Repeat("y", 7) + `"}`,
	`{"k":"` + strings.Repeat("12345678", 4) + "\x7f" + `"}`, "{\"k\":\"1234567\xc3\"}", `{"k":"12345678\"12345678"}`,
	`{"a":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`,
	`{"K":1,"` + "\u212a" + `":2}`,
}

// What the quick reader takes, the careful one takes, and both see the same fields.
func checkQuick(t *testing.T, raw string) {
	fields, ok := quickly(nil, []byte(raw))
	if !ok {
		return
	}
	if !jsontext.Value(raw).IsValid() {
		t.Fatalf("taken, and not valid: %q", raw)
	}
	o, err := carefully([]byte(raw))
	if err != nil {
		t.Fatalf("taken, and refused by the careful reader: %q: %v", raw, err)
	}
	if len(fields) != len(o.fields) {
		t.Fatalf("%q: %d fields, want %d", raw, len(fields), len(o.fields))
	}
	for i := range fields {
		got, want := fields[i], o.fields[i]
		if got.name != want.name || got.value.Type != want.value.Type || got.value.Raw != want.value.Raw || got.value.Str != want.value.Str {
			t.Fatalf("%q: field %d is %+v, want %+v", raw, i, got, want)
		}
	}
}

func TestQuickReaderAgreesWithTheCarefulOne(t *testing.T) {
	for _, raw := range strictSeeds {
		checkQuick(t, raw)
	}
	usual := `{"model":"m","messages":[{"role":"user","content":"line\nand \"quotes\" and ünï"}],"stream":true,"temperature":0.7,"tools":[]}`
	if _, ok := quickly(nil, []byte(usual)); !ok {
		t.Error("a usual body is left to the careful reader")
	}
	for _, raw := range []string{`{"a":{"b":1,"b":2}}`, `{"a":1,"A":2}`, `{"a":"\ud83d"}`, `{"a":01}`, `{"a":1}x`, "{\"a\":\"\x01\"}", "{\"a\":\"1234567\xc3\"}"} {
		if _, err := parse([]byte(raw)); err == nil {
			t.Errorf("taken: %q", raw)
		}
	}
}

func FuzzQuickReader(f *testing.F) {
	for _, raw := range strictSeeds {
		f.Add(raw)
	}
	f.Fuzz(checkQuick)
}

func BenchmarkParse(b *testing.B) {
	for name, size := range map[string]int{"300B": 300, "100KB": 100_000} {
		raw := []byte(`{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("The quick brown fox. ", size/21) + `"}],"stream":true}`)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if _, err := parse(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
