package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// onlyIn names calls that belong to one place, and that place.
var onlyIn = map[string]string{
	"os.Getenv":    "cmd/",
	"os.LookupEnv": "cmd/",
	"os.Environ":   "cmd/",
	"os.Exit":      "cmd/llm-gateway/main.go",
}

// The environment is read in cmd alone, so that every other room can be tested with
// values; the process is ended in main alone, so that a deferred flush always runs.
func TestEnvironmentAndExitStayAtTheTop(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if strings.HasPrefix(rel, "bench/") { // a program of its own, with its own main
			return nil
		}
		seen++
		return checkCalls(t, path, rel)
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no source file was seen")
	}
}

func checkCalls(t *testing.T, path, rel string) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		if !ok {
			return true
		}
		call := pkg.Name + "." + sel.Sel.Name
		if place, guarded := onlyIn[call]; guarded && !strings.HasPrefix(rel, place) {
			t.Errorf("%s: %s is used outside %s", files.Position(sel.Pos()), call, place)
		}
		return true
	})
	return nil
}
