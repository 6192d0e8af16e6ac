package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"gateway"
)

func TestDecodeWholeHistory(t *testing.T) {
	raw := `{"messages":[
	 {"role":"developer","content":"Be brief."},
	 {"role":"user","content":[{"type":"text","text":"See"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO","detail":"low"}},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]},
	 {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"},"extra_content":{"google":{"thought_signature":"sig"}}},{"id":"c2","type":"function","function":{"name":"g","arguments":""}}],
	  "thinking_blocks":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"d"}]},
	 {"role":"tool","tool_call_id":"c1","content":"one"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"two"}]}],
	 "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}],"tool_choice":{"type":"function","function":{"name":"f"}},
	 "parallel_tool_calls":false,"seed":9007199254740993,"temperature":0.70,"stop":"END","max_tokens":5,"max_completion_tokens":7,"reasoning_effort":"low",
	 "response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}}}`
	c, err := decodeChat([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if c.Seed != "9007199254740993" || c.Temperature != "0.70" || c.MaxTokens != 7 || c.Stop[0] != "END" || *c.ParallelTools || c.Effort != "low" ||
		c.ToolChoice.Mode != "named" || c.ToolChoice.Name != "f" || !c.Tools[0].Strict || string(c.Tools[0].Parameters) != `{"type":"object"}` || c.Format.Mode != "json_schema" {
		t.Errorf("%+v", c)
	}
	img := c.Messages[1].Parts[1]
	if img.MIME != "image/png" || img.Data != "iVBO" || img.Detail != "low" || c.Messages[1].Parts[2].URL != "https://x/y.png" {
		t.Errorf("parts %+v", c.Messages[1].Parts)
	}
	a := c.Messages[2]
	if len(a.ToolCalls) != 2 || a.ToolCalls[0].Signature != "sig" || a.Reasoning != "hm" || !a.HasReasoning || len(a.Thinking) != 2 || a.Thinking[1].Redacted != "d" {
		t.Errorf("assistant %+v", a)
	}
}

func TestDecodeOldFunctions(t *testing.T) {
	c, err := decodeChat([]byte(`{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"r"}],"functions":[{"name":"f"}],"function_call":"auto"}`))
	if err != nil || c.Messages[1].ToolCalls[0].ID != c.Messages[2].ToolCallID || c.Tools[0].Name != "f" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestUnpairedToolCallsAreRefused(t *testing.T) {
	call := `{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]}`
	for _, messages := range []string{
		call,
		call + `,{"role":"user","content":"x"}`,
		`{"role":"tool","tool_call_id":"c1","content":"x"}`,
		call + `,{"role":"tool","tool_call_id":"c2","content":"x"}`,
	} {
		if _, err := decodeChat([]byte(`{"messages":[` + messages + `]}`)); gateway.KindOf(err) != gateway.Invalid || err == nil {
			t.Errorf("%s: %v", messages, err)
		}
	}
}

func TestRepair(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1}`: `{"a":1}`, "```json\n{\"a\":1}\n```": `{"a":1}`, `{"a":[1,2,],}`: `{"a":[1,2]}`, "```\n{\"a\":1,}```": `{"a":1}`,
		`{"a":",}"`: `{"a":",}"`, `not json`: `not json`, ``: ``, `{"a":"x,}",}`: `{"a":"x,}"}`, `{"a" 1}`: `{"a" 1}`,
	} {
		if got := repaired(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestStringsAreWrittenAsJSON(t *testing.T) {
	for _, s := range []string{"", "plain", "q\"\\/\b\f\n\r\t\x01\x7f", "é\u2028\u2029\U0001F600", "bad\xffend", strings.Repeat("x", 5000)} {
		var got string
		if err := json.Unmarshal(appendString(nil, s), &got); err != nil || got != strings.ToValidUTF8(s, "\ufffd") {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
}

func FuzzChatBody(f *testing.F) {
	for _, s := range []string{ask, `{"messages":[{"role":"tool","content":[{"type":"text"}]}],"n":2}`, `{"a":{"b":[1,{"c":null}]},"A":1}`, `{"messages":[{"role":"assistant","tool_calls":[{}]}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		req := &gateway.Request{}
		if err := scanChat(raw, req); err != nil {
			if k := problemOf(err); k.status < 400 || k.status > 499 {
				t.Fatalf("%d for a malformed body", k.status)
			}
			return
		}
		if !json.Valid(raw) {
			t.Fatal("accepted what is not JSON")
		}
		one, err1 := decodeChat(raw)
		two, err2 := decodeChat(raw)
		if (err1 == nil) != (err2 == nil) || !reflect.DeepEqual(one, two) {
			t.Fatal("decodes differently the second time")
		}
		if err1 != nil && problemOf(err1).status >= 500 {
			t.Fatalf("%v for a body that was accepted", err1)
		}
	})
}

func FuzzRepair(f *testing.F) {
	f.Add("```json\n{\"a\":[1,],}\n```")
	f.Fuzz(func(t *testing.T, s string) {
		if got := repaired(s); got != s && !json.Valid([]byte(got)) {
			t.Fatalf("%q became %q, which is not JSON either", s, got)
		}
	})
}

var timeZero time.Time

func BenchmarkChunk(b *testing.B) {
	w := newChunkWriter("1", timeZero, &gateway.Answer{Model: "m"}, true)
	c := gateway.Chunk{Text: " token"}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = w.chunk(buf[:0], &c)
	}
}

func TestChunkAllocatesNothing(t *testing.T) {
	w := newChunkWriter("1", timeZero, &gateway.Answer{Model: "m"}, true)
	c := gateway.Chunk{Text: " token"}
	buf := w.chunk(make([]byte, 0, 1024), &c)
	if n := testing.AllocsPerRun(100, func() { buf = w.chunk(buf[:0], &c) }); n != 0 {
		t.Errorf("%v allocations per chunk, want none", n)
	}
}

func BenchmarkScan(b *testing.B) {
	for name, size := range map[string]int{"0.3KB": 200, "10KB": 10_000, "100KB": 100_000} {
		raw := []byte(`{"model":"auto","messages":[{"role":"user","content":"` + strings.Repeat("word ", size/5) + `"}]}`)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				scanChat(raw, &gateway.Request{})
			}
		})
	}
}
