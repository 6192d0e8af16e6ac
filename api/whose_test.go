package api

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

// whoseOf is an edge with two keys.
func whoseOf(t testing.TB) *Server {
	keys, err := NewKeys("a:secret-of-a b:secret-of-b")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Keys: keys}, routed(nil), models{}, noBooks{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhoseTurnARequestTakes(t *testing.T) {
	s := whoseOf(t)
	const chat, google = "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n", "POST /v1beta/models/m:generateContent"
	for _, c := range []struct{ head, key string }{
		{chat + "Authorization: Bearer secret-of-a\r\n\r\n{}", "a"},
		{"\r\n\n" + chat + "Authorization: Bearer secret-of-a\r\n\r\n{}", "a"},
		{chat + "authorization:bearer   secret-of-b \r\nX-More: x", "b"},
		{chat + "X-Api-Key: secret-of-a\r\n\r\n", "a"},
		{chat + "X-Api-Key: secret-of-a\r\nAuthorization: Bearer secret-of-b\r\n\r\n", "b"},
		{chat + "X-Api-Key: secret-of-a\r\nAuthorization: Basic secret-of-b\r\n\r\n", "a"},
		{google + " HTTP/1.1\r\nx-goog-api-key: secret-of-b\r\n\r\n", "b"},
		{google + "?alt=sse&key=secret%2Dof-a HTTP/1.1\r\nHost: h\r\n\r\n", "a"},
		{google + "?key=%zz&key=secret-of-a HTTP/1.1\r\n\r\n", "a"},
		{chat + "Authorization: Bearer secret-of-nobody\r\n\r\n", ""},
		{chat + "\r\nAuthorization: Bearer secret-of-a\r\n\r\n", ""}, // that is a body
		{chat + "Authorization: Bearer secret-o", ""},
		{chat + strings.Repeat("a:\n", mostLines) + "Authorization: Bearer secret-of-a", ""},
		{chat, ""},
		{"GET /v1/models HTTP/1.1\r\nAuthorization: Bearer secret-of-a\r\n\r\n", "a"},
		{"GET /livez HTTP/1.1\r\nAuthorization: Bearer secret-of-a\r\n\r\n", healthLine},
		{"GET /health HTTP/1.1\r\n\r\n", healthLine},
		{"GET /healthy HTTP/1.1\r\n\r\n", ""},
		{"POST /livez HTTP/1.1\r\n\r\n", ""},
		{"\x16\x03\x01", ""},
		{"", ""},
	} {
		if key := s.whose([]byte(c.head)); key != c.key {
			t.Errorf("%q: %q, want %q", c.head, key, c.key)
		}
	}
	open, err := New(Config{}, routed(nil), models{}, noBooks{})
	if err != nil {
		t.Fatal(err)
	}
	if key := open.whose([]byte(chat + "X-Api-Key: secret-of-a\r\n\r\n")); key != "" {
		t.Errorf("without keys: %q", key)
	}
}

// Whatever a head is: what the parser of requests takes brings the key here that it brings
// there.
func FuzzWhose(f *testing.F) {
	for _, head := range []string{
		"POST / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\n\r\n",
		"POST /?key=a HTTP/1.1\r\nHost: h\r\nX-Api-Key: b\nx-goog-api-key: c\r\n\r\n",
		"POST /?a&key&key=b HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nAuthorization:\r\nAuthorization: Bearer x\r\n\r\nX-Api-Key: d",
	} {
		f.Add(head)
	}
	f.Fuzz(func(t *testing.T, head string) {
		first, rest, _ := strings.Cut(head, "\n")
		secret := secretIn([]byte(first), []byte(rest))
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
		if strings.ContainsAny(first, "%;") {
			return // a name that is escaped is not seen here, and a pair with ; is none there
		}
		if err != nil || strings.Count(head, "\n") > mostLines || strings.Contains(head, "\n ") || strings.Contains(head, "\n\t") || strings.HasPrefix(head, "\n") {
			return // refused; or written over several lines, which nobody does any more
		}
		want := secretOf(req.Header)
		if want == "" {
			want = or(req.Header.Get("X-Goog-Api-Key"), req.URL.Query().Get("key"))
		}
		if secret != want {
			t.Errorf("%q: %q, want %q", head, secret, want)
		}
	})
}
