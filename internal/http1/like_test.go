package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// begin serves a handler on a port of its own until the test ends.
func begin(t testing.TB, h http.Handler, change func(*Server)) (*Server, string) {
	t.Helper()
	s := &Server{Handler: h, HeadTimeout: 5 * time.Second, BodyTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second,
		MostHead: 64 << 10, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(s)
	}
	l := listen(t)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve gave %v", err)
		}
	})
	return s, l.Addr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// beginStandard serves the handler with net/http, set up in the same way.
func beginStandard(t testing.TB, h http.Handler) string {
	t.Helper()
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	l := listen(t)
	go s.Serve(l) // ends with Close
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// heard is one answer as a client reads it.
type heard struct {
	status int
	header http.Header
	body   string
	broken bool // it ended before its end
}

func (h heard) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", h.status)
	for _, name := range slices.Sorted(maps.Keys(h.header)) {
		if name != "Date" {
			fmt.Fprintf(&b, " %s=%q", name, h.header[name])
		}
	}
	fmt.Fprintf(&b, " %q", h.body)
	if h.broken {
		b.WriteString(" broken")
	}
	return b.String()
}

// talk sends bytes, says that no more come, and reads every answer until the server
// closes the connection.
func talk(t testing.TB, addr, text string) []heard {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, text); err == nil {
		c.(*net.TCPConn).CloseWrite()
	}
	var all []heard
	for r := bufio.NewReader(c); ; {
		resp, err := http.ReadResponse(r, &http.Request{Method: methodOf(text, len(all))})
		if err != nil {
			if len(all) > 0 { // nothing came after it, whatever it said of that
				delete(all[len(all)-1].header, "Connection")
			}
			return all
		}
		body, err := io.ReadAll(resp.Body)
		h := heard{resp.StatusCode, resp.Header, string(body), err != nil}
		h.header["Framing"] = []string{fmt.Sprint(resp.ContentLength, resp.TransferEncoding)}
		if resp.Close {
			h.header["Connection"] = []string{"close"}
		}
		all = append(all, h)
	}
}

// methodOf is the method of the n-th request, as far as the tests need to know it: an
// answer to HEAD has no body.
func methodOf(text string, n int) string {
	if n == 0 && strings.HasPrefix(text, "HEAD ") {
		return http.MethodHead
	}
	return http.MethodGet
}

// handler answers in the way that the path asks for.
func handler(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	switch r.URL.Path {
	case "/echo":
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %d %v", r.Method, r.Host, b, len(b), err != nil)
	case "/nothing":
	case "/big":
		w.Write([]byte(strings.Repeat("x", 70<<10)))
	case "/parts":
		for range 5 {
			io.WriteString(w, strings.Repeat("y", 1000))
		}
	case "/known":
		w.Header().Set("Content-Length", "5000")
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(strings.Repeat("z", 3000)))
		w.Write([]byte(strings.Repeat("z", 2000)))
	case "/short":
		w.Header().Set("Content-Length", "10")
		w.Write([]byte("four"))
	case "/long":
		w.Header().Set("Content-Length", "4")
		_, err := w.Write([]byte("too much"))
		if !errors.Is(err, http.ErrContentLength) {
			panic("a body longer than its length was taken")
		}
	case "/stream":
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 4 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			rc.Flush()
		}
	case "/empty-204":
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(204)
		w.Write([]byte("not allowed"))
	case "/same-304":
		w.Header().Set("ETag", `"e"`)
		w.WriteHeader(304)
	case "/odd":
		w.Header().Set("X-Lines", "a\r\nInjected: b")
		w.Header()["bad name"] = []string{"v"}
		w.Header().Set("X-Space", "  v  ")
		w.WriteHeader(499)
		w.WriteHeader(200)
		io.WriteString(w, "odd")
	case "/close":
		w.Header().Set("Connection", "close")
		io.WriteString(w, "bye")
	case "/html":
		io.WriteString(w, "<html><body>")
	case "/refuse":
		w.WriteHeader(413)
		io.WriteString(w, "no")
	case "/some":
		b := make([]byte, 10)
		n, _ := io.ReadFull(r.Body, b)
		fmt.Fprintf(w, "%s", b[:n])
	case "/panic":
		panic(http.ErrAbortHandler)
	case "/panic-later":
		io.WriteString(w, "begun")
		rc.Flush()
		panic(http.ErrAbortHandler)
	case "/typed-body":
		w.Header().Set("Content-Encoding", "gzip")
		io.WriteString(w, "<html>")
	default:
		http.NotFound(w, r)
	}
}

func get(path string, headers ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
}

func post(path, body string, headers ...string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: h\r\n" + strings.Join(append(headers, ""), "\r\n") +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

// conversations are what both servers are told.
func conversations() map[string]string {
	big := strings.Repeat("b", 100<<10)
	huge := strings.Repeat("b", 600<<10)
	all := map[string]string{
		"two in a row":               get("/echo") + get("/echo"),
		"body and more":              post("/echo", "hello") + get("/echo"),
		"line end after a body":      post("/echo", "hello") + "\r\n" + get("/echo"),
		"large body":                 post("/echo", big) + get("/echo"),
		"body left, small":           post("/refuse", "hello") + get("/echo"),
		"body left, 100 KB":          post("/refuse", big) + get("/echo"),
		"body left, 600 KB":          post("/refuse", huge),
		"body read in part":          post("/some", big) + get("/echo"),
		"no host":                    "GET /echo HTTP/1.1\r\n\r\n",
		"two hosts":                  "GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"odd host":                   "GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"1.0":                        "GET /echo HTTP/1.0\r\n\r\n" + get("/echo"),
		"1.0 that stays":             "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/echo"),
		"1.0 that stays, big":        "GET /big HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/echo"),
		"1.0 that stays, known":      "GET /known HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get("/echo"),
		"1.0 stream":                 "GET /stream HTTP/1.0\r\n\r\n",
		"0.9":                        "GET /echo\r\n\r\n",
		"3.0":                        "GET /echo HTTP/3.0\r\nHost: h\r\n\r\n",
		"client closes":              get("/echo", "Connection: close") + get("/echo"),
		"client closes and lists":    get("/echo", "Connection: x, close") + get("/echo"),
		"client closes in a word":    get("/echo", "Connection: x\xac CLOSE") + get("/echo"),
		"client closes by half":      get("/echo", "Connection: x-close") + get("/echo"),
		"expects":                    post("/echo", "hello", "Expect: 100-continue") + get("/echo"),
		"expects among words":        post("/echo", "hello", "Expect: 100-continue, x y") + get("/echo"),
		"expects and is refused":     post("/refuse", "hello", "Expect: 100-continue"),
		"head line only":             "GET /echo HTTP/1.1\r\n",
		"half a line":                "GET /ec",
		"nothing":                    "",
		"line ends":                  "\r\n\r\n",
		"head too large":             get("/echo", "X: "+strings.Repeat("x", 80<<10)),
		"head nearly too large":      get("/echo", "X: "+strings.Repeat("x", 60<<10)),
		"control in a header":        get("/echo", "X: a\x01b"),
		"name with a space":          get("/echo", "X Y: a"),
		"unknown coding":             get("/echo", "Transfer-Encoding: gzip"),
		"body cut":                   "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhel",
		"head and more":              "HEAD /known HTTP/1.1\r\nHost: h\r\n\r\n",
		"head of nothing":            "HEAD /nothing HTTP/1.1\r\nHost: h\r\n\r\n",
		"head of a stream":           "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n",
		"head of a small one":        "HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n",
		"whole address":              "GET http://other/echo HTTP/1.1\r\nHost: h\r\n\r\n",
		"connect":                    "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n",
		"upgrade that is not wanted": get("/echo", "Connection: Upgrade", "Upgrade: websocket") + get("/echo"),
	}
	for _, path := range []string{"/nothing", "/big", "/parts", "/known", "/short", "/long", "/stream", "/empty-204", "/same-304", "/odd",
		"/close", "/html", "/panic", "/panic-later", "/typed-body", "/missing"} {
		all["get "+path] = get(path) + get("/echo")
	}
	return all
}

// TestAnswersLikeNetHTTP has both servers answer the same conversations: statuses,
// headers, bodies, how they end and whether the connection stays must be the same.
func TestAnswersLikeNetHTTP(t *testing.T) {
	_, ours := begin(t, http.HandlerFunc(handler), nil)
	theirs := beginStandard(t, http.HandlerFunc(handler))
	for name, text := range conversations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, want := talk(t, ours, text), talk(t, theirs, text)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("ours:   %.700s\ntheirs: %.700s", got, want)
			}
		})
	}
}

// TestChunkedBodiesEndTheConnection: the one rule that net/http does not have.
func TestChunkedBodiesEndTheConnection(t *testing.T) {
	_, addr := begin(t, http.HandlerFunc(handler), nil)
	got := talk(t, addr, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"+get("/echo"))
	if len(got) != 1 || got[0].status != 200 || !strings.Contains(got[0].body, "hello 5 false") {
		t.Errorf("heard %v", got)
	}
}

// FuzzLikeNetHTTP: whatever a client sends, both servers read the same requests in it and
// answer each alike.
func FuzzLikeNetHTTP(f *testing.F) {
	for _, text := range conversations() {
		if len(text) < 4<<10 {
			f.Add(text)
		}
	}
	_, ours := begin(f, http.HandlerFunc(handler), nil)
	theirs := beginStandard(f, http.HandlerFunc(handler))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 16<<10 || differs(text) {
			return
		}
		got, want := talk(t, ours, text), talk(t, theirs, text)
		// net/http reads 4 KiB at a time and closes the connection of what it refuses with the
		// rest unread: the kernel may reset it and lose that answer. Ours lingers.
		if n := len(got); len(text) > 4<<10 && n > 0 && got[n-1].status >= 400 {
			got, want = got[:n-1], want[:min(n-1, len(want))]
		}
		if one, other := fmt.Sprint(unnamed(got)), fmt.Sprint(unnamed(want)); one != other {
			t.Errorf("ours:   %.700s\ntheirs: %.700s", one, other)
		}
	})
}

// unnamed leaves out what a bad request is told of its fault: of two it is one by chance, also
// in net/http.
func unnamed(all []heard) []heard {
	for i, h := range all {
		if fault, _, named := strings.Cut(h.body, "400 Bad Request: "); h.status == http.StatusBadRequest && named && fault == "" {
			all[i].body = ""
		}
	}
	return all
}

// differs names what is meant to differ: bodies without a length end the connection, a
// Host may stand in the address alone, CONNECT's too, but may not be empty or odd, refusals of
// HTTP/2 and of expectations have other words, OPTIONS * is the handler's, and a client of
// HTTP/1.0 must say by a whole header that it wants to stay.
func differs(text string) bool {
	low := strings.ToLower(text)
	return strings.Contains(low, "transfer-encoding") || strings.Contains(low, "trailer") || strings.Contains(text, "PRI") ||
		strings.Contains(text, "OPTIONS") || strings.Count(low, "expect") != strings.Count(low, "expect: 100-continue\r\n") ||
		strings.Count(low, "keep-alive") != strings.Count(low, "\nconnection: keep-alive\r\n") ||
		strings.Contains(low, "://") || strings.Count(text, "CONNECT") != strings.Count(text, "CONNECT h:1 ") ||
		strings.Count(low, "host: h\r\n") != strings.Count(low, "http/1.1") || strings.Count(low, "host: h\r\n") != strings.Count(low, "host:")
}

// TestRefusesWhatItIsNotFor: told apart from net/http on purpose.
func TestRefusesWhatItIsNotFor(t *testing.T) {
	_, addr := begin(t, http.HandlerFunc(handler), nil)
	for text, want := range map[string]int{
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":               505,
		post("/echo", "hello", "Expect: a miracle"):      417,
		"GET /echo HTTP/1.1\r\nHost:\r\n\r\n":            400,
		"GET http://other/echo HTTP/1.1\r\n\r\n":         200,
		"CONNECT \xfd:1 HTTP/1.1\r\nHost: h\r\n\r\n":     400,
		get("/echo", "Transfer-Encoding: gzip, chunked"): 501,
	} {
		if got := talk(t, addr, text); len(got) != 1 || got[0].status != want {
			t.Errorf("%q: heard %v, want %d", text, got, want)
		}
	}
}
