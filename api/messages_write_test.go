package api

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"gateway"
	"gateway/internal/grammar"
)

const thinkingAsk = `{"model":"m","max_tokens":100,"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":"hi"}]}`

// played is the stream that the chunks become, and what they say.
type played struct {
	text, reasoning string
	calls           map[string]gateway.ToolCall
}

// chunksOf reads a script of one byte per step into chunks as adapters make them: calls
// come with id and name first, in pieces that may be interleaved, each a JSON object in
// the end unless it is cut.
func chunksOf(script []byte, whole bool) ([]gateway.Chunk, played) {
	p := played{calls: map[string]gateway.ToolCall{}}
	var out []gateway.Chunk
	var pieces [4][]string // still to come of each call
	for i, op := range script {
		n := int(op>>4) % 4
		id := "call_" + string(rune('a'+n))
		var c gateway.Chunk
		switch op % 8 {
		case 0:
			c.Text = "t" + string(rune('0'+n))
		case 1:
			c.Reasoning = "r" + string(rune('0'+n))
		case 2, 3, 4:
			d := gateway.ToolDelta{Index: n}
			if _, begun := p.calls[id]; !begun {
				d.ID, d.Name = id, "f"+id
				p.calls[id] = gateway.ToolCall{ID: id, Name: d.Name}
				pieces[n] = []string{`{"a"`, `:"}{`, `\"x"`, `}`}[:4*(i%2)]
			} else if len(pieces[n]) > 0 {
				d.Arguments, pieces[n] = pieces[n][0], pieces[n][1:]
			}
			call := p.calls[id]
			call.Arguments += d.Arguments
			p.calls[id] = call
			c.Tools = []gateway.ToolDelta{d}
		case 5:
			c.Thinking = []gateway.Thinking{{Maker: "gemini", Model: "g", Signature: "s"}}
		case 6:
			c.Usage = &gateway.Usage{Fresh: 7, CachedRead: 2, Output: i, Reported: true}
		}
		p.text, p.reasoning = p.text+c.Text, p.reasoning+c.Reasoning
		out = append(out, c)
	}
	if whole {
		for n := range pieces {
			if len(pieces[n]) > 0 {
				rest := strings.Join(pieces[n], "")
				out = append(out, gateway.Chunk{Tools: []gateway.ToolDelta{{Index: n, Arguments: rest}}})
				id := "call_" + string(rune('a'+n))
				call := p.calls[id]
				call.Arguments += rest
				p.calls[id] = call
			}
		}
		out = append(out, gateway.Chunk{Finish: gateway.FinishStop, Usage: &gateway.Usage{Fresh: 7, CachedRead: 2, Output: 9, Reported: true}})
	}
	return out, p
}

// However the chunks of a provider come, the events keep to the grammar and lose nothing;
// a stream that breaks ends with an error and no message_stop.
func FuzzMessageWriter(f *testing.F) {
	f.Add([]byte{1, 1, 5, 0, 0, 2, 2, 18, 2, 18, 2, 18, 2, 18, 0, 34, 1}, true)
	f.Add([]byte{2, 18, 34, 50, 2, 18, 34, 50, 5, 0, 6}, false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, script []byte, whole bool) {
		chunks, want := chunksOf(script, whole)
		req := &gateway.Request{ID: "1", Raw: []byte(thinkingAsk)}
		w := newMessageWriter(req, &gateway.Answer{Protocol: &gateway.Protocol{Maker: geminiMaker}, Model: "g", Prompt: 3})
		var out []byte
		var usage *gateway.Usage
		var fold gateway.Fold
		for i := range chunks {
			fold.Add(&chunks[i])
			if chunks[i].Usage != nil {
				usage = chunks[i].Usage
			}
			if !w.silent(&chunks[i]) {
				out = w.chunk(out, &chunks[i])
			}
		}
		if !whole {
			p := problemOf(&gateway.Error{Kind: gateway.Unavailable, Message: "secret"})
			out = w.fail(out, &p)
			got, err := grammar.Messages(string(out))
			if err != nil || got.Ending != grammar.Failed || strings.Contains(string(out), "secret") {
				t.Fatalf("%v, ends %s:\n%s", err, got.Ending, out)
			}
			return
		}
		out = w.end(out, usage, nil)
		got, err := grammar.Messages(string(out))
		if err != nil || got.Ending != grammar.Completed {
			t.Fatalf("%v, ends %s:\n%s", err, got.Ending, out)
		}
		if said := saidBy(got.Blocks); !reflect.DeepEqual(said, want) {
			t.Fatalf("said %+v, want %+v:\n%s", said, want, out)
		}
		if got.In != 7 || got.Read != 2 || got.Out != 9 {
			t.Fatalf("usage %d, %d, %d", got.In, got.Read, got.Out)
		}
		body := messageJSON(nil, req, &gateway.Answer{Protocol: &gateway.Protocol{Maker: geminiMaker}, Model: "g", Completion: fold.Completion()})
		if said := saidBy(blocksOfMessage(t, body)); !reflect.DeepEqual(said, want) {
			t.Fatalf("the whole message says %+v, want %+v:\n%s", said, want, body)
		}
	})
}

func saidBy(blocks []grammar.Block) played {
	p := played{calls: map[string]gateway.ToolCall{}}
	for _, b := range blocks {
		switch b.Type {
		case "text":
			p.text += b.Text
		case "thinking":
			p.reasoning += b.Text
		case "tool_use":
			call := gateway.ToolCall{ID: b.ID, Name: b.Name, Arguments: b.Input}
			if call.Arguments == "{}" {
				call.Arguments = ""
			}
			p.calls[b.ID] = call
		}
	}
	return p
}

func blocksOfMessage(t *testing.T, body []byte) []grammar.Block {
	t.Helper()
	if !json.Valid(body) {
		t.Fatalf("not JSON: %s", body)
	}
	var out []grammar.Block
	for _, b := range gjson.GetBytes(body, "content").Array() {
		out = append(out, grammar.Block{Type: b.Get("type").Str, Text: b.Get("text").Str + b.Get("thinking").Str, Signature: b.Get("signature").Str,
			Data: b.Get("data").Str, ID: b.Get("id").Str, Name: b.Get("name").Str, Input: b.Get("input").Raw})
	}
	return out
}

// relayedOf are the chunks of a stream of an Anthropic provider.
func relayedOf(t *testing.T, name string) (string, []gateway.Chunk) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "anthropic", "stream."+name+".sse"))
	if err != nil {
		t.Fatal(err)
	}
	events, err := grammar.Events(string(data))
	if err != nil {
		t.Fatal(err)
	}
	var chunks []gateway.Chunk
	for _, e := range events {
		chunks = append(chunks, gateway.Chunk{Raw: []byte(e.Data), Event: e.Name})
	}
	return string(data), chunks
}

// Events of the format itself go out as they came, and fold into the message that they mean.
func TestMessagesAreRelayedAndFolded(t *testing.T) {
	for _, name := range []string{"text", "tools", "thinking", "max_tokens", "refusal", "stop_sequence", "unknown_event"} {
		want, chunks := relayedOf(t, name)
		req := &gateway.Request{ID: "1", Raw: []byte(thinkingAsk)}
		w := newMessageWriter(req, &gateway.Answer{Protocol: &gateway.Protocol{Wire: messagesWire, Maker: messagesMaker}, Model: "m"})
		var out []byte
		var fold gateway.Fold
		for i := range chunks {
			out = w.chunk(out, &chunks[i])
			fold.Add(&chunks[i])
		}
		if got := string(w.end(out, nil, nil)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		body := messageJSON(nil, req, &gateway.Answer{Protocol: &gateway.Protocol{Wire: messagesWire, Maker: messagesMaker}, Model: "m", Completion: fold.Completion()})
		if name == "unknown_event" { // the validator wants what is known
			if text := gjson.GetBytes(body, "content.0.text").Str; text != "ok" {
				t.Errorf("%s", body)
			}
			continue
		}
		told, err := grammar.Messages(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(blocksOfMessage(t, body)), fmt.Sprint(unmarked(told.Blocks)); got != want {
			t.Errorf("%s: folded to\n%+v, want\n%+v", name, got, want)
		}
		m := gjson.ParseBytes(body)
		if m.Get("id").Str != told.ID || m.Get("model").Str != told.Model || m.Get("stop_reason").Str != told.Stop || m.Get("type").Str != "message" ||
			int(m.Get("usage.input_tokens").Int()) != told.In || int(m.Get("usage.output_tokens").Int()) != told.Out {
			t.Errorf("%s: folded to %s", name, body)
		}
	}
}

// unmarked are blocks without what the validator notes in them.
func unmarked(blocks []grammar.Block) []grammar.Block {
	var out []grammar.Block
	for _, b := range blocks {
		out = append(out, grammar.Block{Type: b.Type, Text: b.Text, Signature: b.Signature, ID: b.ID, Name: b.Name, Input: b.Input, Data: b.Data})
	}
	return out
}

// A stream that began as relayed and is gone on with by another provider stays one message.
func TestRelayedStreamGoesOnTranslated(t *testing.T) {
	_, chunks := relayedOf(t, "text")
	w := newMessageWriter(&gateway.Request{ID: "1", Raw: []byte(thinkingAsk)}, &gateway.Answer{Protocol: &gateway.Protocol{Wire: messagesWire, Maker: messagesMaker}, Model: "m"})
	var out []byte
	for i := range chunks {
		if strings.Contains(string(chunks[i].Raw), "content_block_stop") {
			break
		}
		out = w.chunk(out, &chunks[i])
	}
	for _, c := range []gateway.Chunk{{Text: " And more."}, {Finish: gateway.FinishStop}} {
		out = w.chunk(out, &c)
	}
	out = w.end(out, &gateway.Usage{Fresh: 3, Output: 4}, nil)
	got, err := grammar.Messages(string(out))
	if err != nil || got.Ending != grammar.Completed || len(got.Blocks) != 1 || !strings.HasSuffix(got.Blocks[0].Text, " And more.") {
		t.Errorf("%+v, %v:\n%s", got, err, out)
	}
}

// State of other makers comes back as it went out: with its reasoning, alone, or before its call.
func TestStateSurvivesTheClient(t *testing.T) {
	req := &gateway.Request{ID: "1", Raw: []byte(thinkingAsk)}
	w := newMessageWriter(req, &gateway.Answer{Protocol: &gateway.Protocol{Maker: openAIMaker}, Model: "gpt-6-sol"})
	var out []byte
	for _, c := range []gateway.Chunk{
		{Reasoning: "First"}, {Reasoning: " this."}, {Thinking: []gateway.Thinking{{Maker: "openai", Model: "gpt-6-sol", Text: "First this.", Signature: "enc1"}}},
		{Thinking: []gateway.Thinking{{Maker: "openai", Model: "gpt-6-sol", Signature: "enc2"}}},
		{Text: "So."}, {Tools: []gateway.ToolDelta{{ID: "c1", Name: "f", Arguments: "{}", Signature: "sig"}}}, {Finish: gateway.FinishToolCalls},
	} {
		out = w.chunk(out, &c)
	}
	got, err := grammar.Messages(string(w.end(out, nil, nil)))
	if err != nil {
		t.Fatal(err)
	}
	var content []string
	for _, b := range got.Blocks {
		block := map[string]any{"type": b.Type}
		switch b.Type {
		case "thinking":
			block["thinking"], block["signature"] = b.Text, b.Signature
		case "redacted_thinking":
			block["data"] = b.Data
		case "text":
			block["text"] = b.Text
		case "tool_use":
			block["id"], block["name"], block["input"] = b.ID, b.Name, json.RawMessage(b.Input)
		}
		raw, err := json.Marshal(block)
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, string(raw))
	}
	next := `{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[` + strings.Join(content, ",") +
		`]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1"}]}]}`
	chat, derr := decodeMessages([]byte(next))
	if derr != nil {
		t.Fatal(derr)
	}
	turn := chat.Messages[1]
	want := []gateway.Thinking{{Maker: "openai", Model: "gpt-6-sol", Text: "First this.", Signature: "enc1"}, {Maker: "openai", Model: "gpt-6-sol", Signature: "enc2"}}
	if !reflect.DeepEqual(turn.Thinking, want) || turn.ToolCalls[0].Signature != "sig" || turn.Parts[0].Text != "So." {
		t.Errorf("%+v", turn)
	}
}
