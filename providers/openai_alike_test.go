package providers

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"gateway"
)

// The quick way must give what the parser gives, whatever the events are.
func FuzzAlikeEvents(f *testing.F) {
	const event = `{"id":"x","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]%s}`
	for _, text := range []string{"a", " b", `c\n`, `","refusal":"x`, `"}}]}`, "", "ü", "\x01", `\`} {
		f.Add(fmt.Sprintf(event, "token", ""), fmt.Sprintf(event, text, ""))
		f.Add(fmt.Sprintf(event, "token", `,"usage":{"prompt_tokens":1}`), fmt.Sprintf(event, text, `,"usage":{"prompt_tokens":1}`))
		f.Add(fmt.Sprintf(event, "token", ""), fmt.Sprintf(event, text, `,"error":{"message":"x"}`))
	}
	f.Add(`{"choices":[{"index":1,"delta":{"reasoning_content":"a","content":null}}]}`, `{"choices":[{"index":1,"delta":{"reasoning_content":"bc","content":null}}]}`)
	f.Add(`{"choices":[{"delta":{"reasoning":"a","reasoning_content":"a"}}]}`, `{"choices":[{"delta":{"reasoning":"b","reasoning_content":"a"}}]}`)
	f.Add(`{"choices":[{"delta":{"content":"a","content":"b"}}]}`, `{"choices":[{"delta":{"content":"a","content":"c"}}]}`)
	f.Add(`[{"choices":[{"delta":{"content":"a"}}]}]`, `[{"choices":[{"delta":{"content":"c"}}]}]`)
	f.Fuzz(func(t *testing.T, first, second string) {
		quick, slow := alikeStream(), alikeStream()
		for _, data := range []string{`{"id":"x","choices":[]}`, first, second, first, second} {
			var got, want *gateway.Error
			if !quick.likeTheLast([]byte(data)) {
				got = quick.decode([]byte(data), "delta")
			}
			want = slow.decode([]byte(data), "delta")
			if (got == nil) != (want == nil) {
				t.Fatalf("%q after %q: %v, want %v", data, first, got, want)
			}
			if got != nil {
				return
			}
		}
		if !reflect.DeepEqual(quick.queue, slow.queue) {
			t.Errorf("%q, %q:\n%+v, want\n%+v", first, second, quick.queue, slow.queue)
		}
		if !reflect.DeepEqual(quick.choices, slow.choices) {
			t.Errorf("%q, %q: choices are %+v, want %+v", first, second, quick.choices, slow.choices)
		}
	})
}

var alikeState = NewState(10, time.Hour)

func alikeStream() *openAIStream {
	a := &openAI{caller: caller{Settings{Name: "p", Kind: openAIKind, State: alikeState}}}
	return &openAIStream{a: a, call: testCall(), events: newSSEReader(strings.NewReader(""))}
}

func TestUsualEventsTakeTheQuickWay(t *testing.T) {
	s := alikeStream()
	const event = `{"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}`
	for i, text := range []string{"Hello", " world", `\n`, " again"} {
		data := []byte(fmt.Sprintf(event, text))
		if quick := s.likeTheLast(data); quick != (i == 3) && quick != (i == 1) {
			t.Errorf("%q: quick %v", text, quick)
		} else if !quick {
			if err := s.decode(data, "delta"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := len(s.queue); got != 4 {
		t.Errorf("%d chunks", got)
	}
}

func BenchmarkEvents(b *testing.B) {
	data := "data: " + `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[{"index":0,"delta":{"content":"token "},"logprobs":null,"finish_reason":null}]}` + "\n\n"
	text := strings.Repeat(data, 1000) + `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
	b.ReportAllocs()
	for b.Loop() {
		s := alikeStream()
		s.events = newSSEReader(strings.NewReader(text))
		s.ctx = b.Context()
		for n := 0; ; n++ {
			if _, err := s.Next(); err != nil {
				if n != 1001 {
					b.Fatal(n, err)
				}
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
}
