package providers

import (
	"github.com/tidwall/gjson"

	"gateway"
)

// messagesUsage merges the usage blocks of one answer: of each count the later value holds.
type messagesUsage struct {
	fresh, cached, written, output, reasoning int
	written5m, written1h                      int
	split                                     bool // how long the written ones live was told
	told                                      bool
	counts                                    gateway.Usage
}

func (u *messagesUsage) read(block gjson.Result) {
	if !block.IsObject() {
		return
	}
	u.told = true
	for _, c := range [...]struct {
		path string
		to   *int
	}{
		{"input_tokens", &u.fresh}, {"cache_read_input_tokens", &u.cached}, {"cache_creation_input_tokens", &u.written},
		{"output_tokens", &u.output}, {"output_tokens_details.thinking_tokens", &u.reasoning},
	} {
		takeCount(c.to, block.Get(c.path))
	}
	if lives := block.Get("cache_creation"); lives.IsObject() {
		u.split = true
		takeCount(&u.written5m, lives.Get("ephemeral_5m_input_tokens"))
		takeCount(&u.written1h, lives.Get("ephemeral_1h_input_tokens"))
		u.written = max(u.written, u.written5m+u.written1h)
	}
}

func takeCount(to *int, value gjson.Result) {
	const most = 1 << 40 // no provider counts so many: keeps sums and prices in range
	if value.Type == gjson.Number {
		*to = int(min(max(value.Int(), 0), most))
	}
}

// latest is the usage so far; nil if none was told. It is overwritten by later calls.
func (u *messagesUsage) latest() *gateway.Usage {
	if !u.told {
		return nil
	}
	long := 0
	if u.split { // the rest is of the short kind, which is all that the total tells
		long = min(u.written1h, u.written)
	}
	u.counts = gateway.Usage{Reported: true, Fresh: u.fresh, CachedRead: u.cached, CacheWrite5m: u.written - long, CacheWrite1h: long,
		Output: u.output, Reasoning: min(u.reasoning, u.output)}
	return &u.counts
}
