package rules

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport says, for each room, everything outside the standard library that it may
// import. Add the line here before adding the import.
var mayImport = map[string]string{
	"gateway":         "",
	"gateway/route":   "gateway github.com/DataDog/sketches-go/ddsketch",
	"gateway/breaker": "gateway github.com/sony/gobreaker/v2 golang.org/x/time/rate",
	"gateway/providers": "gateway github.com/go-json-experiment/json github.com/go-json-experiment/json/jsontext " +
		"github.com/tidwall/gjson github.com/tidwall/sjson github.com/hashicorp/golang-lru/v2/expirable " +
		"github.com/invopop/jsonschema github.com/santhosh-tekuri/jsonschema/v6",
	"gateway/alerts": "gateway github.com/standard-webhooks/standard-webhooks/libraries/go",
	"gateway/ledger": "gateway modernc.org/sqlite modernc.org/sqlite/lib",
	"gateway/actors": "gateway gateway/route gateway/breaker github.com/asynkron/protoactor-go/actor",
	"gateway/api": "gateway github.com/gin-gonic/gin github.com/go-json-experiment/json " +
		"github.com/go-json-experiment/json/jsontext github.com/tidwall/gjson github.com/tidwall/sjson github.com/google/uuid",
	"gateway/cmd/llm-gateway": "gateway gateway/actors gateway/alerts gateway/api gateway/breaker gateway/ledger gateway/providers gateway/route " +
		"gateway/internal/fakeupstream gateway/internal/http1 github.com/spf13/cobra github.com/joho/godotenv github.com/KimMachineGun/automemlimit/memlimit " +
		"github.com/dustin/go-humanize",
	"gateway/bench": "gateway gateway/ledger gateway/internal/fakeupstream github.com/gin-gonic/gin github.com/spf13/cobra " +
		"github.com/HdrHistogram/hdrhistogram-go github.com/schollz/progressbar/v3 gonum.org/v1/plot " +
		"gonum.org/v1/plot/plotter gonum.org/v1/plot/plotutil gonum.org/v1/plot/vg",
	"gateway/internal/fakeupstream": "github.com/go-json-experiment/json github.com/go-json-experiment/json/jsontext",
	"gateway/internal/grammar":      "",
	"gateway/internal/http1":        "golang.org/x/net/http/httpguts",
	"gateway/internal/rules":        "",
}

// listed is the part of `go list -json` that is read here.
type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "gateway/...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("reading go list: %v", err)
		}
		all = append(all, p)
	}
	return all
}

func TestEachRoomImportsOnlyWhatItMay(t *testing.T) {
	all := packages(t)
	if len(all) < 2 {
		t.Fatalf("go list named %d packages; this test saw nothing", len(all))
	}
	for _, p := range all {
		row, known := mayImport[p.ImportPath]
		if !known {
			t.Errorf("%s has no row in mayImport: add one, with what it may import", p.ImportPath)
			continue
		}
		may := strings.Fields(row)
		for _, imp := range p.Imports {
			if !standard(imp) && !slices.Contains(may, imp) {
				t.Errorf("%s imports %s, which its row does not allow", p.ImportPath, imp)
			}
		}
	}
}

// standard says whether a path is of the standard library: its first element has no
// dot and is not this module.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return first != "gateway" && !strings.Contains(first, ".")
}
