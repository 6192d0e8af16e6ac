package main

import (
	"sync/atomic"

	"gateway"
)

// outside is what can be known of a round's money without asking the gateway: the
// providers' bill, which calls they saw cut, and which calls callers left or had raced. A
// refusal is judged by it, since the numbers in a refusal are those that it was made with.
type outside struct {
	first, second *vendor
	mayCut        atomic.Int64 // calls begun that their caller means to leave, or has raced
}

// purseBody is more than the bytes of one call's body as it is sent on, and what is added
// for its message.
const purseBody = 640

// hold is the most that one call can be held for at a vendor, in microcents.
func (v *vendor) hold() int64 { return int64(gateway.RoundUp(purseBody*v.input + purseMax*v.output)) }

// hold is the most that one call can be held for anywhere.
func (o *outside) hold() int64 { return max(o.first.hold(), o.second.hold()) }

// count is what a moment of a round came to, in microcents.
type count struct {
	bill   int64 // charged by the providers
	unsure int64 // the most that calls that were cut can have cost beyond that
	lag    int64 // the most of calls that a provider has at this moment, and of those cut on their way to it
}

// now counts. What a provider has in flight is read before its bill, so that a call that
// ends meanwhile counts twice rather than not at all.
func (o *outside) now() (c count) {
	unseen := o.mayCut.Load()
	for _, v := range []*vendor{o.first, o.second} {
		c.lag += int64(v.now.Load().Counts().InFlight) * v.hold()
		var picos int64
		bills := v.now.Load().Bill()
		for i := range bills {
			cost := v.picos(&bills[i])
			picos += cost
			if bills[i].Cut {
				unseen--
				c.unsure += v.hold() - int64(gateway.RoundUp(cost))
			}
		}
		c.bill += int64(gateway.RoundUp(picos)) + int64(len(bills)) // each row is rounded up
	}
	c.lag += max(0, unseen) * o.hold()
	return c
}

// allows says whether what a refusal claims as spent and unsure can be true.
func (c count) allows(spent, unsure int64) bool { return spent+unsure <= c.bill+c.unsure+c.lag }
