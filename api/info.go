package api

import (
	"net/http"
	"strconv"
	"strings"
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
}

type providerHealth struct {
	Name  string `json:"name"`
	Model string `json:"model"`
	State string `json:"state"`
}

// health is GET /health. It calls no provider.
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

// spend is GET /v1/spend?by=provider,model&from=…&to=…&provider=…&model=…&key=….
// With keys configured a client sees its own spending only.
func (s *Server) spend(c *gin.Context) {
	q := gateway.SpendQuery{Provider: c.Query("provider"), Model: c.Query("model"), Key: c.Query("key")}
	if who := event(c).caller; who != nil {
		q.Key = who.key.ID
	}
	if by := c.Query("by"); by != "" {
		q.By = strings.Split(by, ",")
	}
	for name, at := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if err := readTime(c.Query(name), at); err != nil {
			s.fail(c, field(name, "%q must be a date such as 2026-11-24 or a time such as 2026-11-24T09:00:00Z.", name))
			return
		}
	}
	total, err := s.books.Spend(c.Request.Context(), gateway.SpendQuery{From: q.From, To: q.To, Provider: q.Provider, Model: q.Model, Key: q.Key})
	var lines []gateway.SpendLine
	if err == nil && len(q.By) > 0 {
		lines, err = s.books.Spend(c.Request.Context(), q)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	answer := struct {
		Total  gateway.SpendLine   `json:"total"`
		Groups []gateway.SpendLine `json:"groups,omitempty"`
	}{Groups: lines}
	if len(total) > 0 {
		answer.Total = total[0]
	}
	s.writeJSON(c, answer)
}

func readTime(text string, at *time.Time) (err error) {
	if text == "" {
		return nil
	}
	if *at, err = time.Parse(time.DateOnly, text); err != nil {
		*at, err = time.Parse(time.RFC3339, text)
	}
	return err
}

type attemptInfo struct {
	Attempt    int                 `json:"attempt"`
	Role       gateway.Role        `json:"role"`
	Provider   string              `json:"provider"`
	Model      string              `json:"model"`
	Begun      time.Time           `json:"begun"`
	TTFT       int64               `json:"ttft_ms"`
	Took       int64               `json:"took_ms"`
	Outcome    string              `json:"outcome"`
	Finish     string              `json:"finish,omitempty"`
	Winner     bool                `json:"winner"`
	Prompt     int                 `json:"prompt_tokens"`
	Cached     int                 `json:"cached_tokens"`
	Completion int                 `json:"completion_tokens"`
	Source     gateway.UsageSource `json:"usage_source"`
	Cost       gateway.Microcents  `json:"cost_microcents"`
}

// request is GET /v1/requests/{id}: its attempts as they were booked.
func (s *Server) request(c *gin.Context) {
	rows, err := s.books.Request(c.Request.Context(), c.Param("id"))
	if err != nil {
		s.fail(c, err)
		return
	}
	answer := struct {
		ID       string             `json:"id"`
		Cost     gateway.Microcents `json:"cost_microcents"`
		Attempts []attemptInfo      `json:"attempts"`
	}{ID: c.Param("id")}
	for _, e := range rows {
		if who := event(c).caller; who != nil && e.Key != who.key.ID {
			continue // another client's: as if it were not there
		}
		answer.Cost += e.Cost
		answer.Attempts = append(answer.Attempts, attemptInfo{e.Attempt, e.Role, e.Provider, e.Model, e.Begun, e.FirstContent.Milliseconds(),
			e.Took.Milliseconds(), e.Outcome, e.Finish, e.Winner, e.Usage.Prompt(), e.Usage.CachedRead, e.Usage.Output, e.Source, e.Cost})
	}
	if len(answer.Attempts) == 0 {
		s.fail(c, gateway.Errorf(gateway.UnknownModel, "No such request is in the books."))
		return
	}
	s.writeJSON(c, answer)
}
