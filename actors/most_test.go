package actors

import (
	"context"
	"testing"
	"testing/synctest"

	"gateway"
)

// A model is asked for no more than it gives, but for a request that is relayed as it is.
func TestMostTokens(t *testing.T) {
	for name, c := range map[string]struct {
		speaks     gateway.Protocol
		wire       gateway.Wire
		asked, got int
	}{
		"more than it gives":  {gateway.Protocol{}, "a", 32_000, 8192},
		"less":                {gateway.Protocol{}, "b", 100, 100},
		"nothing":             {gateway.Protocol{}, "b", 0, 0},
		"relayed":             {gateway.Protocol{Wire: "a", Verbatim: true}, "a", 32_000, 32_000},
		"to another format":   {gateway.Protocol{Wire: "a", Verbatim: true}, "b", 32_000, 8192},
		"relayed and bounded": {gateway.Protocol{Wire: "a"}, "a", 32_000, 8192},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent := -1
				up := &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
					sent = call.MaxTokens
					return says("a", 0)(ctx, call)
				}}
				s, _ := setup(t, func(cfg *Config) {
					cfg.Providers[0].Default.Protocol, cfg.Providers[0].Default.MaxOutput = c.speaks, 8192
				}, up)
				req := ask("r", false)
				req.Wire, req.MaxTokens = c.wire, c.asked
				if _, err := s.Route(t.Context(), req); err != nil || sent != c.got {
					t.Errorf("asked for %d, %v; want %d", sent, err, c.got)
				}
				stopped(t, s)
			})
		})
	}
}
