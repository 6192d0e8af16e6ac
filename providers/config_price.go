package providers

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"gateway"
)

// Prices are picodollars per token: $1 per million tokens is 1,000,000, and one
// microcent per thousand tokens is 10. A price above 0 and under $0.001 per million is
// refused: published examples carry such values by mistake of unit.
const (
	picosPerUSDMtok    = 1_000_000
	picosPerMicrocents = 10
	picosLeast         = 1_000
)

// tariff makes a price list. where is the JSON pointer of the pricing.
func (p *Pricing) tariff(s source, where string) (*gateway.Tariff, *BadConfig) {
	r := rateReader{s: s}
	t := &gateway.Tariff{Base: r.rates(&p.Rates, where, true), Date: p.Date}
	for i, e := range p.Tiers {
		t.Tiers = append(t.Tiers, gateway.Tier{PromptAbove: e.Above, Rates: r.rates(&e.Rates, fmt.Sprint(where, "/tiers/", i), true)})
		if i > 0 && e.Above <= p.Tiers[i-1].Above {
			r.fail(fmt.Sprint(where, "/tiers/", i), "tiers must stand in ascending order")
		}
	}
	for i, e := range p.Windows {
		at := fmt.Sprint(where, "/windows/", i)
		w := gateway.Window{DayShift: time.Duration(e.Shift), Except: e.Except, Rates: r.rates(&e.Rates, at, true), Spans: r.spans(e.Spans, at)}
		for j, day := range e.Except {
			if _, err := time.Parse(time.DateOnly, day); err != nil {
				r.fail(fmt.Sprint(at, "/except/", j), "want a date such as 2027-01-01")
			}
		}
		if e.Weekdays {
			w.Days = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
		}
		t.Windows = append(t.Windows, w)
	}
	for i, e := range p.Scheduled {
		at := fmt.Sprint(where, "/scheduled/", i)
		from, err := time.Parse(time.DateOnly, e.From)
		if err != nil {
			r.fail(at+"/effective_from", "want a date such as 2026-12-01")
		}
		t.Scheduled = append(t.Scheduled, gateway.Scheduled{From: from, Rates: r.rates(&e.Rates, at, true)})
	}
	if p.Date != "" {
		if _, err := time.Parse(time.DateOnly, p.Date); err != nil {
			r.fail(where+"/date", "want a date such as 2026-11-10")
		}
	}
	t.Identify()
	return t, r.err
}

// rateReader keeps the first thing that is wrong.
type rateReader struct {
	s   source
	err *BadConfig
}

func (r *rateReader) fail(where, format string, args ...any) {
	if r.err == nil {
		r.err = r.s.under(where, "", format, args...)
	}
}

func (r *rateReader) rates(e *Rates, where string, needed bool) gateway.Rates {
	input, ok := r.price(e.Input, e.InputUSD, where, "input")
	output, ok2 := r.price(e.Output, e.OutputUSD, where, "output")
	if needed && (!ok || !ok2) {
		r.fail(where, "input and output prices are both needed (0 is free)")
	}
	or := func(micro, usd *Amount, name string, otherwise gateway.Picodollars) gateway.Picodollars {
		if p, ok := r.price(micro, usd, where, name); ok {
			return p
		}
		return otherwise
	}
	out := gateway.Rates{Input: input, Output: output}
	out.CachedRead = or(e.CachedRead, e.CachedReadUSD, "cached_read", input)
	out.CacheWrite5m = or(e.CacheWrite, e.CacheWriteUSD, "cache_write", input)
	out.CacheWrite1h = or(e.CacheWrite1h, e.CacheWrite1hUSD, "cache_write_1h", out.CacheWrite5m)
	return out
}

// price reads one price in whichever unit it is given; false when it is not given.
func (r *rateReader) price(micro, usd *Amount, where, name string) (gateway.Picodollars, bool) {
	switch {
	case micro != nil && usd != nil:
		r.fail(where+"/"+name+"_usd_per_mtok", "the %s price is given in both units; give one", name)
		return 0, false
	case micro != nil:
		return r.exact(*micro, picosPerMicrocents, where+"/"+name+"_per_1k_microcents"), true
	case usd != nil:
		return r.exact(*usd, picosPerUSDMtok, where+"/"+name+"_usd_per_mtok"), true
	}
	return 0, false
}

func (r *rateReader) exact(a Amount, unit int64, where string) gateway.Picodollars {
	v, ok := new(big.Rat).SetString(string(a))
	if !ok || v.Sign() < 0 || len(a) > 40 {
		r.fail(where, "a price must be 0 or more")
		return 0
	}
	picos := new(big.Rat).Mul(v, new(big.Rat).SetInt64(unit))
	if picos.Cmp(new(big.Rat).SetInt64(1e12)) > 0 {
		r.fail(where, "%s is over $1 per token", a)
		return 0
	}
	if v.Sign() > 0 && picos.Cmp(new(big.Rat).SetInt64(picosLeast)) < 0 {
		r.fail(where, "%s comes to under $0.001 per million tokens; %s", a, meant(v, unit))
		return 0
	}
	if !picos.IsInt() {
		r.fail(where, "%s is finer than a picodollar per token", a)
		return 0
	}
	return gateway.Picodollars(picos.Num().Int64())
}

// meant guesses what too small a price was meant to be: dollars per million tokens.
func meant(v *big.Rat, unit int64) string {
	if unit == picosPerMicrocents {
		dollars := v.FloatString(6)
		microcents := new(big.Rat).Mul(v, big.NewRat(100_000, 1))
		return fmt.Sprintf("for $%s per million tokens write %s", strings.TrimRight(strings.TrimRight(dollars, "0"), "."), strings.TrimSuffix(microcents.FloatString(0), "."))
	}
	return "prices here are dollars per million tokens"
}

// spans reads "01:00-04:00".
func (r *rateReader) spans(list []string, where string) []gateway.Span {
	var out []gateway.Span
	for i, text := range list {
		from, to, ok := strings.Cut(text, "-")
		a, okA := minutes(from)
		b, okB := minutes(to)
		if !ok || !okA || !okB || a >= b {
			r.fail(fmt.Sprint(where, "/utc/", i), "want hours of UTC such as 01:00-04:00")
		}
		out = append(out, gateway.Span{From: a, To: b})
	}
	if len(out) == 0 {
		r.fail(where, "a price window needs its hours in \"utc\"")
	}
	return out
}

func minutes(s string) (int, bool) {
	h, m, ok := strings.Cut(strings.TrimSpace(s), ":")
	hour, err1 := strconv.Atoi(h)
	minute, err2 := strconv.Atoi(m)
	return hour*60 + minute, ok && err1 == nil && err2 == nil && hour >= 0 && minute >= 0 && minute < 60 && hour*60+minute <= 24*60
}
