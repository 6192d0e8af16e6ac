package providers

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"

	"gateway"
)

// eventFormat is what differs between the formats whose answers are named events with a
// terminal one: Anthropic's Messages and OpenAI's Responses.
type eventFormat interface {
	// decode reads one event into chunk and says whether the chunk holds anything.
	decode(chunk *gateway.Chunk, event sseEvent) (bool, *gateway.Error)
	// body reads an answer that is one JSON body into what the stream hands out.
	body(raw []byte) *gateway.Error
	// finished says that the answer is whole; terminal, that no event follows.
	finished() bool
	terminal() bool
	// used is what the provider reported so far; nil for nothing.
	used() *gateway.Usage
}

// eventStream turns the events of one answer into chunks: an event gives at most one.
type eventStream struct {
	caller
	format  eventFormat
	ctx     context.Context
	call    *gateway.Call
	relayed bool // the client speaks this format: each event is a chunk and carries its bytes
	events  *sseReader
	raw     io.ReadCloser
	closed  sync.Once

	queue []gateway.Chunk // of an answer that came whole
	at    int
	err   error
}

func (s *eventStream) start(ctx context.Context, c caller, call *gateway.Call, relayed bool, raw io.ReadCloser, format eventFormat) {
	s.caller, s.ctx, s.call, s.relayed, s.raw, s.format = c, ctx, call, relayed, raw, format
	s.events = newSSEReader(raw)
}

// Next returns the next chunk; see gateway.Stream. A relayed answer gives a chunk for
// each event, whether or not it says anything in normal form.
func (s *eventStream) Next() (gateway.Chunk, error) {
	for {
		if s.at < len(s.queue) {
			s.at++
			return s.queue[s.at-1], nil
		}
		if s.err != nil {
			return gateway.Chunk{}, s.err
		}
		if s.format.terminal() {
			if s.err = s.end(io.EOF); s.err == io.EOF {
				drainBody(s.raw)
			}
			continue
		}
		event, err := s.events.Next()
		if err != nil {
			s.err = s.end(err)
			continue
		}
		if string(event.Data) == "[DONE]" { // of neither format, but some servers end every stream so
			continue
		}
		var chunk gateway.Chunk
		said, failure := s.format.decode(&chunk, event)
		if failure != nil {
			s.err = s.failed(failure)
			continue
		}
		if s.relayed {
			chunk.Raw, chunk.Event, said = event.Data, event.Name, true
		}
		if said {
			return chunk, nil
		}
	}
}

// saysAnything tells whether a chunk holds anything in normal form.
func saysAnything(c *gateway.Chunk) bool {
	return c.HasContent() || c.Finish != "" || c.Usage != nil || c.Meta != nil || len(c.Thinking) > 0 || c.Annotations != nil
}

func (s *eventStream) failed(failure *gateway.Error) *gateway.Error {
	failure.Sent, failure.Usage = true, s.format.used()
	return failure
}

// end judges the end of input: it is the answer's end only if its end was told.
func (s *eventStream) end(err error) error {
	if s.format.finished() && s.ctx.Err() == nil {
		return io.EOF
	}
	if err == io.EOF && s.ctx.Err() == nil {
		err = io.ErrUnexpectedEOF
	}
	return s.failed(s.brokenRead(s.ctx, s.call, err))
}

// Buffered says whether Next has something without reading from the provider.
func (s *eventStream) Buffered() bool {
	return s.err != nil || s.at < len(s.queue) || s.events.ready()
}

// Wait implements gateway.Waiter.
func (s *eventStream) Wait() {
	if s.err == nil && s.at >= len(s.queue) && !s.format.terminal() {
		s.events.lines.wait()
	}
}

// Close ends the call.
func (s *eventStream) Close() error {
	s.closed.Do(func() { s.raw.Close() })
	return nil
}

// readWhole reads an answer that is one JSON body, as a stream would have given it.
func (s *eventStream) readWhole(resp *http.Response) *gateway.Error {
	stop := context.AfterFunc(s.ctx, func() { resp.Body.Close() })
	defer stop()
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4*maxEvent))
	if err != nil {
		return s.brokenRead(s.ctx, s.call, err)
	}
	s.raw = io.NopCloser(bytes.NewReader(nil))
	body := bytes.TrimSpace(raw)
	if bytes.HasPrefix(body, []byte("event:")) || bytes.HasPrefix(body, []byte("data:")) {
		s.events = newSSEReader(bytes.NewReader(append(body, "\n\n"...))) // events under a wrong content type
		return nil
	}
	s.events = newSSEReader(s.raw)
	if failure := s.format.body(body); failure != nil {
		failure.Rate = rateOf(resp.Header)
		return s.failed(failure)
	}
	if last := len(s.queue) - 1; s.relayed && last >= 0 { // as it came, the space around it too
		s.queue[last].Raw, s.queue[last].Whole = raw, true
	}
	return nil
}
