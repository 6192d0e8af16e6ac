package providers

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gateway"
)

// streamed are recorded streams, by the kind that reads them.
func streamed(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for pattern, kind := range map[string]string{
		"anthropic/*.sse": "anthropic", "gemini/*.sse": "gemini", "ollama/*.ndjson": "ollama", "openai-responses/*.sse": "openai_responses",
		"openai/*.sse": "openai_compatible", "deepseek/*.sse": "openai_compatible", "compat/*.sse": "openai_compatible",
	} {
		found, err := filepath.Glob("testdata/" + pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		all[kind] = append(all[kind], found...)
	}
	return all
}

// A stream that is waited for before each chunk gives what it gives otherwise, however its
// bytes arrive, and every kind can be waited for.
func TestWaitingChangesNothing(t *testing.T) {
	for kind, files := range streamed(t) {
		for _, file := range files {
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for seed := range uint64(3) {
					want := told(t, kind, body, seed, false)
					if got := told(t, kind, body, seed, true); got != want {
						t.Errorf("waited for:\n%s\nnot:\n%s", got, want)
					}
				}
			})
		}
	}
}

func saidHi(kind string) *gateway.Call {
	chat := &gateway.Chat{Messages: said("Hi")}
	req := &gateway.Request{Wire: openAIWire, Stream: true, Raw: []byte(`{"messages":[{"role":"user","content":"Hi"}]}`), Decode: func([]byte) (*gateway.Chat, error) { return chat, nil }}
	return &gateway.Call{Request: req, Model: &gateway.Model{Provider: "p", Name: "m", Kind: kind}}
}

// told reads a stream whose bytes come in pieces.
func told(t *testing.T, kind string, body []byte, seed uint64, wait bool) string {
	t.Helper()
	base := rawServer(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		if _, err := readRequest(in); err != nil {
			return
		}
		rnd := rand.New(rand.NewPCG(seed, 1))
		chunked := seed != 1
		head := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
		if chunked {
			head += "Transfer-Encoding: chunked\r\n\r\n"
		} else {
			head += fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))
		}
		io.WriteString(conn, head)
		for rest := body; len(rest) > 0; {
			n := min(len(rest), 1+rnd.IntN(900))
			if chunked {
				fmt.Fprintf(conn, "%x\r\n%s\r\n", n, rest[:n])
			} else {
				conn.Write(rest[:n])
			}
			if rest = rest[n:]; rnd.IntN(4) == 0 {
				time.Sleep(200 * time.Microsecond) // so that there is something to wait for
			}
		}
		if chunked {
			io.WriteString(conn, "0\r\n\r\n")
		}
		readRequest(in) // the connection stays: only the answer has ended
	})
	client := NewClient()
	defer client.CloseIdleConnections()
	a, err := kinds[kind].adapter(Settings{Name: "p", Kind: kind, BaseURL: base, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Open(t.Context(), saidHi(kind))
	if err != nil {
		return err.Error()
	}
	defer s.Close()
	waiter := s.(gateway.Waiter)
	var out strings.Builder
	for {
		if wait {
			waiter.Wait()
		}
		c, err := s.Next()
		if err != nil {
			var e *gateway.Error
			if errors.As(err, &e) {
				fmt.Fprintf(&out, "%v: %s", e.Kind, e.Message)
			} else {
				fmt.Fprintf(&out, "%v", err)
			}
			return out.String()
		}
		fmt.Fprintf(&out, "%q %q %q %d %v\n", c.Text, c.Reasoning, c.Refusal, len(c.Tools), c.Finish)
	}
}

// Who waits for a provider that says nothing is freed when the call is closed.
func TestWaitEndsWithTheCall(t *testing.T) {
	spoken := make(chan struct{})
	base := rawServer(t, func(_ int, conn net.Conn, in *bufio.Reader) {
		readRequest(in)
		event := "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(event), event)
		close(spoken)
		readRequest(in)
	})
	client := NewClient()
	defer client.CloseIdleConnections()
	a, err := kinds["openai_compatible"].adapter(Settings{Name: "p", Kind: "openai_compatible", BaseURL: base, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Open(t.Context(), saidHi("openai_compatible"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	<-spoken
	waited := make(chan error)
	go func() {
		s.(gateway.Waiter).Wait()
		_, err := s.Next()
		waited <- err
	}()
	select {
	case err := <-waited:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	s.Close()
	select {
	case err := <-waited:
		if err == nil {
			t.Error("a closed call gave a chunk")
		}
	case <-time.After(5 * time.Second):
		t.Error("it waits for a call that was closed")
	}
}

// A stream of a connection that many share is waited for too: no buffer is held meanwhile,
// and the wait ends with the next event, or with the call.
func TestWaitOnSharedConnection(t *testing.T) {
	const event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"
	more := make(chan struct{})
	server, client, _ := newSecureServer(t, 10, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, event)
		w.(http.Flusher).Flush()
		<-more
		io.WriteString(w, event)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	a, err := kinds["openai_compatible"].adapter(Settings{Name: "p", Kind: "openai_compatible", BaseURL: server.URL, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := a.Open(t.Context(), saidHi("openai_compatible"))
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	s := opened.(*openAIStream)
	for _, freed := range []func(){func() { close(more) }, func() { s.Close() }} {
		if c, err := s.Next(); err != nil || c.Text != "a" {
			t.Fatalf("%q, %v", c.Text, err)
		}
		waited := make(chan struct{})
		go func() {
			s.Wait()
			close(waited)
		}()
		select {
		case <-waited:
			t.Fatal("it did not wait")
		case <-time.After(20 * time.Millisecond):
		}
		freed()
		select {
		case <-waited:
		case <-time.After(5 * time.Second):
			t.Fatal("it waits for ever")
		}
		if s.events.lines.buf != nil {
			t.Error("a buffer was held while it waited")
		}
	}
	if _, err := s.Next(); err == nil {
		t.Error("a closed call gave a chunk")
	}
}

// A buffer that was lent out holds nothing that anybody may still read.
func TestLinesKeepWhatIsUnread(t *testing.T) {
	in := &piecewise{pieces: [][]byte{[]byte("one\ntw"), []byte("o\n"), bytes.Repeat([]byte("x"), 3*firstBuffer), []byte("\nend\n")}}
	lines := byteLines{r: in}
	var got []string
	for {
		lines.wait()
		line, _, err := lines.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(line))
	}
	if len(got) != 4 || got[0] != "one" || got[1] != "two" || len(got[2]) != 3*firstBuffer || got[3] != "end" {
		t.Errorf("%d lines, %.20q", len(got), got)
	}
}

// piecewise gives one piece with each read, and can always be waited for.
type piecewise struct{ pieces [][]byte }

func (p *piecewise) wait() {}

func (p *piecewise) Read(b []byte) (int, error) {
	if len(p.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.pieces[0])
	if p.pieces[0] = p.pieces[0][n:]; len(p.pieces[0]) == 0 {
		p.pieces = p.pieces[1:]
	}
	return n, nil
}
