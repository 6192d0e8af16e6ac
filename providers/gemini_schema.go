package providers

import (
	"strings"

	"github.com/tidwall/gjson"
)

// geminiKnown are the JSON Schema words that the provider takes. minLength is refused
// by its documentation and taken by its own examples, so it stays.
var geminiKnown = map[string]bool{
	"$id": true, "$defs": true, "$ref": true, "$anchor": true, "type": true, "format": true, "title": true, "description": true,
	"enum": true, "items": true, "prefixItems": true, "minItems": true, "maxItems": true, "minimum": true, "maximum": true,
	"anyOf": true, "oneOf": true, "properties": true, "additionalProperties": true, "required": true, "propertyOrdering": true,
	"minLength": true,
}

// geminiTold are words that the provider refuses and a model understands in a description.
var geminiTold = map[string]bool{
	"maxLength": true, "pattern": true, "exclusiveMinimum": true, "exclusiveMaximum": true, "multipleOf": true,
	"uniqueItems": true, "minProperties": true, "maxProperties": true, "default": true,
}

// geminiSchema rewrites a JSON Schema into the part of the language that is taken:
// const becomes a one-value enum, definitions are named $defs, limits that are refused are
// told in words, schemas that all hold are made one, and other unknown words are left out.
// room is what may still be copied of definitions, in bytes.
func geminiSchema(s gjson.Result, room *int) string {
	r := geminiRewrite{root: s, room: room}
	return r.schema(s, 0)
}

// geminiRewrite rewrites one schema.
type geminiRewrite struct {
	root  gjson.Result
	known map[string]gjson.Result // definitions by their references; nil until one is looked up
	room  *int                    // bytes of definitions that may still be copied to where they are referred to
}

// mostInlined is what is copied of definitions at most, of all tools' schemas together or
// of an answer's: references can stand for far more than the client sent.
const mostInlined = 1 << 20

const oldDefinitions = "#/definitions/"

func (r *geminiRewrite) schema(s gjson.Result, depth int) string {
	if !s.IsObject() {
		return s.Raw // true and false are schemas too
	}
	s = r.merged(s, depth) // not below maxSchemaDepth, where a definition may have been copied into itself
	depth++
	var w objectWriter
	ref := s.Get("$ref").Str
	isRef, defined := s.Get("$ref").Exists(), false
	description, told := "", []string(nil)
	s.ForEach(func(k, v gjson.Result) bool {
		switch {
		case k.Str == "definitions" || k.Str == "$defs":
			if !defined {
				defined = true
				w.put("$defs", r.definitions(s, depth))
			}
		case isRef && !strings.HasPrefix(k.Str, "$"): // a reference has no neighbours
		case k.Str == "$ref" && strings.HasPrefix(ref, oldDefinitions):
			w.put(k.Str, quoted("#/$defs/"+ref[len(oldDefinitions):]))
		case k.Str == "const":
			w.put("enum", "["+v.Raw+"]")
		case k.Str == "description" && v.Type == gjson.String:
			description = v.Str
		case geminiTold[k.Str]:
			told = append(told, k.Str+": "+bare(v))
		case k.Str == "properties":
			w.put(k.Str, r.schemas(v, depth))
		case k.Str == "items" || k.Str == "additionalProperties":
			w.put(k.Str, r.schema(v, depth))
		case k.Str == "anyOf" || k.Str == "oneOf" || k.Str == "prefixItems":
			w.put(k.Str, r.list(v, depth))
		case k.Str == "allOf" && v.Get("#").Int() == 1 && !s.Get("anyOf").Exists(): // the only one of all is any of one
			w.put("anyOf", r.list(v, depth))
		case geminiKnown[k.Str]:
			w.put(k.Str, v.Raw)
		}
		return true
	})
	if text := withLimits(description, told); text != "" {
		w.put("description", quoted(text))
	}
	return w.done()
}

// definitions are those of a schema, which has them under one name or the other.
func (r *geminiRewrite) definitions(s gjson.Result, depth int) string {
	var w objectWriter
	newer := s.Get("$defs")
	if newer.IsObject() {
		r.put(&w, newer, nil, depth)
	}
	if older := s.Get("definitions"); older.IsObject() {
		r.put(&w, older, newer.Map(), depth)
	}
	return w.done()
}

func (r *geminiRewrite) list(schemas gjson.Result, depth int) string {
	var list []string
	for _, one := range schemas.Array() {
		list = append(list, r.schema(one, depth))
	}
	return array(list)
}

// schemas rewrites each of the schemas under names.
func (r *geminiRewrite) schemas(named gjson.Result, depth int) string {
	var w objectWriter
	r.put(&w, named, nil, depth)
	return w.done()
}

// put rewrites the schemas under names into w, but for those that it has.
func (r *geminiRewrite) put(w *objectWriter, named gjson.Result, has map[string]gjson.Result, depth int) {
	named.ForEach(func(k, v gjson.Result) bool {
		if !has[k.Str].Exists() {
			w.put(k.Str, r.schema(v, depth))
		}
		return true
	})
}

// merged is a schema with the members of those that must all hold among its own: the
// provider has no word for that. One alone is left where it is.
func (r *geminiRewrite) merged(s gjson.Result, depth int) gjson.Result {
	all := s.Get("allOf")
	if !all.IsArray() || all.Get("#").Int() < 2 || depth > maxSchemaDepth {
		return s
	}
	m := mergedSchema{seen: map[string]bool{"allOf": true}, named: map[string]bool{}, must: map[string]bool{}}
	m.take(s)
	for _, one := range all.Array() {
		if one = r.resolved(one); one.IsObject() {
			m.take(r.merged(one, depth+1))
		}
	}
	return gjson.Parse(m.done())
}

// resolved is what a schema refers to, if that is a definition and there is room for it.
func (r *geminiRewrite) resolved(s gjson.Result) gjson.Result {
	ref := s.Get("$ref")
	if !ref.Exists() {
		return s
	}
	if r.known == nil {
		r.known = map[string]gjson.Result{}
		for _, list := range [...]string{"definitions", "$defs"} {
			r.root.Get(list).ForEach(func(name, one gjson.Result) bool {
				r.known["#/"+list+"/"+name.Str] = one
				return true
			})
		}
	}
	s = r.known[ref.Str]
	if *r.room -= len(s.Raw); *r.room < 0 {
		return gjson.Result{}
	}
	return s
}

// mergedSchema gathers the members of several schemas; of two with one name the first counts.
type mergedSchema struct {
	seen, named, must map[string]bool // names of members, of properties, of those required
	members           objectWriter
	properties        objectWriter
	required          []string
}

func (m *mergedSchema) take(s gjson.Result) {
	s.ForEach(func(k, v gjson.Result) bool {
		switch {
		case k.Str == "properties":
			v.ForEach(func(name, one gjson.Result) bool {
				if !m.named[name.Str] {
					m.named[name.Str] = true
					m.properties.put(name.Str, one.Raw)
				}
				return true
			})
		case k.Str == "required":
			for _, name := range v.Array() {
				if !m.must[name.Str] {
					m.must[name.Str] = true
					m.required = append(m.required, name.Raw)
				}
			}
		case k.Str == "$ref" || k.Str == "additionalProperties": // a part may be closed to what another adds
		case !m.seen[k.Str]:
			m.seen[k.Str] = true
			m.members.put(k.Str, v.Raw)
		}
		return true
	})
}

func (m *mergedSchema) done() string {
	if len(m.named) > 0 {
		m.members.put("properties", m.properties.done())
	}
	if len(m.required) > 0 {
		m.members.put("required", array(m.required))
	}
	return m.members.done()
}
