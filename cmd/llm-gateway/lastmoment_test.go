package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A client that leaves between the usage and the end of an answer is booked by what the
// provider reported, not by an estimate.
func TestUsageThatWasReportedIsBookedWhenTheClientLeaves(t *testing.T) {
	up := newUpstream(t, func(_ *upstream, w http.ResponseWriter, r *http.Request, _ string) {
		begin(w, chunk(roleChunk, "null"))
		io.WriteString(w, contentChunk("ok")+chunk("{}", `"stop"`)+usageChunk)
		http.NewResponseController(w).Flush()
		<-r.Context().Done() // no [DONE]
	})
	base := serveGateway(t, configFile(t, entry{name: "only", url: up.URL, price: 100}), nil)
	client := newClient(t)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/v1/chat/completions", strings.NewReader(chatBody(true)))
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && !strings.Contains(lines.Text(), `"content":"ok"`) {
	}
	time.Sleep(100 * time.Millisecond) // for the usage, which a client sees only when it is booked
	leave()
	var known struct {
		Attempts []struct {
			Outcome string
			Source  string `json:"usage_source"`
			Cost    int64  `json:"cost_microcents"`
		}
	}
	for end := time.Now().Add(5 * time.Second); len(known.Attempts) == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if status, text := runCall(t, client, "GET", base+"/v1/requests/"+res.Header.Get("X-Gateway-Request-Id"), "", ""); status == 200 {
			if err := json.Unmarshal([]byte(text), &known); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(known.Attempts) != 1 || known.Attempts[0].Source != "reported" || known.Attempts[0].Cost != 15*10_000 || known.Attempts[0].Outcome != "canceled" {
		t.Errorf("booked %+v", known.Attempts)
	}
}
