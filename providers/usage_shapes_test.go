package providers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gateway"
)

// usageShape is one way in which a provider tells what an answer used, with the counts
// and the cost, worked out by hand, that must come of it.
type usageShape struct {
	Name, Kind, Place string
	Usage, Start      json.RawMessage
	Want              struct {
		Fresh, Cached, Write5m, Write1h, Output, Reasoning int
		Reported, Billed                                   bool
		PromptUnknown                                      bool `json:"prompt_unknown"`
	}
	Cost gateway.Microcents
}

// whole is an answer in one body that says "ok" and tells its usage in this shape.
func (u *usageShape) whole() string {
	block := string(u.Usage)
	switch u.Kind {
	case anthropicKind:
		if u.Place == "delta" { // in one body there is one block, which has it all
			block = strings.TrimSuffix(string(u.Start), "}") + "," + strings.TrimPrefix(block, "{")
		}
		return `{"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn","usage":` + block + `}`
	case geminiKind:
		return `{"candidates":[{"content":{"role":"model","parts":[{"text":"ok"}]},"finishReason":"STOP","index":0}],"usageMetadata":` + block + `}`
	case ollamaKind:
		return `{"model":"m","created_at":"2026-11-23T08:00:00Z","message":{"role":"assistant","content":"ok"},"done":true,"done_reason":"stop",` + strings.TrimPrefix(block, "{")
	case responsesKind:
		return `{"id":"r","object":"response","created_at":1,"status":"completed","model":"m","output":[{"id":"msg","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"ok","annotations":[]}]}],"usage":` + block + `}`
	}
	choice, top := "", `,"usage":`+block
	switch u.Place {
	case "choice":
		choice, top = `,"usage":`+block, ""
	case "x_groq":
		top = `,"x_groq":{"id":"q","usage":` + block + `}`
	}
	return `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"` + choice + `}]` + top + `}`
}

// stream is the same answer as its provider streams it.
func (u *usageShape) stream() string {
	block := string(u.Usage)
	switch u.Kind {
	case anthropicKind:
		return event("message_start", `{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":`+string(u.Start)+`}}`) +
			event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) +
			event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}}`) +
			event("content_block_stop", `{"type":"content_block_stop","index":0}`) +
			event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":`+block+`}`) +
			event("message_stop", `{"type":"message_stop"}`)
	case geminiKind:
		return event("", `{"candidates":[{"content":{"role":"model","parts":[{"text":"o"}]},"index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1}}`) +
			event("", `{"candidates":[{"content":{"role":"model","parts":[{"text":"k"}]},"finishReason":"STOP","index":0}],"usageMetadata":`+block+`}`)
	case ollamaKind:
		return `{"model":"m","created_at":"2026-11-23T08:00:00Z","message":{"role":"assistant","content":"ok"},"done":false}` + "\n" +
			`{"model":"m","created_at":"2026-11-23T08:00:01Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",` + strings.TrimPrefix(block, "{") + "\n"
	case responsesKind:
		return event("response.created", `{"type":"response.created","response":{"id":"r","status":"in_progress","model":"m"}}`) +
			event("response.output_item.added", `{"type":"response.output_item.added","output_index":0,"item":{"id":"msg","type":"message","role":"assistant","content":[]}}`) +
			event("response.output_text.delta", `{"type":"response.output_text.delta","item_id":"msg","output_index":0,"content_index":0,"delta":"ok"}`) +
			event("response.completed", `{"type":"response.completed","response":`+u.whole()+`}`)
	}
	chunk := func(choices, more string) string {
		return event("", `{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[`+choices+`]`+more+`}`)
	}
	usage := `,"usage":` + block
	each := ""
	if u.Place == "each" { // cumulative: the last one counts, never the sum
		each = `,"usage":{"prompt_tokens":200,"completion_tokens":1,"total_tokens":201}`
	}
	text := chunk(`{"index":0,"delta":{"role":"assistant","content":"ok"},"finish_reason":null}`, each)
	end := `{"index":0,"delta":{},"finish_reason":"stop"`
	switch u.Place {
	case "choice":
		return text + chunk(end+usage+`}`, "") + event("", "[DONE]")
	case "x_groq":
		return text + chunk(end+`}`, `,"x_groq":{"id":"q","usage":`+block+`}`) + event("", "[DONE]")
	case "finish":
		return text + chunk(end+`}`, usage) + event("", "[DONE]")
	}
	return text + chunk(end+`}`, each) + chunk("", usage) + event("", "[DONE]")
}

func event(name, data string) string {
	if name != "" {
		return "event: " + name + "\ndata: " + data + "\n\n"
	}
	return "data: " + data + "\n\n"
}

// answerOf asks a server that answers with this, through the adapter of the shape's kind.
func (u *usageShape) answerOf(t *testing.T, body string, plain bool) *gateway.Completion {
	t.Helper()
	kindOf := map[bool]string{true: "application/json", false: "text/event-stream"}[plain]
	if u.Kind == ollamaKind && !plain {
		kindOf = "application/x-ndjson"
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", kindOf)
		io.WriteString(w, body)
	}))
	defer srv.Close()
	a, err := kinds[u.Kind].adapter(Settings{Name: "p", Kind: u.Kind, BaseURL: srv.URL, Client: srv.Client(), Quirks: Quirks{BilledCost: true}})
	if err != nil {
		t.Fatal(err)
	}
	chat := &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{{Text: "Hi"}}}}}
	req := &gateway.Request{Wire: openAIWire, Raw: []byte(`{"messages":[{"role":"user","content":"Hi"}]}`), Stream: !plain, Decode: func([]byte) (*gateway.Chat, error) { return chat, nil }}
	call := &gateway.Call{Request: req, Model: &gateway.Model{Provider: "p", Name: "claude-sonnet-5-5"}}
	if plain {
		call.Model.Upstream = gateway.StreamNever
		call.Plain = true
	}
	s, err := a.Open(t.Context(), call)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := gateway.Collect(s)
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return got
}

// Every shape gives the same counts and the same cost, streamed or whole.
func TestUsageShapes(t *testing.T) {
	var golden struct {
		Rates struct{ Fresh, Cached, W5, W1, Out gateway.Picodollars }
		// The costs are ⌈Σ tokens × rate / 10,000⌉, worked out apart from this program.
		Shapes []usageShape
	}
	if err := json.Unmarshal(fixture(t, "usage_shapes.json"), &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Shapes) < 60 {
		t.Fatalf("only %d shapes", len(golden.Shapes))
	}
	r := golden.Rates
	tariff := &gateway.Tariff{Base: gateway.Rates{Input: r.Fresh, CachedRead: r.Cached, CacheWrite5m: r.W5, CacheWrite1h: r.W1, Output: r.Out}}
	for _, shape := range golden.Shapes {
		for _, plain := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/plain=%v", shape.Name, plain), func(t *testing.T) {
				body := shape.stream()
				if plain {
					body = shape.whole()
				}
				got := shape.answerOf(t, body, plain)
				if text := got.Choices[0].Text; text != "ok" {
					t.Errorf("answer %q", text)
				}
				u, w := got.Usage, shape.Want
				want := gateway.Usage{Fresh: w.Fresh, CachedRead: w.Cached, CacheWrite5m: w.Write5m, CacheWrite1h: w.Write1h,
					Output: w.Output, Reasoning: w.Reasoning, Reported: w.Reported, PromptUnknown: w.PromptUnknown, HasBilled: w.Billed}
				u.Billed = 0
				if u != want {
					t.Errorf("usage %+v\nwant  %+v", u, want)
				}
				if cost := tariff.Cost(got.Usage, time.Unix(0, 0)); cost != shape.Cost {
					t.Errorf("cost %d, want %d", cost, shape.Cost)
				}
			})
		}
	}
}
