package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gateway/internal/fakeupstream"
	"gateway/internal/grammar"
)

// Wherever a provider's stream ends before its time, by the end of the answer or by that
// of the connection, the client gets an error: as a status, or as the end of its stream.
// Only what a provider sends behind the word that it has ended may be missing.
func TestTranscriptsCutUpstream(t *testing.T) {
	byName := map[string]scene{}
	for _, s := range scenes {
		if !s.breaks && !slices.Contains(tooLong, s.name) && !strings.HasPrefix(s.name, "awkward") { // many pieces, all alike
			byName[s.name] = s
		}
	}
	st := setStage(t, byName)
	for _, tap := range st.taps {
		tap.keep()
	}
	step := 1
	if testing.Short() || raceDetector {
		step = 6
	}
	var answers, cuts, begun, ended atomic.Int64
	play := func(tr *transcript, kind int) {
		tr.uncut = true
		tr.after = func(_ string, whole heard) {
			first := int(answers.Add(1)) % step // so that every place gets its turn
			for _, came := range tr.cutProvider(kind, whole, first, step) {
				cuts.Add(1)
				if came != cameRefused {
					begun.Add(1)
				}
				if came == cameWhole {
					ended.Add(1)
				}
			}
		}
		tr.play()
	}
	st.each(t, func(t *testing.T, c client, kind int) {
		var all sync.WaitGroup // most of the time is the gateway's pause before it asks again
		defer all.Wait()
		for _, s := range byName {
			all.Go(func() { play(st.transcript(t, c, kind, s), kind) })
		}
	})
	t.Logf("%d answers of providers cut at %d events: %d after the client's stream had begun, %d only behind the provider's word for the end",
		answers.Load(), cuts.Load(), begun.Load(), ended.Load())
	if cuts.Load() < 6000/int64(step) || begun.Load() < cuts.Load()/2 || ended.Load() > cuts.Load()/5 {
		t.Error("too few were cut, too few of them in the middle, or too many at the end")
	}
}

// cameTo is what a client got of an answer that was cut.
type cameTo uint8

const (
	cameRefused cameTo = iota // a status of an error
	cameFailed                // a stream that ended in one
	cameWhole                 // all of the answer
)

// endWords are what a stream has in it once its provider has said that the answer ends.
var endWords = map[fakeupstream.Kind]string{
	fakeupstream.OpenAI: `"finish_reason":"`, fakeupstream.DeepSeek: `"finish_reason":"`, fakeupstream.Anthropic: `"stop_reason":"`,
	fakeupstream.Gemini: `"finishReason":"`, fakeupstream.Ollama: `"done":true`, fakeupstream.OpenAIResponses: `"type":"response.completed"`,
}

// cutProvider asks for the last answer again, once for each place where the provider's can
// be cut, from the first of them in steps.
func (tr *transcript) cutProvider(kind int, want heard, first, step int) (came []cameTo) {
	exchanges := tr.turns[len(tr.turns)-1].provider
	last := exchanges[len(exchanges)-1].answer
	events := splitEvents(string(last.body), last.header.Get("Content-Type"))
	defer tr.tap.cut(tr.id(), nil)
	for i := first; i < len(events); i += step {
		tr.tap.cut(tr.id(), &cutAt{events: i, abrupt: i/step%2 == 1})
		status, body := tr.ask()
		if status != http.StatusOK {
			if status < 500 || !json.Valid([]byte(body)) || !strings.Contains(body, `"error"`) {
				tr.errorf("cut before event %d of %d: status %d: %s", i, len(events), status, body)
			}
			came = append(came, cameRefused)
			continue
		}
		got, err := tr.client.read(body)
		switch {
		case err == nil && got.ending == grammar.Failed:
			came = append(came, cameFailed)
		case err != nil || got.ending != want.ending || !strings.Contains(strings.Join(events[:i], ""), endWords[transcriptProviders[kind].kind]) ||
			got.text != want.text || !slices.Equal(got.calls, want.calls):
			tr.errorf("cut before event %d of %d it ends %q, %v:\n%s", i, len(events), got.ending, err, body)
			return came
		default:
			came = append(came, cameWhole)
		}
	}
	return came
}
