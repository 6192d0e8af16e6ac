package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"gateway"
	"gateway/ledger"
)

// The texts of the two providers have no common beginning, so that one that was spliced
// together of both cannot be taken for either.
const (
	faultyText  = "Alpha one two three four five six seven."
	healthyText = "Bravo eins zwei drei vier fünf sechs sieben."
)

// faultCase is one way in which the first of two providers fails.
type faultCase struct {
	fault  string
	at     moment
	stream bool
	hedge  bool
}

func (c faultCase) String() string {
	return fmt.Sprintf("%s/%s/stream=%v/hedge=%v", c.fault, c.at, c.stream, c.hedge)
}

// Every fault at every moment, streamed or not, raced or not: the client gets exactly
// one answer or one error, never a cut answer that looks whole, and the books hold what
// was asked of the providers.
func TestEveryFaultAtEveryMoment(t *testing.T) {
	var cases []faultCase
	for _, fault := range faultNames {
		for at := range moment(len(moments)) {
			for _, stream := range []bool{false, true} {
				for _, hedge := range []bool{false, true} {
					cases = append(cases, faultCase{fault, at, stream, hedge})
				}
			}
		}
	}
	if len(cases) != 288 {
		t.Fatalf("%d cases", len(cases))
	}
	step := 1
	if testing.Short() {
		step = 7 // prime to the sides of the table, so that the sample has each value of each
	}
	atOnce := make(chan struct{}, 16) // most of a case is waiting, so not by the number of processors
	var all sync.WaitGroup
	for i := 0; i < len(cases); i += step {
		all.Go(func() {
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			t.Run(cases[i].String(), func(t *testing.T) { playFault(t, cases[i]) })
		})
	}
	all.Wait()
}

func playFault(t *testing.T, c faultCase) {
	first := newBroken(t, c)
	second := newUpstream(t, saysSlowly(healthyText))
	dir := t.TempDir()
	quick := map[string]any{"ttft_timeout": "400ms", "idle_timeout": "400ms", "timeout": "5s"}
	config := configFile(t, entry{name: "first", url: first.url, price: 1, extras: quick},
		entry{name: "second", url: second.URL, price: 2})
	base, stop := startGateway(t, config, nil, "--data-dir", dir)
	defer stop()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/chat/completions", strings.NewReader(chatBody(c.stream)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Gateway-Deadline", "10s")
	req.Header.Set("X-Gateway-Hedge", "off")
	if c.hedge {
		req.Header.Set("X-Gateway-Hedge", "auto")
		req.Header.Set("X-Gateway-Hedge-After", "30ms")
	}
	res, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	got := readOutcome(res, c.stream)
	got.judge(t, c)
	stop() // the books are complete when the gateway has ended
	checkBooks(t, c, got, dir, res.Header.Get("X-Gateway-Request-Id"), int(first.calls.Load()), int(second.calls.Load()))
}

// outcome is what the client got.
type outcome struct {
	status int
	text   string
	err    error // an error in the stream, or what was wrong with the bytes
	more   string
}

func (o outcome) whole() bool { return o.status == http.StatusOK && o.err == nil }

func readOutcome(res *http.Response, stream bool) (o outcome) {
	defer res.Body.Close()
	o.status = res.StatusCode
	if stream && o.status == http.StatusOK {
		body := bufio.NewReaderSize(res.Body, 1<<20)
		o.text, o.err = foldStream(body)
		rest, err := io.ReadAll(body)
		if o.more = strings.TrimSpace(string(rest)); err != nil {
			o.err = fmt.Errorf("the response does not end properly: %w", err)
		}
		return o
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		o.err = err
		return o
	}
	var answer struct {
		Error   *struct{ Message, Type string }
		Choices []struct{ Message struct{ Content string } }
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if o.err = dec.Decode(&answer); o.err != nil {
		return o
	}
	rest, _ := io.ReadAll(dec.Buffered())
	o.more = strings.TrimSpace(string(rest))
	switch {
	case o.status == http.StatusOK && len(answer.Choices) == 1 && answer.Error == nil:
		o.text = answer.Choices[0].Message.Content
	case o.status >= 400 && answer.Error != nil && answer.Error.Message != "" && len(answer.Choices) == 0:
	default:
		o.err = fmt.Errorf("neither one answer nor one error: %d %.500s", o.status, body)
	}
	return o
}

// foldStream is foldText on a reader that it does not read ahead of, so that what comes
// after the end can be looked at.
func foldStream(body *bufio.Reader) (string, error) {
	var seen bytes.Buffer
	for {
		line, err := body.ReadBytes('\n')
		seen.Write(line)
		if err != nil || bytes.HasPrefix(line, []byte("data: [DONE]")) || bytes.HasPrefix(line, []byte(`data: {"error"`)) {
			return foldText(&seen)
		}
	}
}

// judge holds the client's outcome against what is allowed.
func (o outcome) judge(t *testing.T, c faultCase) {
	t.Helper()
	if o.more != "" {
		t.Errorf("after the end came %.300q", o.more)
	}
	var inBand errInBand
	switch {
	case o.whole():
		if o.text != faultyText && o.text != healthyText {
			t.Errorf("passed off as whole: %q", o.text)
		}
	case errors.As(o.err, &inBand):
		if !strings.HasPrefix(faultyText, o.text) && !strings.HasPrefix(healthyText, o.text) {
			t.Errorf("%q, then an error: not the beginning of one answer", o.text)
		}
		if c.at < firstToken || o.text == "" {
			t.Errorf("an error in the stream although a healthy provider was there in time: %v", o.err)
		}
	case o.err != nil:
		t.Errorf("%v after %q", o.err, o.text)
	default:
		t.Errorf("status %d although a healthy provider was there", o.status)
	}
	if !c.stream && !o.whole() {
		t.Error("not streamed, and yet the healthy provider's answer was not given")
	}
}

// checkBooks compares the ledger's rows with the calls the providers saw.
func checkBooks(t *testing.T, c faultCase, got outcome, dir, id string, toFirst, toSecond int) {
	t.Helper()
	store, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	rows, err := store.Request(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	const candidates = 2
	if len(rows) == 0 || len(rows) > candidates+1 {
		t.Errorf("%d attempts for %d candidates", len(rows), candidates)
	}
	var byFirst, bySecond, unseen int // unseen: cancelled, maybe before the provider saw it
	var winners []string
	last := 0
	for _, row := range rows {
		if row.Attempt <= last || row.Attempt > candidates+1 { // one that was never sent has no row
			t.Errorf("attempt %d after %d", row.Attempt, last)
		}
		last = row.Attempt
		if row.Provider == "first" {
			byFirst++
			if row.Outcome == gateway.Canceled.String() {
				unseen++
			}
		} else {
			bySecond++
		}
		if row.Winner {
			winners = append(winners, row.Provider)
		}
		if !c.hedge && (row.Role == gateway.Hedge || row.Role == gateway.Moved) {
			t.Errorf("a hedge although hedges are off: %+v", row)
		}
	}
	most := 1
	if c.hedge && !c.stream {
		most = 2 // a hedge that lost to the first content is asked anew when that answer breaks
	}
	if toSecond > most || toSecond > bySecond || toSecond < bySecond && !c.hedge { // a hedge may lose before it is sent
		t.Errorf("the healthy provider saw %d calls, the books have %d", toSecond, bySecond)
	}
	if byFirst > 2 || toFirst > byFirst || toFirst < byFirst-unseen && c.sees() {
		t.Errorf("the faulty provider saw %d calls, the books have %d", toFirst, byFirst)
	}
	if len(winners) > 1 || got.whole() && len(winners) != 1 {
		t.Errorf("winners %q", winners)
	}
	if got.whole() && len(winners) == 1 && (winners[0] == "first") != (got.text == faultyText) {
		t.Errorf("%s is booked as the winner of %q", winners[0], got.text)
	}
	if t.Failed() {
		for _, row := range rows {
			t.Logf("%d %s at %s: %s, %s after %v, content after %v, winner %v", row.Attempt, row.Provider,
				row.Begun.Format("05.000"), row.Role, row.Outcome, row.Took, row.FirstContent, row.Winner)
		}
	}
	if differ, err := store.Verify(t.Context()); err != nil || len(differ.Wrong) > 0 {
		t.Errorf("the books do not add up: %v %v", differ, err)
	}
}
