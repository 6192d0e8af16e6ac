package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"gateway"
)

// What the format may say tomorrow is in the whole answer too: blocks, fields and deltas
// of kinds that are not known here.
func TestFoldedMessagesKeepWhatIsNotKnown(t *testing.T) {
	var events []gateway.Chunk
	for _, e := range strings.Split(strings.TrimSpace(`
{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"m","novel":{"a":1},"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}
{"type":"content_block_start","index":0,"content_block":{"type":"compaction","content":null,"kept":true}}
{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"What was "}}
{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"said.","proof":"s1","level":1}}
{"type":"content_block_delta","index":0,"delta":{"type":"proof_delta","proof":"s2","level":2,"content":null}}
{"type":"content_block_stop","index":0}
{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}
{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a"}}
{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"cited_text":"c"}}}
{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"b"}}
{"type":"content_block_stop","index":1}
{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{},"caller":"c"}}
{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"x\":"}}
{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}
{"type":"content_block_stop","index":2}
{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9},"context_management":{"applied_edits":[]}}
{"type":"message_stop"}`), "\n") {
		events = append(events, gateway.Chunk{Raw: []byte(e)})
	}
	got, ok := foldMessage(nil, events)
	if !ok {
		t.Fatal("no message")
	}
	const want = `{"id":"msg_1","type":"message","role":"assistant","model":"m","novel":{"a":1},"content":[
		{"type":"compaction","content":"What was said.","kept":true,"proof":"s1s2","level":2},
		{"type":"text","text":"ab","citations":[{"cited_text":"c"}]},
		{"type":"tool_use","id":"t","name":"f","input":{"x":1},"caller":"c"}],
		"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":9},"context_management":{"applied_edits":[]}}`
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}
