package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// shape is one kind of call whose cost is compared.
type shape struct {
	name    string
	stream  bool
	prompt  int           // bytes
	tokens  int           // of the answer, one chunk each in a stream
	gap     time.Duration // between them; 0: all of them at once
	workers int           // calls in flight
	most    float64       // the target: CPU per call against the floor's; 0: none
	model   string        // "": auto
}

// shapes are those that the targets name. The calls in flight are enough to keep the
// machine busy without making it the only thing that is measured.
var shapes = []shape{
	{name: "whole-0.3k", prompt: 300, tokens: 40, workers: 16, most: 1.30},
	{name: "whole-1k", prompt: 1000, tokens: 40, workers: 16, most: 1.30},
	{name: "whole-100k", prompt: 100_000, tokens: 40, workers: 16, most: 1.15},
	{name: "stream-50", stream: true, prompt: 500, tokens: 50, gap: 2 * time.Millisecond, workers: 48, most: 1.30},
	{name: "stream-500", stream: true, prompt: 500, tokens: 500, gap: 2 * time.Millisecond, workers: 24, most: 1.30},
	{name: "burst-40", stream: true, prompt: 500, tokens: 40, workers: 16, most: 2},
}

// chosen are the shapes of these names; all of them for none.
func chosen(names []string) ([]shape, error) {
	if len(names) == 0 {
		return shapes, nil
	}
	var out []shape
	for _, name := range names {
		i := slices.IndexFunc(shapes, func(s shape) bool { return s.name == name })
		if i < 0 {
			known := make([]string, 0, len(shapes))
			for _, s := range shapes {
				known = append(known, s.name)
			}
			return nil, fmt.Errorf("shape %q is not known: any of %s", name, strings.Join(known, ", "))
		}
		out = append(out, shapes[i])
	}
	return out, nil
}

// target is where calls of this shape go.
func (s *shape) target(base, key string) (*target, error) {
	model := s.model
	if model == "" {
		model = "auto"
	}
	t, err := newTarget(base, key, model, s.stream, s.prompt)
	if err != nil {
		return nil, err
	}
	if !json.Valid(t.body) || !bytes.HasSuffix(t.body, []byte("}")) {
		return nil, fmt.Errorf("shape %s: the body is not a JSON object", s.name)
	}
	t.body = fmt.Appendf(t.body[:len(t.body)-1], `,"bench_tokens":%d,"bench_gap_us":%d}`, s.tokens, s.gap.Microseconds())
	return t, nil
}

func (s *shape) String() string {
	what := "whole answer"
	if s.stream {
		what = "stream"
	}
	text := fmt.Sprintf("%s of %d tokens, prompt %d bytes, %d in flight", what, s.tokens, s.prompt, s.workers)
	if s.gap > 0 {
		text += fmt.Sprintf(", a token each %s", s.gap)
	}
	return text
}
