package api

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gateway"
)

// allocated is how many bytes a thing takes while it runs.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// processorTime is what this process has used of processors so far: unlike time, it is
// the same on a machine that does other work.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What bodies cost that a client made to be dear grows with their length: what has to be
// looked up is not looked for, and texts are not copied for each of their pieces. Each of
// these took minutes.
func TestBodiesMadeToBeDear(t *testing.T) {
	const n = 100_000
	responses := func(input string) func() error {
		return func() error { _, err := decodeResponses([]byte(`{"input":[` + input + `]}`)); return err }
	}
	google := func(contents string) func() error {
		return func() error { _, err := decodeGemini([]byte(`{"contents":[` + contents + `]}`)); return err }
	}
	each := func(one func(i int) string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(one(i))
		}
		return b.String()
	}
	backwards := func(what string) string { return each(func(i int) string { return fmt.Sprintf(what, n-i) }) }
	for name, c := range map[string]struct {
		do     func() error
		refuse bool
	}{
		"reports of calls far back": {do: responses(`{"type":"function_call","call_id":"c","name":"f"},{"type":"function_call_output","call_id":"c","output":""},` +
			each(func(int) string { return `{"role":"user","content":""}` }) + `,` +
			each(func(int) string { return `{"type":"function_call_output","call_id":"c","output":""}` }))},
		"a refusal in pieces": {do: responses(`{"role":"assistant","content":[` + each(func(int) string { return `{"type":"refusal","refusal":"no no no no no no"}` }) + `]}`)},
		"a summary in pieces": {do: responses(`{"type":"reasoning","encrypted_content":"x","summary":[` + each(func(int) string { return `{"text":"so so so so so so so"}` }) + `]},{"role":"assistant","content":"a"}`)},
		"results from behind": {do: google(`{"role":"model","parts":[` + each(func(i int) string { return fmt.Sprintf(`{"functionCall":{"name":"f%d"}}`, i+1) }) + `]},` +
			`{"parts":[` + backwards(`{"functionResponse":{"name":"f%d"}}`) + `]}`)},
		"results of no call": {refuse: true, do: google(`{"role":"model","parts":[` + each(func(i int) string { return fmt.Sprintf(`{"functionCall":{"name":"f%d"}}`, i+1) }) + `]},` +
			`{"parts":[` + backwards(`{"functionResponse":{"name":"f%d"}}`) + `,{"functionResponse":{"name":"f1"}}]}`)},
	} {
		before := processorTime(t)
		var err error
		bytes := allocated(func() { err = c.do() })
		if took := processorTime(t) - before; took > 5*time.Second || bytes > 1<<30 {
			t.Errorf("%s: %v and %d MB", name, took, bytes>>20)
		}
		if (err != nil) != c.refuse {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// State that a client wrote itself does not grow when it is read, and what it holds is
// part of the prompt.
func TestSealedStateIsBounded(t *testing.T) {
	for what, long := range map[string]string{
		"older": olderMark + encode(`{"t":[`+strings.Repeat(`{},`, 100_000)+`{"k":"deepseek","x":"a"}]}`),
		"now":   gateway.Seal(gateway.Sealed{Thinking: gateway.Thinking{Maker: "deepseek", Text: strings.Repeat("a", 300_000)}}),
	} {
		var s state
		var ok bool
		bytes := allocated(func() { s, ok = unseal(long) })
		if !ok || len(s) != 1 || bytes > 4<<20 {
			t.Errorf("%s: %v, %d of them, %d bytes", what, ok, len(s), bytes)
		}
		req := &gateway.Request{}
		body := `{"input":[{"role":"user","content":"q"},{"type":"reasoning","summary":[],"encrypted_content":"` + long + `"},{"role":"user","content":"q"}]}`
		if err := scanResponses([]byte(body), req, func(*gateway.Request) bool { return false }); err != nil || req.PromptBytes < 300_000 {
			t.Errorf("%s: %d bytes, %v", what, req.PromptBytes, err)
		}
	}
	many := olderMark + encode(`{"t":[`+strings.Repeat(`{"k":"a"},`, mostOlder)+`{"k":"a"}]}`)
	if _, ok := unseal(many); ok {
		t.Error("a list that is too long is taken")
	}
	for _, list := range []string{`null`, `{}`, `[1]`, `[`} {
		if _, ok := unseal(olderMark + encode(`{"t":`+list+`}`)); ok {
			t.Errorf("%s is taken", list)
		}
	}
}

// Pieces of two calls that a provider mixes are looked at once, and joined once.
func TestMixedCallsCostWhatTheirLengthDoes(t *testing.T) {
	const n = 20_000
	chunks := []gateway.Chunk{
		{Tools: []gateway.ToolDelta{{Index: 0, ID: "a", Name: "f", Arguments: `{"x":"`}}},
		{Tools: []gateway.ToolDelta{{Index: 1, ID: "b", Name: "g", Arguments: `{"x":"`}}},
	}
	for range n {
		for i := range 2 {
			chunks = append(chunks, gateway.Chunk{Tools: []gateway.ToolDelta{{Index: i, Arguments: "some of the arguments, some of them"}}})
		}
	}
	for i := range 2 {
		chunks = append(chunks, gateway.Chunk{Tools: []gateway.ToolDelta{{Index: i, Arguments: `"}`}}})
	}
	chunks = append(chunks, finished(gateway.FinishToolCalls))
	for name, w := range map[string]eventWriter{
		"responses": newResponsesWriter(&gateway.Request{}, nil), "gemini": newGeminiWriter(&gateway.Request{}, nil), "messages": newMessageWriter(&gateway.Request{}, nil),
	} {
		before := processorTime(t)
		var out []byte
		bytes := allocated(func() {
			for i := range chunks {
				out = w.chunk(out[:0], &chunks[i])
			}
			out = w.end(out[:0], nil, nil)
		})
		if took := processorTime(t) - before; took > 2*time.Second || bytes > 256<<20 {
			t.Errorf("%s: %v and %d MB for %d pieces", name, took, bytes>>20, len(chunks))
		}
	}
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
