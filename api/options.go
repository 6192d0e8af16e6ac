package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"gateway"
)

// options reads what a client may choose by header. A value that cannot be read is
// the client's error: silently ignoring "x-gateway-fallback: of" would cost money.
func options(h http.Header) (o gateway.Options, err *gateway.Error) {
	if !chooses(h) {
		return o, nil
	}
	r := headerReader{h: h}
	o.Hedge = r.word("x-gateway-hedge", "off", "auto", "force")
	o.HedgeAfter = r.duration("x-gateway-hedge-after")
	o.Deadline = r.duration("x-gateway-deadline")
	fallback := r.word("x-gateway-fallback", "off", "on")
	o.NoFallback, o.Fallback = fallback == "off", fallback == "on"
	o.OnBreak = r.word("x-gateway-stream-failure", "error", "continue", "atomic")
	o.HasPatience = h.Get("x-gateway-patience") != ""
	o.Patience = r.duration("x-gateway-patience")
	o.Receipt = r.word("x-gateway-receipt", "0", "1") == "1"
	o.MaxCost = gateway.Microcents(r.number("x-gateway-max-cost-microcents"))
	o.RunCaps.MaxCost = gateway.Microcents(r.number("x-gateway-run-max-cost-microcents"))
	o.RunCaps.MaxCalls = int(r.number("x-gateway-run-max-calls"))
	o.RunCaps.MaxTime = time.Duration(min(r.number("x-gateway-run-max-seconds"), 366*24*3600)) * time.Second
	o.Affinity = h.Get("x-gateway-session")
	o.Region = h.Get("x-gateway-region")
	return o, r.err
}

// chooses says whether there is anything to choose: most requests have no such header.
func chooses(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Gateway-") {
			return true
		}
	}
	return false
}

type headerReader struct {
	h   http.Header
	err *gateway.Error
}

func (r *headerReader) bad(name, want string) {
	if r.err == nil {
		r.err = gateway.Errorf(gateway.Invalid, "header %s: want %s", name, want)
		r.err.Param = name
	}
}

func (r *headerReader) word(name string, words ...string) string {
	v := r.h.Get(name)
	if v == "" {
		return ""
	}
	want := ""
	for i, w := range words {
		if v == w {
			return v
		}
		if i > 0 {
			want += ", "
		}
		want += w
	}
	r.bad(name, "one of "+want)
	return ""
}

// duration reads "800ms" or plain seconds.
func (r *headerReader) duration(name string) time.Duration {
	v := r.h.Get(name)
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		seconds, serr := strconv.ParseFloat(v, 64)
		if serr != nil || seconds != seconds || seconds > 1e6 {
			r.bad(name, "a duration such as 800ms or 30s")
			return 0
		}
		d = time.Duration(seconds * float64(time.Second))
	}
	if d < 0 || d > 24*time.Hour {
		r.bad(name, "a duration between 0 and 24h")
		return 0
	}
	return d
}

func (r *headerReader) number(name string) int64 {
	v := r.h.Get(name)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		r.bad(name, "a whole number")
		return 0
	}
	return n
}
