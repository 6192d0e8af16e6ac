package ledger

import (
	"time"

	"gateway"
)

// Run is the durable state of an agent's run.
type Run struct {
	Key, ID string
	Caps    gateway.RunCaps
	Begun   time.Time
	Calls   int
	Stopped time.Time // zero: it was not
}

func (r *Run) frame() []byte {
	var p pen
	p.begin(runRecord)
	p.text(r.Key)
	p.text(r.ID)
	for _, n := range [...]int64{int64(r.Caps.MaxCost), int64(r.Caps.MaxCalls), int64(r.Caps.MaxTime), r.Begun.UnixNano(), int64(r.Calls), nanoOrZero(r.Stopped)} {
		p.num(n)
	}
	return p.end()
}

func readRun(p page) (r Run, err error) {
	r.Key, r.ID = p.text(), p.text()
	r.Caps.MaxCost, r.Caps.MaxCalls, r.Caps.MaxTime = gateway.Microcents(p.num()), int(p.num()), time.Duration(p.num())
	r.Begun, r.Calls, r.Stopped = unixNano(p.num()), int(p.num()), timeOrZero(p.num())
	return r, p.err
}

func nanoOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func timeOrZero(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return unixNano(n)
}

// Repeat is an Idempotency-Key and the request that it stands for. Both texts of the
// client are kept as hashes only.
type Repeat struct {
	Key     string // id of the client's key
	Name    [32]byte
	Body    [32]byte
	Request string
	At      time.Time
}

func (r *Repeat) frame() []byte {
	var p pen
	p.begin(repeatRecord)
	p.text(r.Key)
	p.text(string(r.Name[:]))
	p.text(string(r.Body[:]))
	p.text(r.Request)
	p.num(r.At.UnixNano())
	return p.end()
}

func readRepeat(p page) (r Repeat, err error) {
	r.Key = p.text()
	name, body := p.text(), p.text()
	if len(name) != len(r.Name) || len(body) != len(r.Body) {
		return r, errTorn
	}
	copy(r.Name[:], name)
	copy(r.Body[:], body)
	r.Request, r.At = p.text(), unixNano(p.num())
	return r, p.err
}
