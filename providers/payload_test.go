package providers

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"gateway"
)

func TestPayloadReadsAsOnePiece(t *testing.T) {
	for _, p := range []payload{nil, {nil}, {[]byte("one")}, {[]byte("a"), nil, []byte("bcd"), []byte("e")}, {nil, nil, []byte("x")}} {
		want := string(p.bytes())
		if err := iotest.TestReader(p.reader(), []byte(want)); err != nil {
			t.Errorf("%q: %v", p, err)
		}
		var out bytes.Buffer
		if err := p.writeTo(&out, []byte("head ")); err != nil || out.String() != "head "+want || p.size() != len(want) || string(p.bytes()) != want {
			t.Errorf("%q: wrote %q, %v", p, out.String(), err)
		}
	}
}

// Whatever is sent in pieces is what would have been sent as one, byte for byte.
func TestLargeValuesAreSplicedInPlace(t *testing.T) {
	long := strings.Repeat("word ", spliceLeast)
	for name, fields := range map[string]string{
		"messages":        `"messages":[{"role":"user","content":"` + long + `"}]`,
		"tools as well":   `"messages":[{"role":"user","content":"` + long + `"}],"tools":[{"type":"function","function":{"name":"f","description":"` + long + `"}}],"seed":3`,
		"an unknown one":  `"x":"` + long + `","messages":[{"role":"user","content":"hi"}],"y":"` + long + `"`,
		"just under":      `"messages":[{"role":"user","content":"` + strings.Repeat("x", spliceLeast-40) + `"}]`,
		"nothing is long": `"messages":[{"role":"user","content":"hi"}]`,
	} {
		raw := []byte(`{"model":"m",` + fields + `}`)
		before := sha256.Sum256(raw)
		body := editBody(t, Quirks{}, gateway.Model{Name: "m"}, raw, nil)
		if want := `{"model":"m",` + fields + `,"stream":true,"stream_options":{"include_usage":true}}`; string(body) != want {
			t.Errorf("%s: %.200s … %s", name, body, body[len(body)-80:])
		}
		if sha256.Sum256(raw) != before {
			t.Errorf("%s: the client's body was changed", name)
		}
	}
}

const largeBody = 10 << 20

func largeCall() *gateway.Call {
	call := chatCall()
	call.Request.Raw = []byte(`{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("x", largeBody) + `"}]}`)
	call.Request.Top = nil
	return call
}

// A request of 10 MiB in OpenAI's format that is sent to several providers of that format
// at once is in memory once.
func TestHedgedLargeBodyIsNotCopied(t *testing.T) {
	const attempts = 4
	sum := func(r io.Reader) string {
		h := sha256.New()
		buffer := make([]byte, 64<<10)
		io.CopyBuffer(h, struct{ io.Reader }{r}, buffer)
		return string(h.Sum(nil))
	}
	var mu sync.Mutex
	got := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := sum(r.Body) + strconv.FormatInt(r.ContentLength, 10)
		mu.Lock()
		got[id]++
		mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, shortStream)
	}))
	defer server.Close()
	for name, client := range map[string]*http.Client{"direct": NewClient(), "net/http": {Transport: &http.Transport{}}} {
		t.Run(name, func(t *testing.T) {
			defer client.CloseIdleConnections()
			clear(got)
			call := largeCall()
			a := &openAI{caller: caller{Settings{Name: "p", Kind: openAIKind, BaseURL: server.URL, Client: client}}}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var all sync.WaitGroup
			for range attempts {
				all.Go(func() {
					s, err := a.Open(t.Context(), call)
					if err != nil {
						t.Error(err)
						return
					}
					defer s.Close()
					if _, err := gateway.Collect(s); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			runtime.ReadMemStats(&after)
			took := after.TotalAlloc - before.TotalAlloc
			t.Logf("%d attempts of %d bytes allocated %d KiB, the server's part included", attempts, len(call.Request.Raw), took>>10)
			if took > largeBody/2 {
				t.Errorf("%d attempts allocated %d bytes", attempts, took)
			}
			if len(got) != 1 {
				t.Errorf("%d different bodies came", len(got))
			}
			for _, n := range got {
				if n != attempts {
					t.Errorf("%d of %d came whole", n, attempts)
				}
			}
		})
	}
}

// A body in pieces is sent whole again when a kept connection turns out to be dead.
func TestPiecesAreSentAgainOnADeadConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	sizes := make(chan int64, 10)
	go func() { // ends when the listener closes
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { // ends with its second request
				defer conn.Close()
				in := bufio.NewReader(conn)
				for n := range 2 {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					size, _ := io.Copy(io.Discard, req.Body)
					sizes <- size
					if n == 1 {
						return // read whole, answered with nothing
					}
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: "+strconv.Itoa(len(shortStream))+"\r\n\r\n"+shortStream)
				}
			}()
		}
	}()
	for name, client := range map[string]*http.Client{"direct": NewClient(), "net/http": {Transport: &http.Transport{}}} {
		t.Run(name, func(t *testing.T) {
			defer client.CloseIdleConnections()
			a := &openAI{caller: caller{Settings{Name: "p", Kind: openAIKind, BaseURL: "http://" + listener.Addr().String(), Client: client}}}
			for range 2 {
				call := chatCall()
				call.Request.Top = nil
				call.Request.Raw = []byte(`{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("x", 3*spliceLeast) + `"}]}`)
				s, err := a.Open(t.Context(), call)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := gateway.Collect(s); err != nil {
					t.Fatal(err)
				}
				s.Close()
			}
			first, dead, again := <-sizes, <-sizes, <-sizes
			if first != dead || first != again || first < 3*spliceLeast {
				t.Errorf("sent %d, %d and %d bytes", first, dead, again)
			}
		})
	}
}
