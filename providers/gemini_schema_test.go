package providers

import (
	"testing"

	"github.com/tidwall/gjson"
)

// Words that Gemini refuses never reach it; what a model should know of them does.
func TestGeminiSchemaTellsLimitsInWords(t *testing.T) {
	for schema, want := range map[string]string{
		`{"$schema":"s","type":"string","maxLength":60,"description":"A label"}`:                  `{"type":"string","description":"A label\nmaxLength: 60"}`,
		`{"type":"object","properties":{"n":{"exclusiveMinimum":0,"default":5}}}`:                 `{"type":"object","properties":{"n":{"description":"exclusiveMinimum: 0, default: 5"}}}`,
		`{"type":"array","items":{"type":"string","pattern":"^a$","minLength":1},"examples":[1]}`: `{"type":"array","items":{"type":"string","minLength":1,"description":"pattern: ^a$"}}`,
		`{"properties":{"default":{"const":1},"pattern":{"description":"kept"}}}`:                 `{"properties":{"default":{"enum":[1]},"pattern":{"description":"kept"}}}`,
	} {
		if got := geminiSchema(gjson.Parse(schema)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", schema, got, want)
		}
	}
}

// Thoughts are shown to who asks for them, whatever effort was asked.
func TestGeminiShowsThoughtsOnDemand(t *testing.T) {
	for _, c := range []struct {
		model, effort string
		show          bool
		want          string
	}{
		{"gemini-3.1-flash-lite", "", false, ""},
		{"gemini-3.1-flash-lite", "", true, `{"includeThoughts":true}`},
		{"gemini-3.1-flash-lite", "high", true, `{"thinkingLevel":"high","includeThoughts":true}`},
		{"gemini-3.1-flash-lite", "low", false, `{"thinkingLevel":"low"}`},
		{"gemini-2.5-flash", "medium", true, `{"thinkingBudget":8192,"includeThoughts":true}`},
	} {
		if got := geminiModelOf(c.model).thinking(c.effort, c.show); got != c.want {
			t.Errorf("%s, effort %q, shown %v: %s, want %s", c.model, c.effort, c.show, got, c.want)
		}
	}
}
