package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"gateway/internal/fakeupstream"
)

// recordedResponses is a provider that speaks the Responses API with recorded bytes and
// keeps what it was asked.
func recordedResponses(t *testing.T, stream, whole string) (url string, asked func() string) {
	t.Helper()
	read := func(name string) []byte {
		raw, err := os.ReadFile("../../api/testdata/openai-responses/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	events, body := read(stream), read(whole)
	var mu sync.Mutex
	last := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		mu.Lock()
		last = string(raw)
		mu.Unlock()
		var set struct {
			Stream bool `json:"stream"`
		}
		if json.Unmarshal(raw, &set); set.Stream {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Write(events)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(body)
	}))
	t.Cleanup(server.Close)
	return server.URL, func() string {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

func postTo(t *testing.T, url, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatalf("%v: %s", err, a)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return reflect.DeepEqual(x, y)
}

// Between a client and a provider of the same format nothing is changed but the model
// and whether to stream, so that what only that provider can do works when it is pinned.
func TestResponsesAreRelayedToTheirOwnKind(t *testing.T) {
	url, asked := recordedResponses(t, "stream.text.sse", "response.text.json")
	config := configFile(t, entry{name: "openai", url: url, price: 1, extras: map[string]any{"kind": "openai_responses"}})
	base := serveGateway(t, config, nil)
	body := `{"model":"openai/openai-model", "stream":true,"previous_response_id":"resp_0","input":[{"type":"item_reference","id":"rs_9"}],` +
		`"tools":[{"type":"file_search","vector_store_ids":["v"]},{"type":"future_tool","x":1e400}],"metadata":{"a":"b"},"max_output_tokens":100}`
	want, err := os.ReadFile("../../api/testdata/openai-responses/stream.text.sse")
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"error", "atomic"} {
		status, got := postTo(t, base+"/v1/responses", body, "x-gateway-stream-failure", mode)
		if status != 200 || got != string(want) {
			t.Errorf("%s: %d\n%s\nwant\n%s", mode, status, got, want)
		}
		if sent := strings.Replace(body, "openai/openai-model", "openai-model", 1); asked() != sent {
			t.Errorf("%s: sent was\n%s\nwant\n%s", mode, asked(), sent)
		}
	}
	final := string(want[strings.LastIndex(string(want), `"response":`)+len(`"response":`) : strings.LastIndex(string(want), `,"sequence_number"`)])
	status, got := postTo(t, base+"/v1/responses", strings.Replace(body, `"stream":true`, `"stream":false`, 1))
	if status != 200 || !sameJSON(t, got, final) {
		t.Errorf("%d\n%s\nwant\n%s", status, got, final)
	}
	status, got = postTo(t, base+"/v1/responses", strings.Replace(body, "openai/openai-model", "auto", 1))
	if status != 400 || !strings.Contains(got, "previous_response_not_found") {
		t.Errorf("not pinned: %d %s", status, got)
	}
}

// What only a provider of this format can do is allowed by the model that a request goes
// to, under the name that the maps give it: a conversation that is kept elsewhere is never
// answered as if it were new.
func TestMappedModelDecidesWhatIsPinned(t *testing.T) {
	url, asked := recordedResponses(t, "stream.text.sse", "response.text.json")
	other := newUpstream(t, says("An answer."))
	dir := t.TempDir()
	away := keysCmd(t, dir, "create", "--alias", "away", "--model-map", "*=other/other-model")
	plain := keysCmd(t, dir, "create", "--alias", "plain")
	config := configFileWith(t, map[string]any{"model_map": map[string]string{"gpt-*": "openai/openai-model", "openai/old": "other/other-model"}},
		entry{name: "openai", url: url, price: 1, extras: map[string]any{"kind": "openai_responses"}},
		entry{name: "other", url: other.URL, price: 1})
	base := serveGateway(t, config, nil, "--data-dir", dir)
	for _, c := range []struct {
		key, model string
		kept       bool
	}{{away, "openai/openai-model", false}, {plain, "openai/openai-model", true}, {plain, "gpt-6", true}, {away, "gpt-6", false},
		{plain, "openai/old", false}, {plain, "auto", false}} {
		body := `{"model":"` + c.model + `","input":"and then?","previous_response_id":"resp_0"}`
		status, got := postTo(t, base+"/v1/responses", body, "Authorization", "Bearer "+c.key)
		switch {
		case !c.kept && (status != 400 || !strings.Contains(got, "previous_response_not_found")):
			t.Errorf("%s: %d %s", body, status, got)
		case c.kept && (status != 200 || !strings.Contains(asked(), "resp_0")):
			t.Errorf("%s: %d %s; the provider was asked %s", body, status, got, asked())
		}
	}
}

// A model that is not named with its provider may land on one of this format. It is told
// to keep nothing, which would be its habit, and what earlier turns relied on is left out;
// the client gets the reasoning to hand back itself. Searches of that provider go along.
func TestResponsesOfABareNameAreNotStored(t *testing.T) {
	server, err := fakeupstream.Start(fakeupstream.Config{Kind: fakeupstream.OpenAIResponses})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	tap := &wiretap{}
	base := serveGateway(t, configFile(t, entry{name: "openai", url: tap.serve(t, server.URL()), price: 1,
		extras: map[string]any{"kind": "openai_responses", "default_model": "gpt-5.1"}}), nil)
	for _, c := range []struct{ more, want string }{
		{``, `,"store":false,"include":["reasoning.encrypted_content"]`},
		{`,"store":true,"include":["message.input_image.image_url"]`, `,"store":false,"include":["message.input_image.image_url","reasoning.encrypted_content"]`},
		{`,"store":false`, `,"store":false`},
		{`,"include":["reasoning.encrypted_content"]`, `,"include":["reasoning.encrypted_content"],"store":false`},
	} {
		search := `{"type":"web_search_call","id":"ws_1","status":"completed"}`
		input := func(thought string) string {
			return `{"model":"gpt-5.1","stream":false,"input":[{"role":"user","content":"a"},` + thought + search + `,{"role":"assistant","content":"b"},{"role":"user","content":"c"}]`
		}
		status, got := postTo(t, base+"/v1/responses", input(`{"type":"reasoning","id":"rs_1","summary":[]},`)+c.more+"}")
		tap.mu.Lock()
		sent := strings.Replace(tap.requests[len(tap.requests)-1], `"stream":true`, `"stream":false`, 1)
		tap.mu.Unlock()
		if status != 200 || sent != input("")+c.want+"}" {
			t.Errorf("%d %s\nsent was\n%s\nwant\n%s", status, got, sent, input("")+c.want+"}")
		}
		if gjson.Get(got, "output.0.encrypted_content").Str == "" && c.more != `,"store":false` {
			t.Errorf("no reasoning to hand back: %s", got)
		}
	}
}
