package gateway

import "time"

// Role is why an attempt was made.
type Role string

const (
	Primary  Role = "primary"  // the first of its request
	Fallback Role = "fallback" // after another attempt failed
	Retry    Role = "retry"    // the same provider once more
	Hedge    Role = "hedge"    // a race against a late attempt
	Moved    Role = "moved"    // a hedge that took a call off a sick provider
	Probe    Role = "probe"    // the call that tests a half-open breaker
	Resumed  Role = "resumed"  // continues a broken stream
)

// Entry is the ledger row of one attempt. Request and Attempt together are its key.
type Entry struct {
	Request  string
	Attempt  int // from 1
	Key      string
	Team     string // of the key when the attempt was made
	Run      string
	Tags     map[string]string
	Op       string // chat, embeddings
	Role     Role
	Provider string
	Model    string // as sent on the wire
	Asked    string // model as the client named it

	Begun        time.Time
	FirstContent time.Duration // after Begun; 0 if none came
	Took         time.Duration // after Begun

	Outcome string // "ok" or the Kind's word
	Status  int    // the provider's HTTP status, 0 if none
	Finish  string // native finish reason
	Winner  bool   // its bytes are the client's answer
	Stream  bool   // the client streamed

	Usage     Usage
	Source    UsageSource
	Cost      Microcents
	Priced    bool   // false: the model's price is not known and Cost is 0
	PriceDate string // Tariff.Date
	Tariff    string // Tariff.ID, by which the price can be found again
}

// UsageSource says where a row's counts come from.
type UsageSource string

const (
	UsageReported  UsageSource = "reported"  // by the provider
	UsageEstimated UsageSource = "estimated" // by us, or without fees that nothing reports
	UsageNone      UsageSource = "none"      // nothing was sent, so nothing is billed
)
