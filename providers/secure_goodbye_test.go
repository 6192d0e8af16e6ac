package providers

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// Frames of HTTP/2 and their flags (RFC 9113, section 6).
const (
	dataFrame, headersFrame, settingsFrame, goAwayFrame = 0, 1, 4, 7

	endStream, ack, endHeaders = 1, 1, 4
)

// newLeavingServer is an HTTP/2 server that ends so many connections at the first request
// of each, which it does not look at, and answers on the next ones.
func newLeavingServer(t *testing.T, leaves int32) (s *httptest.Server, client *http.Client, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	s = httptest.NewUnstartedServer(nil)
	s.EnableHTTP2 = true
	s.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
		"h2": func(_ *http.Server, c *tls.Conn, _ http.Handler) { speakFrames(c, asked, leaves) },
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	client = NewClient()
	t.Cleanup(client.CloseIdleConnections)
	client.Transport.(*transport).trust(s)
	return s, client, asked
}

// speakFrames ends when the client closes the connection, or does not speak HTTP/2.
func speakFrames(c *tls.Conn, asked *atomic.Int32, leaves int32) {
	if _, err := io.ReadFull(c, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	say := func(kind, flags byte, stream uint32, payload ...byte) {
		head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
		c.Write(append(binary.BigEndian.AppendUint32(append(head, flags), stream), payload...))
	}
	say(settingsFrame, 0, 0)
	for head := make([]byte, 9); ; {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		size := binary.BigEndian.Uint32(head) >> 8
		if _, err := io.CopyN(io.Discard, c, int64(size)); err != nil {
			return
		}
		kind, flags, stream := head[3], head[4], binary.BigEndian.Uint32(head[5:])
		if kind == settingsFrame && flags&ack == 0 {
			say(settingsFrame, ack, 0)
		}
		if kind == headersFrame && asked.Add(1) <= leaves {
			say(goAwayFrame, 0, 0, make([]byte, 8)...) // it covers no stream, and has no error
			leaves = 1 << 30                           // nothing of this connection is answered
		} else if (kind == headersFrame || kind == dataFrame) && flags&endStream != 0 && leaves < 1<<30 {
			say(headersFrame, endStream|endHeaders, stream, 0x88) // ":status: 200" (RFC 7541, appendix A)
		}
	}
}

// A call that meets one connection's end after the other is not lost: what was passed by
// on the way is no word on the call. It does not go on for ever, though.
func TestACallOutlivesManyGoodbyes(t *testing.T) {
	s, client, asked := newLeavingServer(t, 10)
	if _, err := postTo(t.Context(), client, s.URL, "x"); err != nil || asked.Load() != 11 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
	s, client, asked = newLeavingServer(t, 1000)
	if _, err := postTo(t.Context(), client, s.URL, "x"); err == nil || asked.Load() != mostMissed+1 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}
