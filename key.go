package gateway

import "time"

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
	ModelMap map[string]string // name as asked to the name that is used
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
}
