package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gateway"
)

func TestAFormatIsDeclaredOnceAndWhole(t *testing.T) {
	failure := func(b []byte, _ *problem, _ string) ([]byte, int) { return b, 500 }
	claims := func(*http.Request) bool { return false }
	for what, c := range map[string]struct {
		form dialect
		says string
	}{
		"twice":                   {dialect{wire: messagesWire, claims: claims, failure: failure}, `"anthropic_messages" is declared beside "anthropic_messages"`},
		"a second for the rest":   {dialect{wire: "new", failure: failure}, `"new" is declared beside "openai_chat"`},
		"without a name":          {dialect{claims: claims, failure: failure}, "needs a name"},
		"without a form of error": {dialect{wire: "new", claims: claims}, "a form of errors"},
	} {
		func() {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.Contains(said, c.says) {
					t.Errorf("%s: %q", what, said)
				}
			}()
			register(&c.form)
		}()
	}
}

// Whose errors a request gets must not hang on the order in which formats are declared.
func TestNoTwoFormatsClaimARequest(t *testing.T) {
	s, err := New(Config{}, answers(nil, nil), models{}, noBooks{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[gateway.Wire]bool{}
	for _, route := range s.engine.Routes() {
		for _, version := range []string{"", "2023-06-01"} {
			r := httptest.NewRequest(route.Method, strings.NewReplacer(":id", "x", "*id", "x").Replace(route.Path), nil)
			r.Header.Set("anthropic-version", version)
			var by []gateway.Wire
			for _, d := range dialects {
				if d.claims != nil && d.claims(r) {
					by = append(by, d.wire)
				}
			}
			if len(by) > 1 {
				t.Errorf("%s %s is claimed by %v", route.Method, route.Path, by)
			}
			seen[dialectOf(r).wire] = true
		}
	}
	if len(seen) != len(dialects) {
		t.Errorf("routes of %v only", seen)
	}
}
