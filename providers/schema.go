package providers

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
)

// Schema is the JSON Schema of providers.json, made from the structs that read it.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{ExpandedStruct: true, Mapper: schemaOf}
	s := r.Reflect(&Config{})
	s.ID, s.Title = "https://llm-gateway.invalid/providers.schema.json", "llm-gateway providers.json"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(s)
	return b.Bytes(), err
}

// schemaOf covers the types that are written otherwise than they are declared.
func schemaOf(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`}
	case reflect.TypeFor[Amount]():
		return &jsonschema.Schema{Type: "number", Minimum: "0"}
	case reflect.TypeFor[json.RawMessage]():
		return &jsonschema.Schema{}
	case reflect.TypeFor[EntryList]():
		r := jsonschema.Reflector{Anonymous: true, DoNotReference: true, Mapper: schemaOf}
		entry := r.Reflect(&Entry{})
		entry.Version = ""
		if kind, ok := entry.Properties.Get("kind"); ok {
			for _, name := range kindNames() {
				kind.Enum = append(kind.Enum, name)
			}
		}
		return &jsonschema.Schema{Type: "object", AdditionalProperties: entry}
	}
	return nil
}
