package fakeupstream

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
)

// event is the part of any kind's stream event that has text in it.
type event struct {
	Choices []struct {
		Delta chatDelta `json:"delta"`
	} `json:"choices"`
	Delta      struct{ Text, Thinking string } `json:"delta"`
	Candidates []struct {
		Content geminiContent `json:"content"`
	} `json:"candidates"`
	Message struct{ Content, Thinking jsonText } `json:"message"`
}

type chatDelta struct {
	Content   *string `json:"content"`
	Reasoning *string `json:"reasoning_content"`
}

// jsonText is a string where there is one; message_start has a list in its place.
type jsonText string

func (j *jsonText) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*j = jsonText(text)
	}
	return nil
}

// foldStream reads text and thoughts of a stream of any kind.
func foldStream(t *testing.T, body string) (text, thoughts string) {
	t.Helper()
	for line := range strings.Lines(body) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "data: ")
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		text += e.Delta.Text + string(e.Message.Content)
		thoughts += e.Delta.Thinking + string(e.Message.Thinking)
		for _, c := range e.Choices {
			if c.Delta.Content != nil {
				text += *c.Delta.Content
			}
			if c.Delta.Reasoning != nil {
				thoughts += *c.Delta.Reasoning
			}
		}
		for _, c := range e.Candidates {
			text += c.Content.text()
		}
	}
	return text, thoughts
}

func TestStreamsOfAllKindsSayTheSame(t *testing.T) {
	terminal := map[Kind]string{OpenAI: "data: [DONE]\n\n", DeepSeek: "data: [DONE]\n\n", Ollama: `"done":true`,
		Anthropic: "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", Gemini: `"finishReason":"STOP"`}
	for _, d := range dialects() {
		s := start(t, Config{Kind: d.kind})
		status, body := d.post(t, s, true, d.body("A question.", true, nil, nil, nil))
		text, thoughts := foldStream(t, body)
		if status != 200 || text != Text("A question.", 0) {
			t.Errorf("%v: %d %q, want %q", d.kind, status, text, Text("A question.", 0))
		}
		if shown := d.kind == DeepSeek || d.kind == Anthropic; shown != (thoughts == strings.Join(think("A question."), "")) {
			t.Errorf("%v: thoughts %q", d.kind, thoughts)
		}
		if strings.Count(body, terminal[d.kind]) != 1 {
			t.Errorf("%v: not ended: %s", d.kind, body)
		}
		if alive := strings.Contains(body, ": keep-alive"); alive != (d.kind == DeepSeek) {
			t.Errorf("%v: keep-alive %v", d.kind, alive)
		}
		if crlf := strings.Contains(body, "\r\n\r\n"); crlf != (d.kind == Gemini) {
			t.Errorf("%v: CRLF %v", d.kind, crlf)
		}
	}
}

// A fault in the middle leaves the start of the answer, and no terminal mark.
func TestMidwayFaultsInAllKinds(t *testing.T) {
	for _, d := range dialects() {
		s := start(t, Config{Kind: d.kind, AllowMarkers: true, Tokens: 40})
		for _, fault := range []Fault{Truncated, ErrorMidway, Malformed, CutBeforeUsage} {
			prompt := "[[fault:" + string(fault) + "]]"
			_, body := d.post(t, s, true, d.body(prompt, true, nil, nil, nil))
			if fault == Malformed {
				before, _, broken := strings.Cut(body, `{"broken":[{`)
				if body = before; !broken {
					t.Errorf("%v: nothing malformed", d.kind)
				}
			}
			text, _ := foldStream(t, body)
			whole := Text(prompt, 40)
			if !strings.HasPrefix(whole, text) || text == "" || (text == whole) != (fault == CutBeforeUsage) {
				t.Errorf("%v %s: %q", d.kind, fault, text)
			}
			for _, end := range []string{"[DONE]\n\n", `"done":true`, "message_stop", `"finishReason"`} {
				if strings.Contains(body, end) && !strings.Contains(whole, strings.TrimSpace(end)) {
					t.Errorf("%v %s: ended with %s", d.kind, fault, end)
				}
			}
			if failed := strings.Contains(body, `"error":`); failed != (fault == ErrorMidway) {
				t.Errorf("%v %s: error %v", d.kind, fault, failed)
			}
		}
	}
}

func TestLatencyIsTheSameForTheSameSeed(t *testing.T) {
	d := Delay{Median: time.Second, Sigma: 0.5}
	below := 0
	for i := range 1000 {
		if d.draw(7, i) != d.draw(7, i) || d.draw(7, i) == d.draw(8, i) {
			t.Fatalf("%d: not made of the seed alone", i)
		}
		if d.draw(7, i) < time.Second {
			below++
		}
	}
	if below < 450 || below > 550 {
		t.Errorf("%d of 1000 below the median", below)
	}
	if got := (Delay{Median: time.Second}).draw(1, 1); got != time.Second {
		t.Error(got)
	}
}

// The clock of a stream: first content after First, the rest a Gap apart.
func TestStreamKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{First: Delay{Median: time.Second}, Gap: 100 * time.Millisecond, Tokens: 5})
		if err != nil {
			t.Fatal(err)
		}
		for stream, want := range map[string]time.Duration{`,"stream":true`: 1400 * time.Millisecond, "": 1500 * time.Millisecond} {
			began := time.Now()
			w := serve(t, s, openAIBody("hi", stream))
			if took := time.Since(began); took != want || w.Code != 200 {
				t.Errorf("%q: %v, want %v (%d)", stream, took, want, w.Code)
			}
		}
	})
}

func TestScriptDecides(t *testing.T) {
	var seen []Seen
	s, err := New(Config{Tokens: 10, Script: func(one Seen) Step {
		seen = append(seen, one)
		return []Step{{Fault: ServerError}, {Fault: Truncated, After: 2}, {Raw: &Raw{Body: []byte("as is")}}, {}}[one.Number-1]
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`"server_error"`, strings.Join(Answer("[[id:q]] hi", 10)[:2], ""), "as is", Text("[[id:q]] hi", 10)} {
		w := serve(t, s, openAIBody("[[id:q]]  hi", `,"stream":true`))
		got := w.Body.String()
		if text, _ := foldStream(t, got); text != "" {
			got = text
		}
		if got != want && (i > 0 || !strings.Contains(got, want)) {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
	}
	if want := (Seen{Number: 4, ID: "q", Model: "m", Prompt: "[[id:q]] hi", Stream: true}); !reflect.DeepEqual(seen[3], want) {
		t.Errorf("seen %+v", seen[3])
	}
}

// A caller that leaves pays for the prompt, and for what was made until then of a stream
// or for all of an answer in one body.
func TestLeavingIsBilledToTheTokenMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{First: Delay{Median: time.Second}, Gap: time.Second, Tokens: 10, AllowMarkers: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range []struct {
			fault  Fault
			stream string
			after  time.Duration
			tokens int
		}{
			{None, `,"stream":true`, 500 * time.Millisecond, 0},
			{None, `,"stream":true`, 3500 * time.Millisecond, 3},
			{None, "", 500 * time.Millisecond, 10},
			{None, "", 4500 * time.Millisecond, 10},
			{BlackHole, "", time.Second, 0},
			{StallMidway, `,"stream":true`, time.Hour, 5},
		} {
			ctx, leave := context.WithTimeout(t.Context(), c.after)
			body := openAIBody("[[fault:"+string(c.fault)+"]] hi", c.stream)
			s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", strings.NewReader(body)))
			leave()
			synctest.Wait()
			if got := s.Bill()[i]; !got.Cut || got.Usage.Output != c.tokens || got.Usage.Prompt == 0 {
				t.Errorf("%+v: %+v", c, got)
			}
		}
	})
}

func TestSomeBillInFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Gap: time.Second, Tokens: 10, BillsInFull: true, Plain: true})
		if err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer leave()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", strings.NewReader(openAIBody("hi", `,"stream":true`))))
		synctest.Wait()
		if got := s.Bill()[0]; !got.Cut || got.Usage.Output != 10 {
			t.Errorf("%+v", got)
		}
		if text, _ := foldStream(t, w.Body.String()); text != strings.Join(PlainAnswer("hi", 10)[:3], "") {
			t.Errorf("%q", text)
		}
	})
}
