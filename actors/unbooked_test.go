package actors

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// reluctant are books that answer for a row what they are told to, after a time.
type reluctant struct {
	*books
	says  error
	after time.Duration
}

func (b *reluctant) Submit(e gateway.Entry, h gateway.Hold, unsure gateway.Microcents, done func(error)) {
	time.AfterFunc(b.after, func() {
		if b.says != nil {
			done(b.says)
			return
		}
		b.books.Submit(e, h, unsure, done)
	})
}

// While a row cannot be written, an answer that must be booked is not told to be whole;
// any other ends after a while, with an alarm.
func TestAnAnswerThatIsNotBookedIsNotWhole(t *testing.T) {
	full := errors.New("no space left on device")
	for name, c := range map[string]struct {
		budget bool
		says   error
		after  time.Duration
		kind   gateway.Kind // 0: a whole answer
		whole  bool
		took   time.Duration
	}{
		"budget, written late":       {true, nil, 20 * time.Second, 0, true, 20 * time.Second},
		"budget, not written":        {true, full, time.Second, gateway.LedgerDown, false, time.Second},
		"budget, hangs":              {true, nil, time.Hour, gateway.LedgerDown, false, settleMust},
		"no budget, not written":     {false, full, time.Second, 0, true, time.Second},
		"no budget, hangs":           {false, nil, time.Hour, 0, true, settleWait},
		"no budget, written in time": {false, nil, time.Second, 0, true, time.Second},
	} {
		for _, stream := range []bool{true, false} {
			t.Run(name+map[bool]string{true: ", stream"}[stream], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, b := purse(t, nil, &fake{open: bills(0, 5)})
					s.cfg.Books = &reluctant{b, c.says, c.after}
					r := spending("r")
					if r.Stream = stream; c.budget {
						r.Accounts = []gateway.Account{limited("k", 1e9)}
					}
					begun := time.Now()
					answer, err := s.Route(t.Context(), r)
					if err == nil && stream {
						_, err = gateway.Collect(answer.Stream)
					}
					if took := time.Since(begun); took != c.took {
						t.Errorf("it ended after %v, want %v", took, c.took)
					}
					if (err == nil) != c.whole || err != nil && gateway.KindOf(err) != c.kind {
						t.Errorf("%v", err)
					}
					time.Sleep(2 * time.Hour) // the books get there
					stopped(t, s)
				})
			})
		}
	}
}
