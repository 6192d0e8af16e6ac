package actors

import (
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"gateway"
)

// book asks the ledger actor to write a row. done, if set, is called once it is durable.
type book struct {
	entry  gateway.Entry
	hold   gateway.Hold
	unsure gateway.Microcents
	done   func(error)
}

// booked is the books' word that a row is durable, or why not.
type booked struct {
	entry gateway.Entry
	err   error
}

type askSpend struct {
	reply chan map[[2]string]gateway.SpendLine
}

// ledgerActor is the only sender of rows to the books, and aggregates spend by
// provider and model. A row is in a total only once it is durable, so a restart of the
// process reads back the same numbers.
type ledgerActor struct {
	sys    *System
	totals map[[2]string]gateway.SpendLine
	line   line
	again  *time.Timer // of lookOver; nil while nobody is in line
}

func (l *ledgerActor) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case book:
		l.book(c.Self(), m)
	case booked:
		l.booked(m)
	case holdFor:
		l.answer(c, m.attempt)
	case unneeded:
		l.unneed(m.attempt)
	case release:
		l.sys.cfg.Holds.Release(m.hold)
		l.serve()
	case lookOver:
		l.lookOver()
	case askSpend:
		out := make(map[[2]string]gateway.SpendLine, len(l.totals))
		for k, v := range l.totals {
			out[k] = v
		}
		m.reply <- out
	}
}

// book hands a row to the books. Whoever waits for it hears of it in every case, also
// when something here panics: that row is then lost, which is an alarm, and its request
// does not wait for a settlement that never comes.
func (l *ledgerActor) book(self *actor.PID, m book) {
	l.sys.rows.Add(1)
	f := &filing{book: m, sys: l.sys, self: self}
	taken := false
	defer func() {
		if !taken {
			err := gateway.Errorf(gateway.Internal, "the row was not booked")
			f.answer(err)
			l.sys.root.Send(self, booked{m.entry, err})
		}
	}()
	l.sys.cfg.Books.Submit(m.entry, m.hold, m.unsure, f.told)
	taken = true
	if f.met.Swap(true) { // the books are quick as a rule
		l.booked(booked{m.entry, f.err})
	}
}

// filing is a row on its way to the books.
type filing struct {
	book
	sys      *System
	self     *actor.PID
	answered atomic.Bool
	met      atomic.Bool // the books have answered, or Submit has returned
	err      error       // what they answered, if that came first
}

// told is what the books call.
func (f *filing) told(err error) {
	f.answer(err)
	f.err = err
	if f.met.Swap(true) {
		f.sys.root.Send(f.self, booked{f.entry, err})
	}
}

// answer tells whoever waits for the row, once.
func (f *filing) answer(err error) {
	if f.answered.Swap(true) {
		return
	}
	defer f.sys.rows.Done()
	if f.done != nil {
		f.done(err)
	}
}

func (l *ledgerActor) booked(m booked) {
	l.add(m)
	l.serve() // its hold has ended
}

func (l *ledgerActor) add(m booked) {
	if m.err != nil {
		if f := l.sys.cfg.OnLedgerError; f != nil {
			f(m.err)
		}
		return
	}
	e := &m.entry
	key := [2]string{e.Provider, e.Model}
	t := l.totals[key]
	t.Attempts++
	if e.Winner {
		t.Requests++
	}
	t.Prompt += int64(e.Usage.Prompt())
	t.Cached += int64(e.Usage.CachedRead)
	t.Output += int64(e.Usage.Output)
	t.Cost += e.Cost
	if e.Source == gateway.UsageEstimated {
		t.Estimated += e.Cost
	}
	if !e.Priced {
		t.Unpriced++
	}
	l.totals[key] = t
}
