package api

import (
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"
)

// FuzzWalk holds the walks against another reader of the same valid JSON.
func FuzzWalk(f *testing.F) {
	for _, raw := range append(strictSeeds, `[1, "a\\", {"x":[1]} ,null]`, `["\\\"",""]`, `{"a\"b" : -1.5e3 , "c":{"d":"}"}}`, `[[],{},[[1],2]]`, `[ ]`) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if !jsontext.Value(raw).IsValid() {
			return
		}
		v := gjson.Parse(raw)
		var got, want []string
		switch {
		case v.IsArray():
			eachElement(v.Raw, func(e string) bool { got = append(got, e); return true })
			v.ForEach(func(_, e gjson.Result) bool { want = append(want, e.Raw); return true })
		case v.IsObject():
			eachMember(v.Raw, func(name, e string) bool { got = append(got, `"`+name+`"`, e); return true })
			v.ForEach(func(k, e gjson.Result) bool { want = append(want, k.Raw, e.Raw); return true })
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	})
}
