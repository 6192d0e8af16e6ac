package providers

import (
	"net/http"
	"testing"

	"gateway"
)

// Whose limit a 429 is about decides whom it keeps away.
func TestWhoseLimit(t *testing.T) {
	left := func(n string) http.Header {
		return http.Header{"X-Ratelimit-Limit-Requests": {"100"}, "X-Ratelimit-Remaining-Requests": {n}}
	}
	for name, c := range map[string]struct {
		header          http.Header
		body            string
		oneModel, quota bool
	}{
		"nothing said":           {nil, `{"error":{"message":"slow down","code":"slow_down"}}`, false, false},
		"no body":                {nil, ``, false, false},
		"the model is named":     {nil, `{"error":{"message":"Rate limit reached for m-1 on tokens per min (TPM)","code":"rate_limit_exceeded"}}`, true, false},
		"its window is empty":    {left("0"), `{"error":{"message":"slow down"}}`, true, false},
		"its window is not":      {left("7"), `{"error":{"message":"slow down"}}`, false, false},
		"a project and a model":  {nil, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]}]}}`, true, false},
		"a day of a project":     {nil, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}}`, false, true},
		"a plan's window":        {nil, `{"error":{"code":"1308","message":"Usage limit reached for 5 hour"}}`, false, true},
		"too many calls at once": {nil, `{"error":{"code":"1302","message":"too many"}}`, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := c.header
			if h == nil {
				h = http.Header{}
			}
			e := classify("openai_compatible", "p", "m-1", 429, h, []byte(c.body))
			if e.Kind != gateway.RateLimited || e.OneModel != c.oneModel || e.Quota != c.quota {
				t.Errorf("%v, of one model %v, quota %v", e.Kind, e.OneModel, e.Quota)
			}
		})
	}
}
