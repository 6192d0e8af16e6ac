package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"gateway"
)

// nanoseconds writes a duration as a whole number: its field's name says the unit.
var nanoseconds = json.WithMarshalers(json.MarshalFunc(func(d time.Duration) ([]byte, error) {
	return strconv.AppendInt(nil, int64(d), 10), nil
}))

func (s *Server) writeJSON(c *gin.Context, v any) {
	b, err := json.Marshal(v, nanoseconds)
	if err != nil {
		s.fail(c, &gateway.Error{Kind: gateway.Internal, Err: err})
		return
	}
	c.Data(http.StatusOK, "application/json", b)
}

type healthInfo struct {
	Status     string           `json:"status"`
	Providers  []providerHealth `json:"providers"`
	Embeddings bool             `json:"embeddings_available"`
	Ledger     *ledgerHealth    `json:"ledger,omitempty"`
}

type ledgerHealth struct {
	State gateway.LedgerState `json:"state"`
	Since time.Time           `json:"since,omitzero"`
	Why   string              `json:"why,omitzero"`

	Doubled  int64 `json:"doubled"`
	Exceeded int64 `json:"exceeded"`

	Waiting int64 `json:"waiting_bytes"`
	Full    bool  `json:"full,omitzero"`
}

type providerHealth struct {
	Name  string `json:"name"`
	Model string `json:"model"`
	State string `json:"state"`
}

// health is GET /health. It calls no provider, and is 200 as long as it can be asked: what
// is degraded still serves someone. Whoever must know whether to send requests here asks
// /readyz.
func (s *Server) health(c *gin.Context) {
	h := healthInfo{Status: "ok", Providers: []providerHealth{}}
	usable := 0
	for _, p := range s.router.Status() {
		h.Providers = append(h.Providers, providerHealth{p.Name, p.Model, p.State})
		if p.State == "closed" || p.State == "half_open" {
			usable++
		}
	}
	if usable == 0 {
		h.Status = "degraded"
	}
	if s.cfg.Ledger != nil {
		l := s.cfg.Ledger()
		h.Ledger = &ledgerHealth{l.State, l.Since, l.Why, l.Doubled, l.Exceeded, l.Waiting, l.Full}
		if l.State != gateway.LedgerOK || l.Full {
			h.Status = "degraded"
		}
	}
	for _, m := range s.catalog.Models() {
		h.Embeddings = h.Embeddings || m.Can.Embeddings
	}
	s.writeJSON(c, h)
}

// providers is GET /v1/providers.
func (s *Server) providers(c *gin.Context) {
	s.writeJSON(c, struct {
		Providers []gateway.ProviderStatus `json:"providers"`
	}{s.router.Status()})
}
