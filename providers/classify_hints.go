package providers

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gateway"
)

var tryAgain = regexp.MustCompile(`(?i)(?:try again|retry|after) (?:in |after )?((?:\d+(?:\.\d+)?(?:ms|h|m|s))+|\d+(?:\.\d+)? ?(?:seconds?|minutes?))`)

// retryAfter reads when to come back, in the order of how exact the hint is. It is
// not clamped; zero means that the provider did not say.
func retryAfter(header http.Header, f *failure, rate *gateway.RateInfo) time.Duration {
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil {
		return span(ms, time.Millisecond)
	}
	if text := header.Get("Retry-After"); text != "" {
		if seconds, err := strconv.ParseFloat(text, 64); err == nil {
			return span(seconds, time.Second)
		}
		if at, err := http.ParseTime(text); err == nil {
			return max(0, at.Sub(now(header)))
		}
	}
	if f.daily {
		return untilMidnightPacific(time.Now())
	}
	if d, err := time.ParseDuration(f.delay); err == nil && d > 0 {
		return d
	}
	if m := tryAgain.FindStringSubmatch(f.message); m != nil {
		if d := spokenDuration(m[1]); d > 0 {
			return d
		}
	}
	return exhausted(rate)
}

// now is the provider's clock where it told it, so that a wrong clock here does no harm.
func now(header http.Header) time.Time {
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		return at
	}
	return time.Now()
}

// span is n units; nonsense is zero, and nothing is longer than a year.
func span(n float64, unit time.Duration) time.Duration {
	const year = 365 * 24 * time.Hour
	if !(n > 0) {
		return 0
	}
	if n > float64(year/unit) {
		return year
	}
	return time.Duration(n * float64(unit))
}

func spokenDuration(text string) time.Duration {
	if d, err := time.ParseDuration(text); err == nil {
		return d
	}
	number := strings.TrimRight(text, " abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0
	}
	if strings.Contains(text, "minute") {
		return span(n, time.Minute)
	}
	return span(n, time.Second)
}

// exhausted is the longest reset among the limits with nothing left.
func exhausted(rate *gateway.RateInfo) time.Duration {
	if rate == nil {
		return 0
	}
	var longest time.Duration
	for _, w := range [...]gateway.RateWindow{rate.Requests, rate.Tokens, rate.InputTokens, rate.OutputTokens} {
		if w.Remaining == 0 {
			longest = max(longest, w.Reset)
		}
	}
	return longest
}

// untilMidnightPacific is when Gemini's daily quotas come back. Without the zone's
// table, UTC-8 errs on the late side.
func untilMidnightPacific(at time.Time) time.Duration {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		zone = time.FixedZone("PST", -8*3600)
	}
	local := at.In(zone)
	return time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, zone).Sub(at)
}

// rateOf reads limits from an answer's headers; nil when there are none.
func rateOf(header http.Header) *gateway.RateInfo {
	if !tellsRate(header) {
		return nil
	}
	var found bool
	window := func(name string) gateway.RateWindow {
		w := gateway.RateWindow{Limit: -1, Remaining: -1}
		for _, form := range [...][2]string{{"X-Ratelimit-", "-" + name}, {"Anthropic-Ratelimit-" + name + "-", ""}} {
			get := func(what string) string {
				if form[1] == "" {
					return header.Get(form[0] + what)
				}
				return header.Get(form[0] + what + form[1])
			}
			if n, err := strconv.Atoi(get("Limit")); err == nil {
				w.Limit, found = n, true
			}
			if n, err := strconv.Atoi(get("Remaining")); err == nil {
				w.Remaining, found = n, true
			}
			if text := get("Reset"); text != "" {
				w.Reset = resetIn(text, header)
			}
		}
		return w
	}
	rate := &gateway.RateInfo{Requests: window("Requests"), Tokens: window("Tokens"),
		InputTokens: window("Input-Tokens"), OutputTokens: window("Output-Tokens")}
	if !found {
		return nil
	}
	return rate
}

// tellsRate: most answers of most servers have none of these headers.
func tellsRate(header http.Header) bool {
	for name := range header {
		if strings.HasPrefix(name, "X-Ratelimit-") || strings.HasPrefix(name, "Anthropic-Ratelimit-") {
			return true
		}
	}
	return false
}

func resetIn(text string, header http.Header) time.Duration {
	if d, err := time.ParseDuration(text); err == nil {
		return max(0, d)
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return max(0, at.Sub(now(header)))
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return span(seconds, time.Second)
	}
	return 0
}
