package api

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// healthLine is the line of those who look after the gateway's health. No key's id is that.
const healthLine = "\x00health"

// whose tells, by what has come of a request, the line in which it waits: that of its key, or
// "", in which all wait that come without a good one. It is about the order alone: who may do
// what is found out when the request has been read.
func (s *Server) whose(head []byte) string {
	head = bytes.TrimLeft(head, "\r\n") // as http1 does behind a body
	first, rest, _ := bytes.Cut(head, []byte("\n"))
	for _, path := range []string{"/livez ", "/readyz ", "/health ", "/api/v1.0/health "} {
		if bytes.HasPrefix(first, []byte("GET "+path)) {
			return healthLine
		}
	}
	if s.cfg.Keys == nil {
		return ""
	}
	who, err := s.cfg.Keys.find(secretIn(first, rest), time.Now())
	if err != nil {
		return ""
	}
	return who.key.ID
}

// secretOf is the key in the clear that a request brings; "" for none.
func secretOf(h http.Header) string {
	if secret, ok := bearerOf(h.Get("Authorization")); ok {
		return secret
	}
	return h.Get("X-Api-Key")
}

// bearerOf is the key in an Authorization header, if it is of that scheme.
func bearerOf(authorization string) (secret string, ok bool) {
	scheme, secret, ok := strings.Cut(authorization, " ")
	return strings.TrimSpace(secret), ok && strings.EqualFold(scheme, "Bearer")
}

// mostLines is how many lines of a head are looked at: several times what clients send.
const mostLines = 64

// secretIn finds it in a head that has not been parsed, of which the end may be missing.
func secretIn(first, rest []byte) string {
	var authorization, key, google []byte
	for range mostLines {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		name, value, named := bytes.Cut(bytes.TrimSuffix(line, []byte("\r")), []byte(":"))
		if !named { // the empty line, mostly
			break
		}
		if value = bytes.Trim(value, " \t"); value == nil {
			value = []byte{} // it is there
		}
		switch {
		case authorization == nil && isNamed(name, "authorization"):
			authorization = value
		case key == nil && isNamed(name, "x-api-key"):
			key = value
		case google == nil && isNamed(name, "x-goog-api-key"):
			google = value
		}
	}
	secret, isBearer := bearerOf(string(authorization))
	if !isBearer {
		secret = string(key)
	}
	if secret == "" {
		secret = string(google)
	}
	if secret == "" {
		secret = keyInAddress(first)
	}
	return secret
}

func isNamed(name []byte, lower string) bool {
	return len(name) == len(lower) && strings.EqualFold(string(name), lower)
}

// keyInAddress finds what Google's clients may write behind the path: ?key=.
func keyInAddress(first []byte) string {
	_, query, _ := bytes.Cut(first, []byte("?"))
	query, _, _ = bytes.Cut(query, []byte(" "))
	for len(query) > 0 {
		var one []byte
		one, query, _ = bytes.Cut(query, []byte("&"))
		name, value, _ := bytes.Cut(one, []byte("="))
		if string(name) != "key" {
			continue
		}
		if secret, err := url.QueryUnescape(string(value)); err == nil {
			return secret
		}
	}
	return ""
}
