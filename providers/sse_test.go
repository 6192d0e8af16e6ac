package providers

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func readEvents(r io.Reader) (all []string, err error) {
	s := newSSEReader(r)
	for {
		e, err := s.Next()
		if err != nil {
			return all, err
		}
		all = append(all, e.Name+"|"+string(e.Data))
	}
}

func TestSSEForms(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"\ufeffdata:a\n\n", []string{"|a"}},
		{"data: a\r\ndata: b\r\n\r\nevent: x\rdata:  c\r\r", []string{"|a\nb", "x| c"}},
		{": hi\n\nevent: gone\n\ndata:\n\nid: 4\nretry: 1\ndata: d\n\n", []string{"|d"}},
		{"data: half", nil},
		{"data: half\n", nil},
	} {
		got, err := readEvents(strings.NewReader(c.in))
		if err != io.EOF || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestEventSizeIsBounded(t *testing.T) {
	long := "data: " + strings.Repeat("x", maxEvent-100) + "\n\n"
	if got, err := readEvents(strings.NewReader(long)); len(got) != 1 || err != io.EOF {
		t.Errorf("just under the limit: %d events, %v", len(got), err)
	}
	if _, err := readEvents(&endless{event: []byte("data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n")}); err != errEventTooLarge {
		t.Errorf("endless lines: %v", err)
	}
	if _, err := readEvents(&endless{event: []byte("x")}); err != errEventTooLarge {
		t.Errorf("endless line: %v", err)
	}
}

func FuzzSSE(f *testing.F) {
	f.Add(fixture(f, "compat/sse.edge_cases.sse"))
	f.Add([]byte("data: a\r\n\r\ndata: b\r\r"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		whole, _ := readEvents(bytes.NewReader(raw))
		cut, _ := readEvents(iotest.OneByteReader(bytes.NewReader(raw)))
		if !slices.Equal(whole, cut) {
			t.Fatalf("%q\n%q", whole, cut)
		}
	})
}

func readLines(r io.Reader) (all []string) {
	l := newLineReader(r)
	for {
		line, err := l.Next()
		if err != nil {
			return all
		}
		all = append(all, string(line))
	}
}

func FuzzLines(f *testing.F) {
	f.Add(fixture(f, "ollama/chat.stream.text.ndjson"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		whole, cut := readLines(bytes.NewReader(raw)), readLines(iotest.OneByteReader(bytes.NewReader(raw)))
		if !slices.Equal(whole, cut) || slices.Contains(whole, "") {
			t.Fatalf("%q\n%q", whole, cut)
		}
	})
}

func BenchmarkSSE(b *testing.B) {
	s := newSSEReader(&endless{event: []byte("data: " + strings.Repeat("x", 250) + "\n\n")})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
