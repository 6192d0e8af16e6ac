package providers

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gateway"
)

func adapterAt(url string) *openAI {
	a, _ := newOpenAI(Settings{Name: "p", Kind: openAIKind, BaseURL: url, Key: "sk-secret-123456", Client: NewClient()})
	return a.(*openAI)
}

func chatCall() *gateway.Call {
	call := testCall()
	call.Request.Raw = []byte(`{"messages":[]}`)
	return call
}

const shortStream = `data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"

func TestOpenStreamsAndTells(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer sk-secret-123456" || r.Header.Get("Accept-Encoding") != "" || r.URL.Path != "/chat/completions" {
			w.WriteHeader(418)
		}
		w.Header().Set("X-Ratelimit-Remaining-Requests", "3")
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, shortStream)
	}))
	defer server.Close()
	call := chatCall()
	var sent atomic.Int32
	var rate gateway.RateInfo
	call.OnSent = func() { sent.Add(1) }
	call.OnRate = func(r gateway.RateInfo) { rate = r }
	s, err := adapterAt(server.URL).Open(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := gateway.Collect(s)
	if err != nil || got.Choices[0].Text != "hi" || sent.Load() != 1 || rate.Requests.Remaining != 3 || rate.Tokens.Remaining != -1 {
		t.Errorf("%+v, %v; sent %d, rate %+v", got, err, sent.Load(), rate)
	}
}

// A server that closes a kept connection just as the next request is written.
func TestDeadKeptConnectionIsReplaced(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() { // ends when the listener closes
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { // ends with its two requests
				defer conn.Close()
				in := bufio.NewReader(conn)
				for n := range 2 {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					io.Copy(io.Discard, req.Body)
					if n == 1 {
						return // read whole, answered with nothing
					}
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: "+
						itoa(len(shortStream))+"\r\n\r\n"+shortStream)
				}
			}()
		}
	}()
	a := adapterAt("http://" + listener.Addr().String())
	for i := range 3 {
		s, err := a.Open(t.Context(), chatCall())
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		if _, err := gateway.Collect(s); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		s.Close()
	}
}

func itoa(n int) string {
	return string(rune('0'+n/100)) + string(rune('0'+n/10%10)) + string(rune('0'+n%10))
}

func TestFailuresAreClassifiedAndHoldNoKey(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(401)
		io.WriteString(w, `{"error":{"message":"Incorrect API key provided: sk-secret-123456","code":"invalid_api_key"}}`)
	}))
	_, err := adapterAt(server.URL).Open(t.Context(), chatCall())
	var e *gateway.Error
	if !errors.As(err, &e) || e.Kind != gateway.ProviderAuth || !e.Sent || strings.Contains(e.Error(), "secret") {
		t.Errorf("%v", err)
	}
	server.Close()
	if _, err = adapterAt(server.URL).Open(t.Context(), chatCall()); gateway.KindOf(err) != gateway.Unavailable || strings.Contains(err.Error(), "chat/completions") {
		t.Errorf("refused connection: %v", err)
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("followed, with the key")
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	if _, err := adapterAt(server.URL).Open(t.Context(), chatCall()); gateway.KindOf(err) != gateway.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestCancelAndTimeout(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}`+"\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	gone := errors.New("client left")
	ctx, cancel := context.WithCancelCause(t.Context())
	s, err := adapterAt(server.URL).Open(ctx, chatCall())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := s.Next(); err != nil || c.Text != "hi" {
		t.Fatalf("%+v, %v", c, err)
	}
	cancel(gone)
	if _, err := gateway.Collect(s); gateway.KindOf(err) != gateway.Canceled || !errors.Is(err, gone) {
		t.Errorf("canceled: %v", err)
	}
	s.Close()
	a := adapterAt(server.URL)
	a.Timeout = 50 * time.Millisecond
	if s, err = a.Open(t.Context(), chatCall()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := gateway.Collect(s); gateway.KindOf(err) != gateway.Timeout {
		t.Errorf("timed out: %v", err)
	}
}

func TestWholeAnswers(t *testing.T) {
	body, content := "", ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", content)
		io.WriteString(w, body)
	}))
	defer server.Close()
	a := adapterAt(server.URL)
	for _, c := range []struct {
		name, body string
		kind       gateway.Kind
		text       string
	}{
		{"keep-alive lines", string(fixture(t, "deepseek/chat.nonstream.keepalive.body")), 0, "*"},
		{"tools", string(fixture(t, "openai/chat.tools.response.json")), 0, ""},
		{"text", string(fixture(t, "openai/chat.text.response.json")), 0, "*"},
		{"events all the same", shortStream, 0, "hi"},
		{"error", `{"error":{"code":502,"message":"upstream"}}`, gateway.Unavailable, ""},
		{"garbage", `{"choices":`, gateway.BadAnswer, ""},
		{"no end", `{"choices":[{"index":0,"message":{"content":"x"}}]}`, gateway.BadAnswer, ""},
	} {
		body, content = c.body, "application/json"
		s, err := a.Open(t.Context(), chatCall())
		if c.kind != 0 {
			if gateway.KindOf(err) != c.kind {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := gateway.Collect(s)
		if err != nil || got.Empty() || c.text != "*" && got.Choices[0].Text != c.text {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

func TestEmbeddings(t *testing.T) {
	file := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(fixture(t, file)) }))
	defer server.Close()
	for _, file = range []string{"openai/embeddings.float.response.json", "openai/embeddings.base64.response.json"} {
		call := testCall()
		call.Request.Embed = &gateway.EmbedInput{Texts: []string{"a", "b"}}
		got, err := adapterAt(server.URL).Embed(t.Context(), call)
		if err != nil || len(got.Vectors) != 2 || got.Vectors[1][3] != -0.25 || got.Usage.Fresh != 4 {
			t.Errorf("%s: %+v, %v", file, got, err)
		}
		call.Request.Embed.Texts = []string{"a", "b", "c"}
		if _, err := adapterAt(server.URL).Embed(t.Context(), call); gateway.KindOf(err) != gateway.BadAnswer {
			t.Errorf("%s: a missing vector gives %v", file, err)
		}
	}
}

func TestArgumentsAndIDs(t *testing.T) {
	for in, want := range map[string]string{
		"": "{}", `{"a":1}`: `{"a":1}`, "```json\n{\"a\":[1,],}\n```": `{"a":[1]}`,
		`{"a":`: `{"_raw":"{\"a\":"}`, `[1]`: `{"_raw":"[1]"}`, `{"a":",}",}`: `{"a":",}"}`,
	} {
		if got := string(argumentsObject(in)); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	taken := map[string]string{}
	first := fitToolID("call_1", 9, true, taken)
	if fitToolID("call_1", 9, true, map[string]string{}) != first || !fitsToolID(first, 9, true) {
		t.Errorf("%q is not pure", first)
	}
	if second := fitToolID(first, 9, true, taken); second == first || !fitsToolID(second, 9, true) {
		t.Errorf("two calls share %q", first)
	}
	if id := newToolCallID(); len(id) != 29 {
		t.Errorf("%q", id)
	}
}

func TestConnectionsAreUsedAgainAfterAStream(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, shortStream)
		w.(http.Flusher).Flush()
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	a := adapterAt(server.URL)
	for range 5 {
		s, err := a.Open(t.Context(), chatCall())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gateway.Collect(s); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for 5 calls", n)
	}
}

// A call that is refused when it has its connection sends nothing, on either way to a
// provider.
func TestRefusedOnTheLineSendsNothing(t *testing.T) {
	for _, client := range []*http.Client{NewClient(), {Transport: &http.Transport{}}} {
		var asked atomic.Int32
		srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); err == nil || len(body) > 0 { // without its body it is no request
				asked.Add(1)
			}
		}))
		c := caller{Settings{Name: "p", BaseURL: srv.URL, Client: client}}
		told := 0
		call := &gateway.Call{Request: &gateway.Request{}, Model: &gateway.Model{Name: "m"}, OnReady: func() error {
			told++
			return gateway.Errorf(gateway.LedgerDown, "the books cannot be written now")
		}}
		_, err := c.post(t.Context(), call, srv.URL+"/x", nil, payload{[]byte("{}")})
		var e *gateway.Error
		if !errors.As(err, &e) || e.Kind != gateway.LedgerDown || e.Sent || told != 1 {
			t.Errorf("told %d times: %+v", told, err)
		}
		client.CloseIdleConnections()
		srv.Close()
		if n := asked.Load(); n != 0 {
			t.Errorf("the provider was asked %d times", n)
		}
	}
}
