package providers

import (
	"io"
	"net"
)

// payload is the body of a request in pieces. Large pieces are those of the client's own
// body: what several attempts send is in memory once. Nobody may change them.
type payload [][]byte

func (p payload) size() (n int) {
	for _, piece := range p {
		n += len(piece)
	}
	return n
}

// bytes is the body as one piece, for who needs to look at it.
func (p payload) bytes() []byte {
	if len(p) == 1 {
		return p[0]
	}
	whole := make([]byte, 0, p.size())
	for _, piece := range p {
		whole = append(whole, piece...)
	}
	return whole
}

// writeTo sends all pieces, with one system call where the connection can.
func (p payload) writeTo(w io.Writer, before ...[]byte) error {
	pieces := make(net.Buffers, 0, len(p)+len(before))
	pieces = append(append(pieces, before...), p...)
	_, err := pieces.WriteTo(w)
	return err
}

// reader reads the pieces one after the other.
func (p payload) reader() *payloadReader { return &payloadReader{left: p} }

type payloadReader struct {
	left payload
	at   int // in the first piece
}

// Read implements io.Reader.
func (r *payloadReader) Read(b []byte) (int, error) {
	for len(r.left) > 0 {
		if n := copy(b, r.left[0][r.at:]); n > 0 || len(b) == 0 {
			r.at += n
			return n, nil
		}
		r.left, r.at = r.left[1:], 0
	}
	return 0, io.EOF
}

// Close implements io.Closer.
func (r *payloadReader) Close() error { return nil }

// spliceLeast is the length from which a value is sent from where it lies instead of
// being copied: below, another piece costs more than the copy.
const spliceLeast = 8 << 10
