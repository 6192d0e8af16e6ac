package providers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"testing"

	"gateway"
)

// A body that must be translated is made anew for each attempt: this says what one costs,
// and that it stays so. The normal form is made once for all of them. One copy is what is
// sent; the others are the levels that it was put together from, and are free at once.
func TestWhatATranslatedBodyCosts(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 64<<10))
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer server.Close()
	text := string(largeCall().Request.Raw[:largeBody])
	for kind, most := range map[string]float64{anthropicKind: 2.5, ollamaKind: 6.5, geminiKind: 8.5} {
		call := chatCall()
		call.Model.Kind = kind
		call.Request.Decode = func([]byte) (*gateway.Chat, error) {
			return &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{{Text: text}}}}}, nil
		}
		client := NewClient()
		a, err := kinds[kind].adapter(Settings{Name: "p", Kind: kind, BaseURL: server.URL, Client: client})
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		least := uint64(1 << 62)
		runtime.GC()
		percent := debug.SetGCPercent(-1)                                       // a collection empties the encoder's pool, whose buffer is then made anew
		for tries := 0; tries < 8 && float64(least)/largeBody > most; tries++ { // the race detector empties it now and then, too
			runtime.ReadMemStats(&before)
			if _, err := a.Open(t.Context(), call); gateway.KindOf(err) != gateway.Invalid {
				t.Errorf("%s: %v", kind, err)
			}
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
		}
		debug.SetGCPercent(percent)
		client.CloseIdleConnections()
		copies := float64(least) / largeBody
		t.Logf("%s: an attempt allocates %.1f times the body", kind, copies)
		if copies > most {
			t.Errorf("%s: an attempt allocates %.1f times the body", kind, copies)
		}
	}
}
