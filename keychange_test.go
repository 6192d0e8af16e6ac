package gateway

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func to[T any](v T) *T { return &v }

func TestKeyChangeIsCheckedWholeBeforeItIsMade(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for field, changes := range map[string][]KeyChange{
		"alias":        {{Alias: to("has space")}, {Alias: to("key_x")}, {Alias: to(strings.Repeat("a", 65))}, {Alias: to("-a")}},
		"parent":       {{Parent: to("team_a")}}, // of a team, below
		"expires":      {{Expires: to(now)}},
		"rpm":          {{RPM: to(-1)}, {RPM: to(1 << 40)}},
		"tpm":          {{TPM: to(-5)}},
		"max_parallel": {{Parallel: to(1_000_000_000)}},
		"models":       {{Models: to([]string{})}, {Models: to([]string{""})}, {Models: to([]string{"a*b"})}, {Models: to([]string{"a\x00"})}},
		"budget": {{Budget: &Budget{Every: Daily}}, {Budget: &Budget{Limited: true, Limit: -1}}, {Budget: &Budget{Limited: true, Every: "year"}},
			{Budget: &Budget{Limited: true, Every: Daily, Zone: "Europe/Atlantis"}}, {Budget: &Budget{Limited: true, Zone: "Europe/Vienna"}},
			{Budget: &Budget{Limited: true, Every: Daily, Zone: "Local"}}},
		"tags":      {{Tags: &map[string]string{"a=b": "c"}}, {Tags: &map[string]string{"a": "\n"}}},
		"model_map": {{ModelMap: &map[string]string{"": "x"}}, {ModelMap: &map[string]string{"x": ""}}},
	} {
		for _, c := range changes {
			k := Key{Team: field == "parent", Alias: "before"}
			c.Clamp = to(true)
			err := k.Change(c, now)
			if err == nil || err.Param != field || err.Kind != Invalid || !strings.Contains(err.Message, strings.TrimPrefix(field, "max_")) {
				t.Errorf("%s: %v", field, err)
			}
			if k.Clamp || k.Alias != "before" {
				t.Errorf("%s: half a change was made: %+v", field, k)
			}
		}
	}
}

func TestKeyChangeLeavesTheRest(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	var k Key
	all := KeyChange{Alias: to("ci"), Parent: to("team_a"), Expires: to(now.AddDate(1, 0, 0)), Models: to([]string{"a/*"}), RPM: to(1), TPM: to(2), Parallel: to(3),
		Budget: &Budget{Limited: true, Limit: 0, Every: Monthly, Zone: "Europe/Vienna"}, Clamp: to(true), Tags: &map[string]string{"a": "b=c"},
		ModelMap: &map[string]string{"fast": "a/b"}}
	if err := k.Change(all, now); err != nil {
		t.Fatal(err)
	}
	before := k
	if err := k.Change(KeyChange{}, now.AddDate(5, 0, 0)); err != nil || !reflect.DeepEqual(k, before) {
		t.Errorf("%v, %+v", err, k)
	}
	if err := k.Change(KeyChange{Models: to([]string(nil)), Budget: &Budget{}, Expires: &time.Time{}, Parent: to("")}, now); err != nil {
		t.Fatal(err)
	}
	if k.Models != nil || k.Budget.Limited || !k.Expires.IsZero() || k.Parent != "" || k.RPM != 1 {
		t.Errorf("%+v", k)
	}
}

func TestDollarsAreExact(t *testing.T) {
	for text, want := range map[string]Microcents{"25": 2_500_000_000, "0.5": 50_000_000, "$1.00000001": 100_000_001, "0": 0, "92233720368.54775807": math.MaxInt64} {
		got, err := ParseDollars(text)
		if err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
		if again, err := ParseDollars(got.Dollars()); err != nil || again != got {
			t.Errorf("%s is written %s", text, got.Dollars())
		}
	}
	for _, text := range []string{"", "-1", "1.", ".5", "1e3", "1.000000001", "99999999999999999999", "+1", "1,5", "0x1", "1_0", "92233720368.54775808"} {
		if got, err := ParseDollars(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
	if s := Microcents(math.MinInt64).Dollars(); s != "-92233720368.54775808" {
		t.Error(s)
	}
	if s := Microcents(300_000_000).Dollars(); s != "3.00" {
		t.Error(s)
	}
}
