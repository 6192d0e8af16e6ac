package api

import (
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// What a request may cost beyond its tokens at the list's price: the router refuses it
// under a budget where a provider would be sent the field. A name is the first of the
// body that does, and stands in the refusal.

func fee(req *gateway.Request, name string) {
	if req.Fees == "" {
		req.Fees = name
	}
}

// keeps notes a field that adds to the prompt what lies at the provider.
func keeps(req *gateway.Request, name string) {
	if req.Kept == "" {
		req.Kept = name
	}
}

// dearTier says whether a service tier may cost more than the usual one.
func dearTier(v gjson.Result) bool {
	switch strings.TrimPrefix(strings.ToLower(v.Str), "service_tier_") {
	case "", "auto", "default", "standard", "standard_only", "on_demand", "flex", "batch", "unspecified":
		return false
	}
	return true
}

// given says whether a field is there and not false.
func given(v gjson.Result) bool {
	switch {
	case v.Type == gjson.Null, v.Type == gjson.False:
		return false
	case v.IsArray():
		return v.Get("#").Int() > 0
	}
	return true
}

// searches says whether a search that has a switch of its own is there and not off: a mode
// (xAI's search_parameters), enable or enabled (servers with a web_search field).
func searches(v gjson.Result) bool {
	if !v.IsObject() {
		return given(v)
	}
	mode, enable, enabled := v.Get("mode"), v.Get("enable"), v.Get("enabled")
	off := mode.Str == "off" || enable.Type == gjson.False || enabled.Type == gjson.False
	on := mode.Exists() && mode.Str != "off" || enable.Type == gjson.True || enabled.Type == gjson.True
	return on || !off
}

// feesOf says of a field of a format's bodies whether it is dear, and whether it keeps
// some of the prompt at the provider.
type feesOf func(name string, v gjson.Result) (dear, kept bool)

func (o *object) noteFees(req *gateway.Request, of feesOf) {
	for i := range o.fields {
		name := o.fields[i].name
		dear, kept := of(name, o.fields[i].value)
		if dear {
			fee(req, name)
		}
		if kept {
			keeps(req, name)
		}
	}
}

// beyondText says whether an answer is wanted that is more than text, whose tokens have
// another price.
func beyondText(modalities gjson.Result) bool {
	for _, m := range modalities.Array() {
		if !strings.EqualFold(m.Str, "text") {
			return true
		}
	}
	return false
}

func anyType(list gjson.Result, is func(kind string) bool) bool {
	found := false
	list.ForEach(func(_, one gjson.Result) bool {
		found = is(one.Get("type").Str)
		return !found
	})
	return found
}
