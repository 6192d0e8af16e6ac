package fakeupstream

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const weatherSchema = `{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}`

// dialect writes and reads one kind's format for a conversation of one question and,
// in its second round, the model's turn as it came and the results of its calls.
type dialect struct {
	kind  Kind
	model string
	path  func(stream bool) string
	body  func(prompt string, stream bool, turn jsontext.Value, calls []Call, results []string) string
	// read takes the text, the calls and the turn, to be given back, out of an answer.
	read func(t *testing.T, body string) (string, []Call, jsontext.Value)
}

func chatDialect(kind Kind, more string) dialect {
	return dialect{
		kind: kind, model: "m", path: func(bool) string { return "/v1/chat/completions" },
		body: func(prompt string, stream bool, turn jsontext.Value, calls []Call, results []string) string {
			messages := fmt.Sprintf(`{"role":"user","content":%s}`, mustJSON(prompt))
			if turn != nil {
				messages += "," + string(turn)
			}
			for i, c := range calls {
				messages += fmt.Sprintf(`,{"role":"tool","tool_call_id":%q,"content":%s}`, c.ID, mustJSON(results[i]))
			}
			return fmt.Sprintf(`{"model":"m","stream":%v%s,"messages":[%s],"tools":[{"type":"function","function":{"name":"weather","parameters":%s}},`+
				`{"type":"function","function":{"name":"tides","parameters":%s}}]}`, stream, more, messages, weatherSchema, weatherSchema)
		},
		read: func(t *testing.T, body string) (string, []Call, jsontext.Value) {
			var got struct {
				Choices []struct {
					Message jsontext.Value `json:"message"`
				} `json:"choices"`
			}
			var say struct {
				Content *string    `json:"content"`
				Calls   []chatCall `json:"tool_calls"`
			}
			decode(t, body, &got)
			decode(t, string(got.Choices[0].Message), &say)
			var calls []Call
			for _, c := range say.Calls {
				calls = append(calls, Call{c.ID, c.Function.Name, c.Function.Arguments})
			}
			if say.Content == nil {
				return "", calls, got.Choices[0].Message
			}
			return *say.Content, calls, got.Choices[0].Message
		},
	}
}

func decode(t *testing.T, body string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
}

var ollamaDialect = dialect{
	kind: Ollama, model: "m", path: func(bool) string { return "/api/chat" },
	body: func(prompt string, stream bool, turn jsontext.Value, calls []Call, results []string) string {
		messages := fmt.Sprintf(`{"role":"user","content":%s}`, mustJSON(prompt))
		if turn != nil {
			messages += "," + string(turn)
		}
		for i, c := range calls {
			messages += fmt.Sprintf(`,{"role":"tool","tool_name":%q,"content":%s}`, c.Name, mustJSON(results[i]))
		}
		return fmt.Sprintf(`{"model":"m","stream":%v,"messages":[%s],"tools":[{"type":"function","function":{"name":"weather","parameters":%s}},`+
			`{"type":"function","function":{"name":"tides","parameters":%s}}]}`, stream, messages, weatherSchema, weatherSchema)
	},
	read: func(t *testing.T, body string) (string, []Call, jsontext.Value) {
		var got struct {
			Message jsontext.Value `json:"message"`
		}
		var say ollamaMessage
		if err := json.Unmarshal([]byte(body), &got, json.RejectUnknownMembers(false)); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		decode(t, string(got.Message), &say)
		var calls []Call
		for _, c := range say.ToolCalls {
			calls = append(calls, Call{c.ID, c.Function.Name, string(c.Function.Arguments)})
		}
		return say.Content, calls, got.Message
	},
}

var anthropicDialect = dialect{
	kind: Anthropic, model: "claude-sonnet-4-6", path: func(bool) string { return "/v1/messages" },
	body: func(prompt string, stream bool, turn jsontext.Value, calls []Call, results []string) string {
		messages := fmt.Sprintf(`{"role":"user","content":%s}`, mustJSON(prompt))
		if turn != nil {
			messages += fmt.Sprintf(`,{"role":"assistant","content":%s},{"role":"user","content":[`, turn)
			for i, c := range calls {
				messages += fmt.Sprintf(`%s{"type":"tool_result","tool_use_id":%q,"content":%s}`, ","[:min(i, 1)], c.ID, mustJSON(results[i]))
			}
			messages += "]}"
		}
		return fmt.Sprintf(`{"model":"claude-sonnet-4-6","max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":1024},"stream":%v,"messages":[%s],`+
			`"tools":[{"name":"weather","description":"d","input_schema":%s},{"name":"tides","input_schema":%s}]}`, stream, messages, weatherSchema, weatherSchema)
	},
	read: func(t *testing.T, body string) (text string, calls []Call, turn jsontext.Value) {
		var got struct {
			Content jsontext.Value `json:"content"`
		}
		var blocks []block
		decode(t, body, &got)
		decode(t, string(got.Content), &blocks)
		for _, b := range blocks {
			text += b.Text
			if b.Type == "tool_use" {
				calls = append(calls, Call{b.ID, b.Name, string(b.Input)})
			}
		}
		return text, calls, got.Content
	},
}

var geminiDialect = dialect{
	kind: Gemini, model: "gemini-3.8-flash",
	path: func(stream bool) string {
		if stream {
			return "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse"
		}
		return "/v1beta/models/gemini-3.8-flash:generateContent"
	},
	body: func(prompt string, _ bool, turn jsontext.Value, calls []Call, results []string) string {
		contents := fmt.Sprintf(`{"role":"user","parts":[{"text":%s}]}`, mustJSON(prompt))
		if turn != nil {
			contents += fmt.Sprintf(`,%s,{"role":"user","parts":[`, turn)
			for i, c := range calls {
				result := results[i]
				if !strings.HasPrefix(result, "{") {
					result = fmt.Sprintf(`{"output":%s}`, mustJSON(result))
				}
				contents += fmt.Sprintf(`%s{"functionResponse":{"id":%q,"name":%q,"response":%s}}`, ","[:min(i, 1)], c.ID, c.Name, result)
			}
			contents += "]}"
		}
		return fmt.Sprintf(`{"contents":[%s],"tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":%s},{"name":"tides","parametersJsonSchema":%s}]}]}`,
			contents, weatherSchema, weatherSchema)
	},
	read: func(t *testing.T, body string) (text string, calls []Call, turn jsontext.Value) {
		var got struct {
			Candidates []struct {
				Content jsontext.Value `json:"content"`
			} `json:"candidates"`
		}
		var said geminiContent
		decode(t, body, &got)
		decode(t, string(got.Candidates[0].Content), &said)
		for _, p := range said.Parts {
			if p.Call != nil {
				calls = append(calls, Call{p.Call.ID, p.Call.Name, string(p.Call.Args)})
			} else if p.Text != nil {
				text += *p.Text
			}
		}
		return text, calls, got.Candidates[0].Content
	},
}

func dialects() []dialect {
	return []dialect{
		chatDialect(OpenAI, ""), chatDialect(DeepSeek, ""), ollamaDialect, anthropicDialect, geminiDialect,
	}
}

// post asks a server in a dialect.
func (d dialect) post(t *testing.T, s *Server, stream bool, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+d.path(stream), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Anthropic-Version", "2023-06-01")
	return do(t, req)
}

func TestAllKindsSayTheSame(t *testing.T) {
	const question = "What is it like in Paris and in Rome? Please use tools."
	results := []string{`{"temperature_c": 21, "a": "b"}`, "wet & windy"}
	calls := Calls(question, []Tool{{"weather", jsontext.Value(weatherSchema)}, {"tides", jsontext.Value(weatherSchema)}})
	if !strings.Contains(calls[0].Arguments, "Paris") || !strings.Contains(calls[1].Arguments, "Rome") {
		t.Fatalf("calls %v", calls)
	}
	for _, d := range dialects() {
		t.Run(d.kind.String(), func(t *testing.T) {
			s := start(t, Config{Kind: d.kind, Models: []string{d.model}})
			status, body := d.post(t, s, false, d.body("Just a question.", false, nil, nil, nil))
			if status != 200 {
				t.Fatal(body)
			}
			if text, _, _ := d.read(t, body); text != Text("Just a question.", 0) {
				t.Errorf("%q, want %q", text, Text("Just a question.", 0))
			}
			_, body = d.post(t, s, false, d.body(question, false, nil, nil, nil))
			text, made, turn := d.read(t, body)
			if len(made) != 2 || text != "" {
				t.Fatalf("%q, %v: %s", text, made, body)
			}
			for i, c := range made {
				if c.Name != calls[i].Name || canonical(c.Arguments) != canonical(calls[i].Arguments) || c.ID == "" {
					t.Errorf("call %+v, want %+v", c, calls[i])
				}
			}
			status, body = d.post(t, s, false, d.body(question, false, turn, made, results))
			if status != 200 {
				t.Fatal(body)
			}
			want := ResultsText(question, 0, []string{"weather", "tides"}, results)
			if text, made, _ = d.read(t, body); text != want || len(made) > 0 {
				t.Errorf("%q, want %q", text, want)
			}
			if status, body = d.post(t, s, false, d.body(question, false, turn, made[:0], results)); status != 400 {
				t.Errorf("calls without results: %d %s", status, body)
			}
		})
	}
}

// What a stream bills is what its parts add up to, cut or not, in every format.
func TestBillIsExact(t *testing.T) {
	for _, d := range dialects() {
		s := start(t, Config{Kind: d.kind, AllowMarkers: true, Tokens: 12})
		for _, fault := range []Fault{None, CutBeforeUsage, Truncated, Empty} {
			prompt := "[[id:" + d.kind.String() + string(fault) + "]] [[fault:" + string(fault) + "]]"
			if status, body := d.post(t, s, true, d.body(prompt, true, nil, nil, nil)); status != 200 {
				t.Fatalf("%v %s: %s", d.kind, fault, body)
			}
		}
		_ = s.Close()
		bills := s.Bill()
		thought := bills[0].Usage.Reasoning
		for i, want := range []int{thought + 12, thought + 12, -1, 0} {
			if got := bills[i].Usage.Output; want >= 0 && got != want {
				t.Errorf("%v %q: billed %d, want %d", d.kind, bills[i].Fault, got, want)
			}
			if bills[i].Cut || bills[i].Usage.Prompt == 0 {
				t.Errorf("%v: %+v", d.kind, bills[i])
			}
		}
		if half := bills[2].Usage.Output; half < 6 || half >= thought+12 {
			t.Errorf("%v: truncated after %d of %d", d.kind, half, thought+12)
		}
	}
}

// Each kind says its errors in its own words.
func TestErrorsAreOfTheKind(t *testing.T) {
	words := map[Kind][]string{
		OpenAI:    {`"code":"rate_limit_exceeded"`, `"code":"context_length_exceeded"`},
		DeepSeek:  {`"code":"rate_limit_exceeded"`, `"code":"context_length_exceeded"`},
		Ollama:    {`{"error":"`, "exceeds the context length"},
		Anthropic: {`"type":"rate_limit_error"`, "prompt is too long"},
		Gemini:    {`"retryDelay":"1s"`, "exceeds the maximum number of tokens allowed"},
	}
	for _, d := range dialects() {
		s := start(t, Config{Kind: d.kind, AllowMarkers: true})
		for i, fault := range []Fault{RateLimited, ContextLength} {
			status, body := d.post(t, s, true, d.body("[[fault:"+string(fault)+"]]", true, nil, nil, nil))
			if status != []int{429, 400}[i] || !strings.Contains(body, words[d.kind][i]) {
				t.Errorf("%v %s: %d %s", d.kind, fault, status, body)
			}
		}
		status, _ := d.post(t, s, true, d.body("[[fault:503]]", true, nil, nil, nil))
		if want := map[bool]int{true: 529, false: 503}[d.kind == Anthropic]; status != want {
			t.Errorf("%v: %d, want %d", d.kind, status, want)
		}
	}
	if len(Faults()) != len(slices.Compact(slices.Sorted(slices.Values(Faults())))) {
		t.Error("a fault is listed twice")
	}
}
