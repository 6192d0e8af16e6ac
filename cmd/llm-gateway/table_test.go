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

// The table says of each provider why a request would pass it by now, and for how long.
func TestBoardSaysWhoIsPassedBy(t *testing.T) {
	now := time.Now()
	one := func(name string, m gateway.ModelStatus) gateway.ProviderStatus {
		m.Model, m.HedgeBucket = "m", 12.25
		return gateway.ProviderStatus{Name: name, Model: "m", State: m.State, Models: []gateway.ModelStatus{m}}
	}
	b := newBoard("http://127.0.0.1:1", "curl …", func() []gateway.ProviderStatus {
		return []gateway.ProviderStatus{
			one("well", gateway.ModelStatus{State: "closed"}), one("limited", gateway.ModelStatus{State: "cooling", CoolingUntil: now.Add(7300 * time.Millisecond)}),
			one("busy", gateway.ModelStatus{State: "closed", Skip: "all of its places are taken", Queued: 41}), one("refuses", gateway.ModelStatus{State: "misconfigured"}),
			{Name: "new", Model: "m", State: "closed"},
		}
	})
	text := b.render(now)
	if !strings.Contains(text, "12.2 hedges left") {
		t.Errorf("no bucket in\n%s", text)
	}
	for name, want := range map[string]string{"well": "closed", "limited": "cooling 7s", "busy": "full", "refuses": "misconfigured", "new": "closed"} {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, name+" ") && (!strings.Contains(line, want) || name == "busy" && !strings.Contains(line, "41")) {
				t.Errorf("%q, want %s", line, want)
			}
		}
	}
}
