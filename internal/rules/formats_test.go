package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Kinds of providers and formats of clients are told apart by what they declare and by
// nothing else: rooms that only pass requests on have no name of one in them.
func TestRoomsNameNoKindAndNoFormat(t *testing.T) {
	kinds, formats := declared(t, "providers"), declared(t, "api")
	if len(kinds["name"]) < 5 || len(kinds["Wire"]) < 4 || len(formats["wire"]) < 4 {
		t.Fatalf("providers declares %v, api %v; this test did not see all", kinds, formats)
	}
	for wire := range kinds["Wire"] {
		if !formats["wire"][wire] {
			t.Errorf("a provider takes bodies of the format %q, which api does not have", wire)
		}
	}
	names := map[string]bool{}
	for _, some := range []map[string]bool{kinds["name"], kinds["Wire"], kinds["Maker"], formats["wire"]} {
		maps.Copy(names, some)
	}
	for _, room := range []string{".", "route", "breaker", "ledger", "actors"} {
		for path, file := range sources(t, room) {
			ast.Inspect(file, func(n ast.Node) bool {
				if text, ok := literal(n); ok && names[text] {
					t.Errorf("%s names %q: ask gateway.Protocol instead, or let the kind declare more", path, text)
				}
				return true
			})
		}
	}
}

// elsewhere are literals that are no name of a kind, though they look like one.
var elsewhere = map[string]string{"openai_messages.go": "gemini"} // in the names of models behind OpenAI's format

// In the rooms that have the formats, the name of one stands in the file that declares it.
func TestAFormatIsNamedInItsOwnFile(t *testing.T) {
	for room, field := range map[string]string{"providers": "name", "api": "wire"} {
		names, home := declared(t, room)[field], map[string]string{}
		for path, file := range sources(t, room) {
			ast.Inspect(file, func(n ast.Node) bool {
				text, ok := literal(n)
				if !ok || !names[text] || elsewhere[filepath.Base(path)] == text {
					return true
				}
				if other := home[text]; other != "" && other != path {
					t.Errorf("%s and %s both name %q", other, path, text)
				}
				home[text] = path
				return true
			})
		}
		if len(home) != len(names) {
			t.Errorf("%s: %v of %v", room, home, names)
		}
	}
}

// declared are the strings that the values given to register have in their fields, by field.
func declared(t *testing.T, room string) map[string]map[string]bool {
	t.Helper()
	files := sources(t, room)
	constants := map[string]string{}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
				for i, value := range spec.Values {
					if text, ok := literal(value); ok {
						constants[spec.Names[i].Name] = text
					}
				}
			}
			return true
		})
	}
	out := map[string]map[string]bool{}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			made, ok := n.(*ast.CompositeLit)
			if !ok || !slices.Contains([]string{"kind", "dialect", "Protocol"}, typeName(made.Type)) {
				return true
			}
			for _, element := range made.Elts {
				field, ok := element.(*ast.KeyValueExpr)
				if !ok {
					continue
				}
				name, _ := field.Key.(*ast.Ident)
				text, known := literal(field.Value)
				if constant, ok := field.Value.(*ast.Ident); ok {
					text, known = constants[constant.Name], true
				}
				if name == nil || !known || text == "" {
					continue
				}
				if out[name.Name] == nil {
					out[name.Name] = map[string]bool{}
				}
				out[name.Name][text] = true
			}
			return true
		})
	}
	return out
}

// sources are the parsed files of a room, tests left out.
func sources(t *testing.T, room string) map[string]*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", room, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*ast.File{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		out[path] = file
	}
	if len(out) == 0 {
		t.Fatalf("no source of %s was seen", room)
	}
	return out
}

func literal(n ast.Node) (string, bool) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
