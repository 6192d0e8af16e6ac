package providers

import (
	"math/big"
	"strings"

	"github.com/tidwall/gjson"

	"gateway"
)

// read takes the totals of a usage block; the latest block counts.
func (s *openAIStream) read(block gjson.Result) {
	if !block.IsObject() {
		return
	}
	u := openAIUsage(block)
	if s.a.Quirks.BilledCost {
		if cost := block.Get("cost"); cost.Type == gjson.Number && !block.Get("is_byok").Bool() {
			u.Billed, u.HasBilled = microcents(cost.Raw)
		}
	}
	s.counts = u
	s.usage, s.fresh = &s.counts, true
}

// openAIUsage reads a usage block of any OpenAI-compatible provider.
func openAIUsage(block gjson.Result) gateway.Usage {
	count := func(path string) int {
		const most = 1 << 40 // no provider counts so many: keeps sums and prices in range
		return int(min(max(block.Get(path).Int(), 0), most))
	}
	prompt, output := count("prompt_tokens"), count("completion_tokens")
	if total := count("total_tokens"); total > prompt+output {
		output = total - prompt // reasoning was left out of completion_tokens
	}
	u := gateway.Usage{Reported: true, Output: output,
		Reasoning:    count("completion_tokens_details.reasoning_tokens"),
		CacheWrite5m: count("prompt_tokens_details.cache_write_tokens")}
	for _, path := range [...]string{"prompt_tokens_details.cached_tokens", "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"} {
		if u.CachedRead = count(path); u.CachedRead > 0 {
			break
		}
	}
	u.CachedRead = min(u.CachedRead, prompt)
	u.CacheWrite5m = min(u.CacheWrite5m, prompt-u.CachedRead)
	u.Fresh = prompt - u.CachedRead - u.CacheWrite5m
	return u
}

// microcents turns a decimal number of USD into microcents, exactly and rounded up.
// Sums that no answer costs are not believed.
func microcents(usd string) (gateway.Microcents, bool) {
	if len(usd) > 40 || strings.ContainsAny(usd, "/_xX") {
		return 0, false
	}
	if _, exponent, found := strings.Cut(strings.ToLower(usd), "e"); found && len(exponent) > 3 {
		return 0, false // keeps a hostile exponent from becoming a huge number
	}
	value, ok := new(big.Rat).SetString(usd)
	if !ok || value.Sign() < 0 {
		return 0, false
	}
	value.Mul(value, big.NewRat(100_000_000, 1))
	whole, rest := new(big.Int).QuoRem(value.Num(), value.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	const most = 1e14 // a million dollars
	if !whole.IsInt64() || whole.Int64() > most {
		return 0, false
	}
	return gateway.Microcents(whole.Int64()), true
}
