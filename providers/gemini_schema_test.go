package providers

import (
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"gateway"
)

func rewritten(schema string) string {
	room := mostInlined
	return geminiSchema(gjson.Parse(schema), &room)
}

// Words that Gemini refuses never reach it; what a model should know of them does.
func TestGeminiSchemaTellsLimitsInWords(t *testing.T) {
	for schema, want := range map[string]string{
		`{"$schema":"s","type":"string","maxLength":60,"description":"A label"}`:                  `{"type":"string","description":"A label\nmaxLength: 60"}`,
		`{"type":"object","properties":{"n":{"exclusiveMinimum":0,"default":5}}}`:                 `{"type":"object","properties":{"n":{"description":"exclusiveMinimum: 0, default: 5"}}}`,
		`{"type":"array","items":{"type":"string","pattern":"^a$","minLength":1},"examples":[1]}`: `{"type":"array","items":{"type":"string","minLength":1,"description":"pattern: ^a$"}}`,
		`{"properties":{"default":{"const":1},"pattern":{"description":"kept"}}}`:                 `{"properties":{"default":{"enum":[1]},"pattern":{"description":"kept"}}}`,
	} {
		if got := rewritten(schema); got != want {
			t.Errorf("%s:\n got %s\nwant %s", schema, got, want)
		}
	}
}

// What refers to definitions finds them, under whichever name they were sent, and what must
// all hold is told as one. The provider refuses a reference that leads nowhere.
func TestGeminiSchemaKeepsReferences(t *testing.T) {
	for schema, want := range map[string]string{
		`{"type":"object","properties":{"a":{"$ref":"#/definitions/A"}},"definitions":{"A":{"type":"string","pattern":"x"}}}`: `{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string","description":"pattern: x"}}}`,
		`{"$ref":"#/definitions/A","definitions":{"A":{"type":"object"}},"$schema":"s"}`:                                      `{"$ref":"#/$defs/A","$defs":{"A":{"type":"object"}}}`,
		`{"definitions":{"A":{"type":"string"},"B":true},"$defs":{"A":{"type":"integer"}}}`:                                   `{"$defs":{"A":{"type":"integer"},"B":true}}`,
		`{"properties":{"definitions":{"type":"string"}}}`:                                                                    `{"properties":{"definitions":{"type":"string"}}}`,
		`{"allOf":[{"$ref":"#/$defs/A"}],"description":"One.","default":1,"$defs":{"A":{"type":"integer"}}}`:                  `{"anyOf":[{"$ref":"#/$defs/A"}],"$defs":{"A":{"type":"integer"}},"description":"One.\ndefault: 1"}`,
		`{"type":"object","allOf":[{"$ref":"#/definitions/A"},{"properties":{"b":{"const":1}},"required":["b","a"]}],"definitions":{"A":{"properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}}}`: `{"type":"object","$defs":{"A":{"properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}},` +
			`"properties":{"a":{"type":"string"},"b":{"enum":[1]}},"required":["a","b"]}`,
	} {
		if got := rewritten(schema); got != want {
			t.Errorf("%s:\n got %s\nwant %s", schema, got, want)
		}
	}
}

// Definitions that refer to each other many times over end, and take no more room than they may.
func TestGeminiSchemaMergesNoMoreThanItMay(t *testing.T) {
	each := func(name string) string {
		return strings.TrimSuffix(strings.Repeat(`{"$ref":"#/$defs/`+name+`"},`, 200), ",")
	}
	schema := `{"allOf":[` + each("A") + `],"$defs":{"A":{"allOf":[` + each("B") + `]},"B":{"allOf":[` + each("A") + `]}}}`
	begun := time.Now()
	if got := rewritten(schema); !gjson.Valid(got) || len(got) > 4*len(schema) {
		t.Errorf("%d bytes of %d", len(got), len(schema))
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
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

// A definition that holds itself, each time together with more, is copied into itself no
// deeper than a schema may be.
func TestGeminiSchemaEndsInItself(t *testing.T) {
	schema := `{"$ref":"#/$defs/A","$defs":{"A":{"properties":{"p":{"allOf":[{"$ref":"#/$defs/A"},{"title":"t"}]}}}}}`
	got := rewritten(schema)
	depth, most := 0, 0
	for _, c := range got {
		switch c {
		case '{':
			depth++
			most = max(most, depth)
		case '}':
			depth--
		}
	}
	if !gjson.Valid(got) || most > 4*maxSchemaDepth {
		t.Errorf("%d bytes, %d deep", len(got), most)
	}
}

// Many tools share what may be copied of their definitions.
func TestGeminiToolsShareTheRoomForDefinitions(t *testing.T) {
	large := `{"allOf":[{"$ref":"#/$defs/A"},{"title":"t"}],"$defs":{"A":{"description":"` + strings.Repeat("a", mostInlined/2-100) + `"}}}`
	chat := &gateway.Chat{}
	for range 4 {
		chat.Tools = append(chat.Tools, gateway.Tool{Name: "f", Parameters: []byte(large)})
	}
	copied := 0
	for _, tool := range geminiTools(chat) {
		if gjson.Get(tool, "parametersJsonSchema.description").Exists() {
			copied++
		}
	}
	if copied != 2 {
		t.Errorf("%d definitions copied, want 2", copied)
	}
}
