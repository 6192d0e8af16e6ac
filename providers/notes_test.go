package providers

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"gateway"
)

// What is no text in a turn of the model's goes along or is refused, and is never lost.
func TestGeminiGetsImagesOfItsOwnTurns(t *testing.T) {
	a := &gemini{caller: caller{Settings{Kind: geminiKind}}}
	chat := func(p gateway.Part) *gateway.Chat {
		return &gateway.Chat{Messages: []gateway.Message{
			{Speaker: gateway.User, Parts: texts("draw")},
			{Speaker: gateway.Assistant, Parts: []gateway.Part{{Text: "here"}, p}},
			{Speaker: gateway.User, Parts: texts("again")}}}
	}
	got, err := a.translate(nativeCall("gemini-3.8-flash"), chat(gateway.Part{Kind: gateway.ImagePart, MIME: "image/png", Data: "QQ=="}), false)
	if err != nil || gjson.GetBytes(got, "contents.1.parts.1.inlineData.data").Str != "QQ==" {
		t.Errorf("%v: %s", err, got)
	}
	_, err = a.translate(nativeCall("gemini-3.8-flash"), chat(gateway.Part{Kind: gateway.ImagePart, URL: "https://x/y.png"}), false)
	if gateway.KindOf(err) != gateway.Unsupported {
		t.Errorf("an image by URL: %v", err)
	}
}

// What the normal form left out is told to the receipt, by every adapter that translates.
func TestWhatIsLeftOutIsTold(t *testing.T) {
	chat := &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.User, Parts: texts("q")}}, LeftOut: "the tool is left out"}
	call := claudeCall("gpt-5", chat)
	var told []string
	call.OnDowngrade = func(what string) { told = append(told, what) }
	if _, err := responsesAdapter(Settings{}).translate(call, false); err != nil {
		t.Fatal(err)
	}
	if _, err := call.Chat(); err != nil || len(told) != 2 || told[0] != chat.LeftOut {
		t.Errorf("%v, told %q", err, told)
	}
}

// How much to say is told to the models that can be told, in either of OpenAI's formats.
func TestVerbosityIsToldWhereItCanBe(t *testing.T) {
	chat := &gateway.Chat{Messages: []gateway.Message{{Speaker: gateway.User, Parts: texts("q")}}, Verbosity: "low", Format: gateway.Format{Mode: "json_object"}}
	for model, want := range map[string]string{"gpt-5.1": "low", "gpt-4.1": "", "o3": "", "deepseek-flash": ""} {
		if got := gjson.Get(responsesBody(t, model, chat), "text.verbosity").Str; got != want {
			t.Errorf("%s, Responses: %q, want %q", model, got, want)
		}
		if got := gjson.GetBytes(encodeOpenAI(chat, &gateway.Model{Name: model}), "verbosity").Str; got != want {
			t.Errorf("%s, Chat Completions: %q, want %q", model, got, want)
		}
	}
	if got := gjson.Get(responsesBody(t, "gpt-5.1", chat), "text.format.type").Str; got != "json_object" {
		t.Errorf("the format beside it is %q", got)
	}
}

// The sources that a Responses answer names come out as those of Chat Completions do.
func TestResponsesCitations(t *testing.T) {
	note := `{"type":"url_citation","start_index":0,"end_index":2,"url":"https://a.example/","title":"A \"b\""}`
	item := `{"id":"m1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"ok","annotations":[` + note + `,{"type":"file_citation","file_id":"f"}]}]}`
	sse := event("response.output_item.added", `{"type":"response.output_item.added","output_index":0,"item":{"id":"m1","type":"message","role":"assistant","content":[]}}`) +
		event("response.output_text.delta", `{"type":"response.output_text.delta","output_index":0,"item_id":"m1","delta":"ok"}`) +
		event("response.output_item.done", `{"type":"response.output_item.done","output_index":0,"item":`+item+`}`) +
		event("response.completed", `{"type":"response.completed","response":{"id":"r","status":"completed","output":[`+item+`]}}`)
	got, err := gateway.Collect(responsesReader(strings.NewReader(sse), responsesAsk{}))
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	want := `[{"type":"url_citation","url_citation":{"start_index":0,"end_index":2,"url":"https://a.example/","title":"A \"b\""}}]`
	if c := got.Choices[0]; string(c.Annotations) != want || c.Text != "ok" {
		t.Errorf("%q with %s, want %s", c.Text, c.Annotations, want)
	}
}

// Offsets count from the begin of a part in the one format, and of all the text in the
// other, whether it came in pieces or whole.
func TestResponsesCitationsBehindOtherText(t *testing.T) {
	part := func(text, url string) string {
		return `{"type":"output_text","text":"` + text + `","annotations":[{"type":"url_citation","start_index":1,"end_index":2,"url":"` + url + `"}]}`
	}
	item := func(id, parts string) string {
		return `{"id":"` + id + `","type":"message","role":"assistant","status":"completed","content":[` + parts + `]}`
	}
	one, two := item("m1", part("é12", "u1")+`,`+part("ab", "u2")), item("m2", part("xy", "u3"))
	added := func(index string) string {
		return event("response.output_item.added", `{"type":"response.output_item.added","output_index":`+index+`,"item":{"type":"message","role":"assistant","content":[]}}`)
	}
	delta := func(index, text string) string {
		return event("response.output_text.delta", `{"type":"response.output_text.delta","output_index":`+index+`,"delta":"`+text+`"}`)
	}
	done := func(index, item string) string {
		return event("response.output_item.done", `{"type":"response.output_item.done","output_index":`+index+`,"item":`+item+`}`)
	}
	end := event("response.completed", `{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}`)
	for name, sse := range map[string]string{
		"in pieces": added("0") + delta("0", "é1") + delta("0", "2") + delta("0", "ab") + done("0", one) + added("1") + delta("1", "xy") + done("1", two) + end,
		"whole":     done("0", one) + done("1", two) + end,
		"one body":  strings.Replace(end, "[]", "["+one+`,{"type":"web_search_call","id":"w"},`+two+"]", 1),
	} {
		got, err := gateway.Collect(responsesReader(strings.NewReader(sse), responsesAsk{}))
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if c := got.Choices[0]; c.Text != "é12abxy" || placesOf(string(c.Annotations)) != "1-2 u1 4-5 u2 6-7 u3" {
			t.Errorf("%s: %q with %s", name, c.Text, c.Annotations)
		}
	}
	body := []byte(`{"id":"r","status":"completed","output":[` + item("m1", part("é12", "u1")) + `,{"type":"web_search_call","id":"w"},` +
		item("m2", part("ab", "u2")) + `,` + item("m3", part("xy", "u3")) + `,` + item("m4", `{"type":"output_text","text":"z"}`) + `]}`)
	s := responsesReader(strings.NewReader(""), responsesAsk{})
	if failure := s.body(body); failure != nil {
		t.Fatal(failure)
	}
	got, err := gateway.Collect(s)
	want := `1-2 u1 4-5 u2 6-7 u3`
	if notes := string(got.Choices[0].Annotations); err != nil || got.Choices[0].Text != "é12abxyz" || placesOf(notes) != want {
		t.Errorf("%v: %q with %s", err, got.Choices[0].Text, notes)
	}
}

// placesOf are where the notes of Chat Completions point to, and to what.
func placesOf(notes string) string {
	var all []string
	for _, note := range gjson.Parse(notes).Array() {
		cited := note.Get("url_citation")
		all = append(all, cited.Get("start_index").Raw+"-"+cited.Get("end_index").Raw+" "+cited.Get("url").Str)
	}
	return strings.Join(all, " ")
}
