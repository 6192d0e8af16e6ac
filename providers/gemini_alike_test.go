package providers

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"gateway"
)

func geminiAlikeStream(text string) *geminiStream {
	a := &gemini{caller: caller{Settings{Name: "p", Kind: geminiKind, State: alikeState}}}
	return &geminiStream{a: a, call: testCall(), events: newSSEReader(strings.NewReader(text)), body: closer{}}
}

const (
	geminiUsual = `{"candidates":[{"content":{"parts":[{"text":"%s"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":1245,` +
		`"candidatesTokenCount":%d,"totalTokenCount":%d,"promptTokensDetails":[{"modality":"TEXT","tokenCount":1245}],"thoughtsTokenCount":%d},` +
		`"modelVersion":"gemini-3.8-flash","responseId":"mAitaLmkHPPlz7IPvtfUqQ4"}`
	geminiLast = `{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1245}}`
)

// The quick way must give what the parser gives, whatever the events are.
func FuzzGeminiAlike(f *testing.F) {
	usual := fmt.Sprintf(geminiUsual, "token", 1, 1249, 3)
	for _, text := range []string{"a", " b", `c\n`, `","thoughtSignature":"x`, `"}]}}]}`, "", "ü", "\x01", `\`, `a","thought":true,"x":"`} {
		f.Add(usual, fmt.Sprintf(geminiUsual, text, 10, 1258, 3))
		f.Add(strings.Replace(usual, `"text"`, `"thought":true,"text"`, 1), strings.Replace(fmt.Sprintf(geminiUsual, text, 0, 9, 12345678), `"text"`, `"thought":true,"text"`, 1))
	}
	for _, count := range []string{"0", "00", "01", "-1", "1.5", "1e3", `"7"`, "null", "", "123456789012345", "1234567890123456", "99999999999999999999", "7 ", "{}"} {
		f.Add(usual, strings.Replace(usual, ":1249", ":"+count, 1))
		f.Add(usual, strings.Replace(usual, ":3}", ":"+count+"}", 1))
		f.Add(strings.Replace(usual, ":3}", ":"+count+"}", 1), usual)
	}
	part := func(parts string) string { return `{"candidates":[{"content":{"parts":[` + parts + `]}}]}` }
	f.Add(part(`{"text":"a"},{"text":""}`), part(`{"text":"a"},{"text":"b"}`))
	f.Add(part(`{"text":"a","text":"b"}`), part(`{"text":"c","text":"b"}`))
	f.Add(part(`{"text":"a","thoughtSignature":"s"}`), part(`{"text":"b","thoughtSignature":"s"}`))
	f.Add(part(`{"text":"a"},{"functionCall":{"id":"i","name":"f","args":{"text":"a"}}}`), part(`{"text":"b"}`))
	f.Add(part(`{"text":"a","thought":true},{"text":"a"}`), part(`{"text":"b","thought":true},{"text":"a"}`))
	f.Add(`{"usageMetadata":{"promptTokenCount":1,"promptTokenCount":2},`+part(`{"text":"a"}`)[1:], `{"usageMetadata":{"promptTokenCount":3,"promptTokenCount":4},`+part(`{"text":"b"}`)[1:])
	f.Add(`{"usageMetadata":{},`+part(`{"text":"a"}`)[1:], part(`{"text":"a"}`))
	f.Add(usual, geminiLast)
	f.Fuzz(func(t *testing.T, first, second string) {
		quick, slow := geminiAlikeStream(""), geminiAlikeStream("")
		for _, data := range []string{`{"responseId":"x"}`, first, second, first, second} {
			slow.alike = geminiAlike{}
			got, want := quick.decode([]byte(data)), slow.decode([]byte(data))
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%q after %q: %v, want %v", data, first, got, want)
			}
			if got != nil {
				break
			}
		}
		unnamed(quick.queue)
		unnamed(slow.queue)
		quick.alike, slow.alike, slow.a, slow.call, slow.events = geminiAlike{}, geminiAlike{}, quick.a, quick.call, quick.events
		if !reflect.DeepEqual(quick, slow) {
			t.Errorf("%q, %q:\n%+v, want\n%+v", first, second, quick, slow)
		}
	})
}

// unnamed takes the ids of calls away, which are made up where the provider gives none.
func unnamed(chunks []gateway.Chunk) {
	for i := range chunks {
		for k := range chunks[i].Tools {
			chunks[i].Tools[k].ID = ""
		}
	}
}

func TestUsualGeminiEventsTakeTheQuickWay(t *testing.T) {
	s := geminiAlikeStream("")
	for i, text := range []string{"Hello", " world", `\n`, "", " again"} {
		data := []byte(fmt.Sprintf(geminiUsual, text, 7*i, 1245+7*i, 3+i))
		if quick := s.likeTheLast(data); quick != (i > 2) {
			t.Errorf("%q: quick %v", text, quick)
		} else if !quick {
			if err := s.decode(data); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := gateway.Usage{Fresh: 1245, Output: 35, Reasoning: 7, Reported: true}
	if c := s.queue[len(s.queue)-1]; len(s.queue) != 5 || c.Text != " again" || *c.Usage != want || s.usage != want || string(s.text) != "Hello world\n again" {
		t.Errorf("%d chunks, the last %+v with %+v after %q", len(s.queue), c, c.Usage, s.text)
	}
}

// A relayed event keeps its bytes, whichever way it was read.
func TestQuickGeminiEventsAreRelayedAsTheyCame(t *testing.T) {
	var all strings.Builder
	var sent []string
	for i, text := range []string{"Hello", " world", `\n`, " again", "."} {
		sent = append(sent, fmt.Sprintf(geminiUsual, text, i, 1245+i, 3))
		all.WriteString("data: " + sent[i] + "\r\n\r\n")
	}
	s := geminiAlikeStream(all.String() + "data: " + geminiLast + "\r\n\r\n")
	s.ctx, s.relayed = t.Context(), true
	for _, want := range append(sent, geminiLast) {
		if c, err := s.Next(); err != nil || string(c.Raw) != want {
			t.Errorf("%s, %v; want %s", c.Raw, err, want)
		}
	}
	if _, err := s.Next(); err != io.EOF {
		t.Error(err)
	}
}

func BenchmarkGeminiEvents(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "data: "+geminiUsual+"\r\n\r\n", "token ", i, 1248+i, 3)
	}
	text.WriteString("data: " + geminiLast + "\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		s := geminiAlikeStream(text.String())
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
