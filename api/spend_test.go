package api

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A day that is named as the end is part of the report, as it is on the command line.
func TestTheLastDayIsPartOfTheReport(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-24":                "2026-11-25T00:00:00Z",
		"2026-12-31":                "2027-01-01T00:00:00Z",
		"2026-11-24T09:00:00Z":      "2026-11-24T09:00:00Z",
		"2026-11-24T09:00:00+01:00": "2026-11-24T08:00:00Z",
	} {
		q, err := spendQuery(url.Values{"to": {text}, "from": {"2026-11-24"}}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := q.To.UTC().Format(time.RFC3339); got != want {
			t.Errorf("to=%s ends at %s, not %s", text, got, want)
		}
		if got := q.From.Format(time.RFC3339); got != "2026-11-24T00:00:00Z" {
			t.Errorf("from begins at %s", got)
		}
	}
}

// The answer says which hours it is of, where the question cut them.
func TestAReportSaysOfWhenItIs(t *testing.T) {
	srv := serve(t, answers(hello, io.EOF), nil)
	for query, want := range map[string]string{
		"?from=2026-11-24T09:10:00Z&to=2026-11-24T09:50:00Z": `"from":"2026-11-24T09:00:00Z","to":"2026-11-24T10:00:00Z"`,
		"?to=2026-11-24": `"to":"2026-11-25T00:00:00Z"`,
	} {
		resp, err := http.Get(srv.URL + "/v1/spend" + query)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s", query, resp.StatusCode, body)
		}
	}
}
