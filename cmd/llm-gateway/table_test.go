package main

import (
	"strings"
	"testing"
	"time"

	"gateway"
)

func TestBoardKeepsItsHeightAndShowsBothHalves(t *testing.T) {
	status := func() []gateway.ProviderStatus {
		return []gateway.ProviderStatus{{
			Name: "deepseek", Model: "m", State: "closed", InFlight: 2,
			Models: []gateway.ModelStatus{{Model: "m", P50: 120 * time.Millisecond, Demoted: true}},
		}}
	}
	b := newBoard("http://127.0.0.1:1", "curl …", status)
	empty := strings.Count(b.render(b.begun), "\n")
	for range 30 {
		b.add(answered{at: b.begun, asked: "auto", stream: true, provider: "deepseek", attempts: 2, first: 80 * time.Millisecond, whole: 1500 * time.Millisecond, cost: 1234, priced: true})
	}
	b.add(answered{at: b.begun, asked: "auto", err: "every provider failed"})
	text := b.render(b.begun.Add(90 * time.Second))
	if lines := strings.Count(text, "\n"); lines != empty {
		t.Errorf("the picture grew from %d to %d lines:\n%s", empty, lines, text)
	}
	for _, want := range []string{"1m30s", "31 requests, 1 failed", "$0.00037020", "passed over", "120ms", "auto stream", "1.5s", "1234", "failed: every provider failed"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
