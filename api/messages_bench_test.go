package api

import (
	"testing"

	"gateway"
)

// Writing a text event of another provider against passing one on.
func BenchmarkMessageEvent(b *testing.B) {
	req := &gateway.Request{ID: "1", Raw: []byte(thinkingAsk)}
	for name, c := range map[string]gateway.Chunk{
		"relayed":    {Text: " token", Event: "content_block_delta", Raw: []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" token"}}`)},
		"translated": {Text: " token"},
	} {
		b.Run(name, func(b *testing.B) {
			w := newMessageWriter(req, &gateway.Answer{Protocol: &gateway.Protocol{Maker: geminiMaker}, Model: "g"})
			buf := w.chunk(make([]byte, 0, 1024), &c)
			b.ReportAllocs()
			for b.Loop() {
				buf = w.chunk(buf[:0], &c)
			}
		})
	}
}
