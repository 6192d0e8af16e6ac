package gateway

import (
	"strings"
	"time"
)

// Key is what the gateway knows of one client's key, or of a team that keys belong to.
// It holds no secret: only a hash is kept, and that stays with the store.
type Key struct {
	ID     string
	Alias  string
	Shown  string // the first characters of the secret, for people; "" for a team
	Team   bool   // has no secret: only a parent of keys, with limits and a budget
	Parent string // id of the team that it belongs to; "" for none

	Created time.Time
	Expires time.Time // zero: never
	Revoked time.Time // zero: it is in force

	Models   []string // names or patterns with a final *, as asked or provider/model; nil: every model
	RPM, TPM int      // per minute; 0: no limit
	Parallel int      // requests at one time; 0: no limit
	Budget   Budget
	Clamp    bool // clamp_max_tokens: a longer answer than the budget holds is asked shorter
	Tags     map[string]string
	ModelMap map[string]string // name as asked, or its beginning and a *, to the name that is used; see MapModel
}

// Live says whether the key lets anyone in at that time.
func (k *Key) Live(now time.Time) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || now.Before(k.Expires))
}

// Period is how often a budget begins anew.
type Period string

const (
	Once    Period = "" // the budget is for the key's whole life
	Daily   Period = "day"
	Weekly  Period = "week" // from Monday
	Monthly Period = "month"
)

// Budget is the most that a key, a team or a run may spend. It is hard: what is spent
// and what is held for running attempts never exceed the limit together.
type Budget struct {
	Limited bool // false: no budget
	Limit   Microcents
	Every   Period
	Zone    string // IANA name of the time zone that periods begin in; "" is UTC
}

// Account is one budget on the path of a request: its key's, its team's, its run's. A
// request is admitted by all of them or by none.
type Account struct {
	ID     string // key or team id, or "run:" and the run's id
	Budget Budget
	Clamp  bool
	// Turn is the reading of the keys that the budget is from. One of an earlier turn than
	// the one in force changes nothing: a request may be signed long before it spends.
	Turn int64
}

// Allows says whether names lets a model be used that a client asked for by that name.
// A name matches a pattern that it equals, or that ends with * and begins it; patterns
// are matched with the name as asked, with provider/model, and with the model's own name.
// The words that stand for every model are only ever matched whole: a* is not auto.
func Allows(patterns []string, asked string, m *Model) bool {
	if patterns == nil {
		return true
	}
	for _, p := range patterns {
		if p == asked || p == "auto" && (asked == "" || asked == "default") {
			return true
		}
		if asked != "" && asked != "auto" && asked != "default" && matches(p, asked) || m != nil && (matches(p, m.Name) || matchesPath(p, m)) {
			return true
		}
	}
	return false
}

func matches(pattern, name string) bool {
	if prefix, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}

// matchesPath is matches for provider/model without joining the two.
func matchesPath(pattern string, m *Model) bool {
	provider, name, ok := strings.Cut(pattern, "/")
	if !ok {
		return strings.HasSuffix(pattern, "*") && strings.HasPrefix(m.Provider, strings.TrimSuffix(pattern, "*"))
	}
	return provider == m.Provider && matches(name, m.Name)
}
