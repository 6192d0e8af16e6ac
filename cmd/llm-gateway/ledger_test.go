package main

import (
	"strings"
	"testing"
	"time"

	"gateway"
	"gateway/ledger"
)

func TestLedgerSummaryReadsTheBooks(t *testing.T) {
	dir := t.TempDir()
	store, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 14, 23, 59, 0, 0, time.UTC)
	for i, provider := range []string{"deepseek", "openai"} {
		_, err = store.Append(t.Context(), []gateway.Entry{{
			Request: "r", Attempt: i + 1, Provider: provider, Model: "m", Op: "chat", Role: gateway.Primary, Begun: at,
			Outcome: "ok", Winner: true, Usage: gateway.Usage{Fresh: 7, Output: 2, Reported: true},
			Source: gateway.UsageReported, Cost: 12345, Priced: true,
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	// The writer stays open: a summary does not need the gateway to stop.
	defer store.Close()
	for _, c := range []struct{ args, want string }{
		{"", "$0.00012345"},
		{"--by=", "$0.00024690"},
		{"--json --by day", `"2026-03-14"`},
		{"--csv --by provider --provider openai", "openai,1,1,7,0,2,12345,0,0"},
		{"--from 2026-03-14 --to 2026-03-14 --csv --by=", "2,2,14,0,4,24690,0,0"},
		{"--from 2026-03-15 --json", "[]"},
	} {
		var out, complaint strings.Builder
		args := append([]string{"ledger", "summary", "--data-dir", dir}, strings.Fields(c.args)...)
		code := run(t.Context(), t.Context(), args, only(nil), &out, &complaint)
		if code != 0 || !strings.Contains(out.String(), c.want) {
			t.Errorf("summary %s: exit %d %s\n%swant %q", c.args, code, complaint.String(), out.String(), c.want)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"query", "2026-03-14T23:59:00Z"}, {"query --provider openai --json", `"provider":"openai"`}, {"query --outcome timeout --json", "[]"},
		{"export --request r", "r,2,2026-03-14T23:59:00Z"}, {"export --form focus --last 1d --provider x", "BilledCost"}, {"export --form jsonl", `"cost_microcents":12345`},
	} {
		var out, complaint strings.Builder
		args := append(append([]string{"ledger"}, strings.Fields(c.args)...), "--data-dir", dir)
		if code := run(t.Context(), t.Context(), args, only(nil), &out, &complaint); code != 0 || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: exit %d %s\n%swant %q", c.args, code, complaint.String(), out.String(), c.want)
		}
	}
	var out, complaint strings.Builder
	if code := run(t.Context(), t.Context(), []string{"ledger", "verify", "--data-dir", dir}, only(nil), &out, &complaint); code != 0 {
		t.Errorf("verify: exit %d %s", code, complaint.String())
	}
}

func TestLedgerSummaryRefusesWhatItDoesNotKnow(t *testing.T) {
	for args, want := range map[string]string{
		"--by colour":       "colour",
		"--from yesterday":  "yesterday",
		"--json --csv":      "csv",
		"--data-dir absent": "", // an empty report
	} {
		var out, complaint strings.Builder
		code := run(t.Context(), t.Context(), append([]string{"ledger", "summary"}, strings.Fields(args)...), only(nil), &out, &complaint)
		if (code == 0) != (want == "") || !strings.Contains(complaint.String(), want) {
			t.Errorf("%s: exit %d, %q", args, code, complaint.String())
		}
	}
}
