package api

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"gateway"
)

func TestKeyWishesAreReadStrictly(t *testing.T) {
	for body, want := range map[string]string{
		`{"alais":"x"}`:                                   "alais: \"alais\" is not a field here; did you mean \"alias\"?",
		`{"budget":{"limit":1}}`:                          "budget.limit: \"budget.limit\" is not a field here",
		`{"budget":{"limit_us":"1"}}`:                     "budget.limit_us: \"budget.limit_us\" is not a field here; did you mean \"limit_usd\"?",
		`{"id":"key_x"}`:                                  "id: \"id\" is not a field here",
		`{"rpm":"60"}`:                                    "rpm: \"rpm\" must be a whole number.",
		`{"rpm":1.5}`:                                     "rpm: \"rpm\"",
		`{"models":"a"}`:                                  "models: \"models\" must be an array.",
		`{"tags":{"a":1}}`:                                "tags.a: \"tags.a\" must be a string.",
		`{"budget":{"limit_usd":"ten"}}`:                  "budget.limit_usd: \"budget.limit_usd\": want dollars",
		`{"budget":{"limit_usd":1e3}}`:                    "budget.limit_usd: \"budget.limit_usd\": want dollars",
		`{"budget":{"every":"day"}}`:                      "budget: \"budget\" needs an amount",
		`{"budget":{"limit_usd":1,"limit_microcents":1}}`: "budget: \"budget\" has two different limits",
		`{"expires":"tomorrow"}`:                          "expires: \"expires\": want a date",
		`{"alias":"a","alias":"b"}`:                       "twice",
		`{"alias":"a"} {}`:                                "Something follows",
		`[]`:                                              "must be a JSON object",
		`{"alias":`:                                       "not valid JSON",
		``:                                                "must be a JSON object",
	} {
		_, _, err := ParseKeyWish([]byte(body))
		if err == nil || err.Kind != gateway.Invalid {
			t.Errorf("%s: %v", body, err)
			continue
		}
		text := err.Message
		if err.Param != "" {
			text = err.Param + ": " + text
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s:\n%s, want\n%s", body, text, want)
		}
	}
}

// What is shown of a key can be sent to make another like it.
func TestKeyShownIsKeyWished(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	k := gateway.Key{Alias: "a", Parent: "team_x", Expires: now.AddDate(1, 0, 0), Models: []string{"a/*"}, RPM: 1, TPM: 2, Parallel: 3, Clamp: true,
		Budget: gateway.Budget{Limited: true, Limit: 123_456_789, Every: gateway.Weekly, Zone: "Europe/Vienna"},
		Tags:   map[string]string{"x": "y"}, ModelMap: map[string]string{"f": "a/b"}}
	info := ShowKey(&k, now)
	info.State, info.Created = "", time.Time{}
	text, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.NewReplacer(`"id":"",`, "", `"state":"",`, "", `"created":"0001-01-01T00:00:00Z",`, "").Replace(string(text))
	c, team, werr := ParseKeyWish([]byte(body))
	if werr != nil || team != nil {
		t.Fatalf("%s: %v", body, werr)
	}
	var again gateway.Key
	if err := again.Change(c, now); err != nil || !reflect.DeepEqual(again, k) {
		t.Errorf("%v\n%+v\n%+v", err, again, k)
	}
	// null puts a field back; what is not said stays.
	c, _, werr = ParseKeyWish([]byte(`{"models":null,"budget":null,"expires":null,"rpm":null,"alias":null}`))
	if werr != nil {
		t.Fatal(werr)
	}
	if err := again.Change(c, now); err != nil || again.Models != nil || again.Budget.Limited || !again.Expires.IsZero() || again.RPM != 0 || again.Alias != "" || again.TPM != 2 {
		t.Errorf("%v %+v", err, again)
	}
}

func FuzzParseKeyWish(f *testing.F) {
	f.Add([]byte(`{"alias":"a","budget":{"limit_usd":0.5,"every":"day","zone":"UTC"},"models":["a/*"],"expires":"2027-01-01","tags":{"a":"b"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, _, err := ParseKeyWish(body)
		if err != nil {
			if err.Message == "" || err.Kind != gateway.Invalid {
				t.Errorf("%q: %+v", body, err)
			}
			return
		}
		var k gateway.Key
		if err := k.Change(c, time.Unix(0, 0)); err != nil && err.Param == "" {
			t.Errorf("%q: %v names no field", body, err)
		}
	})
}
