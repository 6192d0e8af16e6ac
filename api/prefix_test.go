package api

import (
	"strings"
	"testing"

	"gateway"
)

// What a conversation begins with is the same in each of its turns, wherever the client
// has its marks for caches by then, and different in another conversation.
func TestPrefixIsThatOfTheConversation(t *testing.T) {
	chat := func(system, first, rest string) uint64 {
		req := &gateway.Request{}
		if err := scanChat([]byte(`{"messages":[{"role":"system","content":`+system+`},{"role":"user","content":`+first+`}`+rest+`]}`), req); err != nil {
			t.Fatal(err)
		}
		return req.Prefix
	}
	responses := func(system, first, rest string) uint64 {
		text := strings.NewReplacer(`"text",`, `"input_text",`, "cache_control", "prompt_cache_breakpoint", "image_url\":{\"url\":\"http://a\"}", "image_url\":\"http://a\"")
		req := &gateway.Request{}
		body := `{"input":[{"role":"system","content":` + system + `},{"role":"user","content":` + first + `}` + rest + `]}`
		if err := scanResponses([]byte(text.Replace(body)), req, unpinned); err != nil {
			t.Fatal(err)
		}
		return req.Prefix
	}
	const mark, more = `,"cache_control":{"type":"ephemeral"}`, `,{"role":"assistant","content":"a"},{"role":"user","content":"b"}`
	for name, prefix := range map[string]func(system, first, rest string) uint64{"chat": chat, "responses": responses} {
		first := prefix(`[{"type":"text","text":"be \"brief\""`+mark+`}]`, `[{"type":"text","text":"hi"`+mark+`}]`, "")
		for _, same := range []uint64{
			prefix(`"be \"brief\""`, `"hi"`, more),
			prefix(`[{"type":"text","text":"be \"brief\""`+mark+`}]`, `[{"type":"text","text":"hi"}]`, more),
		} {
			if same != first || first == 0 {
				t.Errorf("%s: %x in a later turn, %x in the first", name, same, first)
			}
		}
		for _, other := range []uint64{
			prefix(`"be brief"`, `"hi"`, ""), prefix(`"be \"brief\""`, `"hi you"`, ""),
			prefix(`"be \"brief\""`, `[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"http://a"}}]`, ""),
		} {
			if other == first {
				t.Errorf("%s: another conversation begins the same", name)
			}
		}
	}
}

// The first question may be an input of its own, and an item like others in later turns.
func TestPrefixOfAnInputThatIsText(t *testing.T) {
	prefix := func(input string) uint64 {
		req := &gateway.Request{}
		if err := scanResponses([]byte(`{"instructions":"be brief","input":`+input+`}`), req, unpinned); err != nil {
			t.Fatal(err)
		}
		return req.Prefix
	}
	const call = `,{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":""}`
	first := prefix(`"say \"hi\""`)
	for _, item := range []string{
		`{"role":"user","content":"say \"hi\""}`,
		`{"content":"say \"hi\"","role":"user"}`,
		`{"type":"message","role":"user","content":"say \"hi\""}`,
		`{"content":[{"text":"say \"hi\"","type":"input_text"}],"role":"user","type":"message","id":"m1","status":"completed"}`,
	} {
		if got := prefix("[" + item + call + "]"); got != first || got == 0 {
			t.Errorf("%s: %x in a later turn, %x in the first", item, got, first)
		}
	}
	for _, item := range []string{`{"role":"user","content":"hi"}`, `{"role":"user","content":null}`, `{"role":"user","content":""}`,
		`{"role":"developer","content":"say \"hi\""},{"role":"user","content":""}`} {
		if prefix("["+item+call+"]") == first {
			t.Errorf("%s begins as another conversation does", item)
		}
	}
}
