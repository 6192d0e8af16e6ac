package gateway_test

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tiktoken-go/tokenizer"

	"gateway"
)

// texts are ordinary code and English that every checkout with Go has: the standard
// library and this project's own pages. No table of the estimate was made from the
// latter.
func texts(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for kind, patterns := range map[string][]string{
		"code":    {"src/net/http/*.go", "src/encoding/json/*.go", "src/go/types/*.go", "src/strconv/*.go"},
		"English": {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/decisions/*.md", "bench/README.md"},
	} {
		for _, p := range patterns {
			if kind == "code" {
				p = filepath.Join(runtime.GOROOT(), p)
			}
			files, err := filepath.Glob(p)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				all[kind] = append(all[kind], string(b))
			}
		}
		if len(all[kind]) < 8 {
			t.Fatalf("only %d texts of %s", len(all[kind]), kind)
		}
	}
	return all
}

func TestTokenCountAgainstARealVocabulary(t *testing.T) {
	o200k, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	for kind, all := range texts(t) {
		var sum, guessed, far int
		for _, text := range all {
			want, err := o200k.Count(text)
			if err != nil {
				t.Fatal(err)
			}
			var c gateway.TokenCount
			c.Add(text)
			got := c.Tokens()
			sum, guessed = sum+want, guessed+got
			if len(text) > 4000 && math.Abs(float64(got-want)) > 0.10*float64(want) {
				far++
			}
		}
		off := float64(guessed-sum) / float64(sum)
		t.Logf("%s: %d texts, %d tokens, estimated %+.2f %%, %d beyond 10 %%", kind, len(all), sum, 100*off, far)
		if math.Abs(off) > 0.05 {
			t.Errorf("%s: estimated %d for %d tokens, %+.1f %%; want within 5 %%", kind, guessed, sum, 100*off)
		}
		if far*10 > len(all) {
			t.Errorf("%s: %d of %d texts are more than 10 %% off", kind, far, len(all))
		}
	}
}

// A stream cuts words anywhere; the estimate must not care.
func TestTokenCountDoesNotCareForCuts(t *testing.T) {
	text := "It's 12345 o'clock; HTTPServer.readAll(\n\t\tctx, -1) // naïve ———\n\n  done 日本語です!!! don't"
	var whole gateway.TokenCount
	whole.Add(text)
	for size := 1; size < 9; size++ {
		var c gateway.TokenCount
		runes := []rune(text)
		for len(runes) > 0 {
			n := min(size, len(runes))
			c.Add(string(runes[:n]))
			runes = runes[n:]
		}
		if c.Tokens() != whole.Tokens() {
			t.Errorf("in pieces of %d: %d tokens, whole %d", size, c.Tokens(), whole.Tokens())
		}
	}
	if n := whole.Tokens(); n < 25 || n > 45 {
		t.Errorf("%d tokens", n)
	}
}

func BenchmarkTokenCount(b *testing.B) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var c gateway.TokenCount
		c.Add(text)
	}
}
