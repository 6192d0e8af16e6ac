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
