package api

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"gateway"
)

// hopeful says that more is at hand when there is not.
type hopeful struct{ *prepared }

func (hopeful) Buffered() bool { return true }

// A chunk is never held back for one that does not come.
func TestBurstIsNotHeldBack(t *testing.T) {
	s := &prepared{chunks: []gateway.Chunk{{Text: "first"}, {Text: "second"}}, end: io.EOF, gate: make(chan struct{}, 4), closed: make(chan struct{})}
	srv := serve(t, func(context.Context, *gateway.Request) (*gateway.Answer, error) {
		return &gateway.Answer{Stream: hopeful{s}}, nil
	}, nil)
	s.gate <- struct{}{}
	resp, err := http.Post(srv.URL+"/v1/chat/completions", "application/json", strings.NewReader(`{"stream":true,"messages":[{"role":"user","content":"x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "first") {
		t.Fatalf("%q, %v", line, err) // the second is still behind its gate
	}
	s.gate <- struct{}{}
	s.gate <- struct{}{}
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), "second") || !strings.HasSuffix(string(rest), "data: [DONE]\n\n") {
		t.Errorf("%q, %v", rest, err)
	}
}
