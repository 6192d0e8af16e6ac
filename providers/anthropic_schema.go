package providers

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// maxSchemaDepth bounds how deep a client's schema is rewritten.
const maxSchemaDepth = 64

// cleanSchema makes a JSON schema that constrained output takes: closed objects, and
// limits that cannot be enforced told in words instead.
func cleanSchema(schema string) string {
	return cleanedSchema(gjson.Parse(schema), 0)
}

func cleanedSchema(schema gjson.Result, depth int) string {
	if !schema.IsObject() || depth > maxSchemaDepth {
		return schema.Raw
	}
	w := objectWriter{}
	var told []string
	description, object := "", false
	schema.ForEach(func(key, value gjson.Result) bool {
		name := key.Str
		switch {
		case name == "description" && value.Type == gjson.String:
			description = value.Str
		case name == "additionalProperties" || name == "$schema":
		case slices.Contains(untoldLimits, name), name == "format" && !slices.Contains(knownFormats, value.Str):
			told = append(told, name+": "+bare(value))
		case name == "properties" || name == "$defs" || name == "definitions":
			object = object || name == "properties"
			w.put(name, eachSchema(value, depth))
		case name == "oneOf" && !schema.Get("anyOf").Exists():
			w.put("anyOf", schemaList(value, depth))
		case name == "anyOf" || name == "allOf" || name == "prefixItems":
			w.put(name, schemaList(value, depth))
		case name == "items":
			w.put(name, cleanedSchema(value, depth+1))
		default:
			if name == "type" && (value.Str == "object" || value.IsArray() && strings.Contains(value.Raw, `"object"`)) {
				object = true
			}
			w.put(name, value.Raw)
		}
		return true
	})
	if text := withLimits(description, told); text != "" {
		w.put("description", quoted(text))
	}
	if object {
		w.put("additionalProperties", "false")
	}
	return w.done()
}

// withLimits adds limits that a provider does not take to the description they belong to.
func withLimits(description string, told []string) string {
	if len(told) == 0 {
		return description
	}
	if description != "" {
		description += "\n"
	}
	return description + strings.Join(told, ", ")
}

func eachSchema(schemas gjson.Result, depth int) string {
	if !schemas.IsObject() {
		return schemas.Raw
	}
	w := objectWriter{}
	schemas.ForEach(func(key, value gjson.Result) bool {
		w.put(key.Str, cleanedSchema(value, depth+1))
		return true
	})
	return w.done()
}

func schemaList(schemas gjson.Result, depth int) string {
	if !schemas.IsArray() {
		return schemas.Raw
	}
	var list []string
	schemas.ForEach(func(_, value gjson.Result) bool {
		list = append(list, cleanedSchema(value, depth+1))
		return true
	})
	return "[" + strings.Join(list, ",") + "]"
}

// bare is a limit as a reader would write it.
func bare(value gjson.Result) string {
	if value.Type == gjson.String {
		return value.Str
	}
	return value.Raw
}

var (
	untoldLimits = []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
		"pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "not"}
	knownFormats = []string{"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
