package api

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestScrubLeavesOutWhatWasSent(t *testing.T) {
	sent := []byte(`{"messages":[{"role":"user","content":"tell nobody about the mérger of A and B"}]}`)
	for text, want := range map[string]string{
		"invalid: 500: You said: tell nobody about the mérger of A and B.": "invalid: 500: You said: […].",
		"invalid: 400: temperature must be at most 2":                      "invalid: 400: temperature must be at most 2",
		"about the mérger of A":                                            "[…]",
		"short":                                                            "short",
		"":                                                                 "",
	} {
		if got := scrub(text, sent); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := scrub("a text that is long enough to look at", make([]byte, 2<<20)); !strings.Contains(got, "left out") {
		t.Errorf("%q", got)
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("before the secret sentence after", "{the secret sentence}")
	f.Fuzz(func(t *testing.T, text, sent string) {
		got := scrub(text, []byte(sent))
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%q", got)
		}
		for i := 0; i+scrubbedRun <= len(got); i++ {
			if run := got[i : i+scrubbedRun]; strings.Contains(sent, run) && strings.Contains(text, run) && !strings.Contains(run, "…") {
				t.Errorf("%q is still in %q", run, got)
			}
		}
	})
}
