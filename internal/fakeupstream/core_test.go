package fakeupstream

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// ask posts a body and gives status, body and what reading it came to.
func ask(t *testing.T, ctx context.Context, url, body string) (*http.Response, string, error) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	return res, string(got), err
}

// do sends a request on a connection of its own.
func do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func openAIBody(prompt, more string) string {
	return `{"model":"m","messages":[{"role":"user","content":` + string(mustJSON(prompt)) + `}]` + more + `}`
}

// streamText reads the text of a stream of chunks and says whether it was whole.
func streamText(t *testing.T, body string) (text string, usage *chatUsage, done bool) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, is := strings.CutPrefix(lines.Text(), "data: ")
		if !is {
			continue
		}
		if data == "[DONE]" {
			return text, usage, true
		}
		var chunk struct {
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
				} `json:"delta"`
			} `json:"choices"`
			Usage *chatUsage `json:"usage"`
		}
		if json.Unmarshal([]byte(data), &chunk) != nil {
			return text, usage, false
		}
		if chunk.Usage != nil {
			usage = chunk.Usage
		}
		for _, c := range chunk.Choices {
			text += c.Delta.Content
		}
	}
	return text, usage, false
}

func TestStreamAndWholeSayTheSame(t *testing.T) {
	s := start(t, Config{})
	for _, prompt := range []string{"hi", "a\n longer   question", "日本?"} {
		_, body, err := ask(t, t.Context(), s.URL()+"/v1/chat/completions", openAIBody(prompt, `,"stream":true,"stream_options":{"include_usage":true}`))
		text, usage, done := streamText(t, body)
		if err != nil || !done || text != Text(prompt, 0) {
			t.Errorf("streamed %q, %v, %v; want %q", text, done, err, Text(prompt, 0))
		}
		_, body, _ = ask(t, t.Context(), s.URL()+"/v1/chat/completions", openAIBody(prompt, ""))
		var whole struct {
			Choices []struct{ Message struct{ Content string } }
			Usage   chatUsage
		}
		if err := json.Unmarshal([]byte(body), &whole, json.MatchCaseInsensitiveNames(true)); err != nil || len(whole.Choices) != 1 {
			t.Fatalf("%v: %s", err, body)
		}
		if whole.Choices[0].Message.Content != text {
			t.Errorf("whole %q, streamed %q", whole.Choices[0].Message.Content, text)
		}
		if usage == nil || *usage != whole.Usage || usage.Completion != len(Answer(prompt, 0)) {
			t.Errorf("usage streamed %+v, whole %+v, tokens %d", usage, whole.Usage, len(Answer(prompt, 0)))
		}
	}
	if _, body, _ := ask(t, t.Context(), s.URL()+"/v1/chat/completions", openAIBody("x", `,"stream":true`)); strings.Contains(body, "usage") {
		t.Error("usage that nobody asked for")
	}
}

// Each fault is told apart by what the caller sees, streamed and not.
func TestFaultsShow(t *testing.T) {
	s := start(t, Config{AllowMarkers: true, Tokens: 10})
	url := s.URL() + "/v1/chat/completions"
	for fault, status := range map[Fault]int{
		ServerError: 500, HTML502: 502, Overloaded: 503, RateLimited: 429, RateLimitedMute: 429,
		Unauthorized: 401, NoModel: 404, ContextLength: 400,
	} {
		res, _, err := ask(t, t.Context(), url, openAIBody("[[fault:"+string(fault)+"]]", ""))
		if err != nil || res.StatusCode != status {
			t.Errorf("%s: %v, %v; want %d", fault, res, err, status)
		}
		if says := res.Header.Get("Retry-After"); (says != "") != (fault == RateLimited) {
			t.Errorf("%s: Retry-After %q", fault, says)
		}
	}
	for _, fault := range []Fault{Reset, WrongLength} {
		for _, stream := range []string{"", `,"stream":true`} {
			if _, _, err := ask(t, t.Context(), url, openAIBody("[[fault:"+string(fault)+"]]", stream)); err == nil {
				t.Errorf("%s %q: no error", fault, stream)
			}
		}
	}
	for fault, tokens := range map[Fault]int{
		Malformed: 5, Truncated: 5, ErrorMidway: 5, CutBeforeUsage: 10, ErrorFirst: 0, EmptyBody: 0, Garbage: 0,
	} {
		prompt := "[[fault:" + string(fault) + "]]"
		_, body, err := ask(t, t.Context(), url, openAIBody(prompt, `,"stream":true`))
		text, _, done := streamText(t, body)
		if want := strings.Join(Answer(prompt, 10)[:tokens], ""); text != want || done || err != nil {
			t.Errorf("%s: %q, done %v, %v; want %q", fault, text, done, err, want)
		}
		if hasError := strings.Contains(body, `"error":{`); hasError != (fault == ErrorFirst || fault == ErrorMidway) {
			t.Errorf("%s: %s", fault, body)
		}
	}
	for _, b := range s.Bill() {
		if b.Fault == Truncated && (b.Usage.Output != 5 || b.Cut) {
			t.Errorf("truncated: %+v", b)
		}
	}
}

// A caller that leaves is seen to leave, wherever it does.
func TestLeavingIsSeen(t *testing.T) {
	for _, fault := range []Fault{BlackHole, SlowHeaders, StallFirst, StallMidway} {
		for _, stream := range []string{"", `,"stream":true`} {
			s := start(t, Config{AllowMarkers: true, Tokens: 10})
			ctx, leave := context.WithCancel(t.Context())
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _, _ = ask(t, ctx, s.URL()+"/v1/chat/completions", openAIBody("[[id:x1]] [[fault:"+string(fault)+"]]", stream))
			}()
			limit, stop := context.WithTimeout(t.Context(), 10*time.Second)
			defer stop()
			if _, err := s.Await(limit, "x1", Holding); err != nil {
				t.Fatalf("%s: not holding: %v", fault, err)
			}
			left := time.Now()
			leave()
			at, err := s.Await(limit, "x1", Closed)
			if err != nil || at.Before(left) || s.Closes()["x1"] != at {
				t.Errorf("%s: closed at %v (left %v), %v", fault, at, left, err)
			}
			<-gone
			s.Close()
			if bill := s.Bill(); len(bill) != 1 || !bill[0].Cut || bill[0].ID != "x1" {
				t.Errorf("%s: bill %+v", fault, bill)
			}
		}
	}
}

// serve asks a server without a network.
func serve(t *testing.T, s *Server, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat/completions", strings.NewReader(body)))
	return w
}
