package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gateway"
)

// spend is GET /v1/spend. With keys configured a client sees its own key's spending, and
// a question about another key is refused rather than answered with its own.
func (s *Server) spend(c *gin.Context) {
	q, err := spendQuery(c.Request.URL.Query(), time.Now())
	if err != nil {
		s.fail(c, err)
		return
	}
	if who := event(c).caller; who != nil {
		if q.Key != "" && q.Key != who.key.ID || q.Team != "" && q.Team != who.key.Parent {
			s.failAs(c, http.StatusForbidden, "forbidden", "A client key sees its own spending only.")
			return
		}
		q.Key = who.key.ID
	}
	s.writeSpend(c, q, s.budgets(c))
}

// budgetInfo is a budget that a client's requests must fit into, and what stands on it.
type budgetInfo struct {
	Account     string             `json:"account"`
	Limit       gateway.Microcents `json:"limit_microcents"`
	AccountInfo `json:",inline"`
}

// budgets are those of the caller's key and its team.
func (s *Server) budgets(c *gin.Context) (list []budgetInfo) {
	who := event(c).caller
	if who == nil || s.cfg.Account == nil {
		return nil
	}
	var req gateway.Request
	who.sign(&req)
	for _, a := range req.Accounts {
		if st, err := s.cfg.Account(a); err == nil {
			list = append(list, budgetInfo{a.ID, a.Budget.Limit, accountInfo(st)})
		}
	}
	return list
}

// writeSpend answers a query with the total and the groups of it, and with the hours that
// they are of.
func (s *Server) writeSpend(c *gin.Context, q gateway.SpendQuery, budgets []budgetInfo) {
	q = q.WholeHours()
	whole := q
	whole.By = nil
	total, err := s.books.Spend(c.Request.Context(), whole)
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
		From   time.Time           `json:"from,omitzero"` // the begin of an hour
		To     time.Time           `json:"to,omitzero"`   // the end of one
		// Budgets are as they stand now, whatever the query.
		Budgets []budgetInfo `json:"budgets,omitempty"`
	}{Groups: lines, From: q.From, To: q.To, Budgets: budgets}
	if len(total) > 0 {
		answer.Total = total[0]
	}
	s.writeJSON(c, answer)
}

// spendQuery reads the query of a report. A word that is not known is refused: a filter
// with a slip of the pen would otherwise answer for everything.
func spendQuery(values url.Values, now time.Time) (q gateway.SpendQuery, bad *gateway.Error) {
	words := map[string]*string{"provider": &q.Provider, "model": &q.Model, "key": &q.Key, "team": &q.Team, "run": &q.Run, "tag": &q.Tag,
		"from": nil, "to": nil, "last": nil, "by": nil}
	for name, list := range values {
		into, known := words[name]
		if !known {
			names := slices.Sorted(maps.Keys(words))
			if near := gateway.Nearest(name, names); near != "" {
				return q, field(name, "%q is not known here; did you mean %q?", name, near)
			}
			return q, field(name, "%q is not known here; there is %s.", name, strings.Join(names, ", "))
		}
		if len(list) > 1 {
			return q, field(name, "%q stands there twice.", name)
		}
		if into != nil {
			*into = list[0]
		}
	}
	if by := values.Get("by"); by != "" {
		q.By = strings.Split(by, ",")
	}
	for name, at := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if err := readTime(values.Get(name), at); err != nil {
			return q, field(name, "%q must be a date such as 2026-11-24 or a time such as 2026-11-24T09:00:00Z.", name)
		}
		if name == "to" && len(values.Get(name)) == len(time.DateOnly) {
			*at = at.AddDate(0, 0, 1) // the day is in it, as in `ledger summary`
		}
	}
	if last := values.Get("last"); last != "" {
		length, ok := ParseDays(last)
		if !ok {
			return q, field("last", "\"last\" must be a length of time such as 24h or 7d.")
		}
		if !q.From.IsZero() {
			return q, field("last", "\"last\" and \"from\" both say when to begin.")
		}
		q.From = now.Add(-length)
	}
	return q, nil
}

// ParseDays reads a length of time; "90d" is 90 times 24 hours.
func ParseDays(text string) (time.Duration, bool) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(n)
		return time.Duration(n) * 24 * time.Hour, err == nil && n >= 0 && n <= 36_500
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
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
	PriceDate  string              `json:"price_date,omitempty"`
}

type requestInfo struct {
	ID       string             `json:"id"`
	Key      string             `json:"key,omitempty"`
	Team     string             `json:"team,omitempty"`
	Run      string             `json:"run,omitempty"`
	Tags     map[string]string  `json:"tags,omitempty"`
	Asked    string             `json:"model"`
	Cost     gateway.Microcents `json:"cost_microcents"`
	Attempts []attemptInfo      `json:"attempts"`
}

// request is GET /v1/requests/{id}: its attempts as they were booked. Another client's
// request is as if it were not there.
func (s *Server) request(c *gin.Context) {
	rows, err := s.books.Request(c.Request.Context(), c.Param("id"))
	if err != nil {
		s.fail(c, err)
		return
	}
	answer := requestInfo{ID: c.Param("id")}
	for _, e := range rows {
		if who := event(c).caller; who != nil && e.Key != who.key.ID {
			continue
		}
		answer.Key, answer.Team, answer.Run, answer.Tags, answer.Asked = e.Key, e.Team, e.Run, e.Tags, e.Asked
		answer.Cost += e.Cost
		answer.Attempts = append(answer.Attempts, attemptInfo{e.Attempt, e.Role, e.Provider, e.Model, e.Begun, e.FirstContent.Milliseconds(),
			e.Took.Milliseconds(), e.Outcome, e.Finish, e.Winner, e.Usage.Prompt(), e.Usage.CachedRead, e.Usage.Output, e.Source, e.Cost, e.PriceDate})
	}
	if len(answer.Attempts) == 0 {
		s.failAs(c, http.StatusNotFound, "request_not_found", "No such request is in the books.")
		return
	}
	s.writeJSON(c, answer)
}
