package gateway

import "time"

// ProviderStatus is what the gateway knows about one provider now. It is read from
// memory; no provider is called.
type ProviderStatus struct {
	Name     string        `json:"name"`
	Kind     string        `json:"kind"`
	Model    string        `json:"model"` // the one asked when the client names none
	State    string        `json:"state"` // closed, open, half_open, misconfigured, cooling
	InFlight int           `json:"in_flight"`
	Models   []ModelStatus `json:"models,omitempty"`
}

// ModelStatus is the routing state of one model of a provider.
type ModelStatus struct {
	Model        string        `json:"model"`
	State        string        `json:"state"`
	InFlight     int           `json:"in_flight"`
	Places       int           `json:"places,omitempty"` // calls at once, configured or learned; 0: no limit is known
	Queued       int           `json:"queued"`
	CoolingUntil time.Time     `json:"cooling_until,omitzero"`
	P50          time.Duration `json:"ttft_p50_ns"`
	P95          time.Duration `json:"ttft_p95_ns"`
	Baseline     time.Duration `json:"ttft_baseline_p95_ns"`
	Demoted      bool          `json:"demoted"`
	HedgeBucket  float64       `json:"hedge_bucket"`
	Skip         string        `json:"would_skip,omitempty"` // why a request would pass it by now
}

// LedgerStatus says whether the books can be written.
type LedgerStatus struct {
	State LedgerState
	Since time.Time // of the trouble; zero while all is well
	Why   string    // for people; it holds no path and nothing of a request

	Doubled  int64 // rows that were settled a second time, which changed nothing
	Exceeded int64 // bills that were larger than their hold

	Waiting int64 // bytes of memory held by rows that are not where reports read them yet
	Full    bool  // that is so much that nothing may leave, whoever it is for: everybody gets 503
}

// LedgerState is one word about the books.
type LedgerState string

const (
	LedgerOK      LedgerState = "ok"
	LedgerBehind  LedgerState = "behind"  // rows are durable, but cannot be brought to where reports read them
	LedgerFailing LedgerState = "failing" // rows cannot be made durable: they wait in memory, and keys with a budget get 503
)

// SpendQuery chooses rows. Zero fields choose everything.
type SpendQuery struct {
	From, To             time.Time // by the attempt's begin; To exclusive
	Provider, Model, Key string
	Team, Run            string
	Tag                  string   // name=value
	By                   []string // of SpendGroups; nil: one total
}

// WholeHours is the query that a report answers: sums are kept by the hour, so an hour that
// is asked for in part is in it whole.
func (q SpendQuery) WholeHours() SpendQuery {
	if !q.From.IsZero() {
		q.From = q.From.UTC().Truncate(time.Hour)
	}
	if !q.To.IsZero() {
		to := q.To.UTC().Truncate(time.Hour)
		if to.Before(q.To) {
			to = to.Add(time.Hour)
		}
		q.To = to
	}
	return q
}

// SpendGroups are what a report can be split by. tag:NAME is one too: the values of that tag.
var SpendGroups = []string{"provider", "model", "key", "team", "run", "tag", "hour", "day", "month"}

// SpendLine is one group of a spend report.
type SpendLine struct {
	Group     map[string]string `json:"group,omitempty"`
	Attempts  int64             `json:"attempts"`
	Requests  int64             `json:"requests"` // attempts that won
	Prompt    int64             `json:"prompt_tokens"`
	Cached    int64             `json:"cached_tokens"`
	Output    int64             `json:"completion_tokens"`
	Cost      Microcents        `json:"cost_microcents"`
	Estimated Microcents        `json:"estimated_microcents"` // the part of Cost that is an estimate
	Unpriced  int64             `json:"unpriced_attempts"`
}
