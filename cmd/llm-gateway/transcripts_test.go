package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"gateway/internal/fakeupstream"
	"gateway/internal/grammar"
)

// transcriptProviders are one simulated provider of each kind, with a model whose rules
// are strict and that can think. Their breakers are off: many of them break on purpose.
var transcriptProviders = []struct {
	kind        fakeupstream.Kind
	wire, model string
	quirks      map[string]any
}{
	{fakeupstream.OpenAI, "openai_compatible", "gpt-6-luna", map[string]any{"openai_reasoning": true, "developer_role": true, "tool_ids": "max40"}},
	{fakeupstream.DeepSeek, "openai_compatible", "deepseek-flash", map[string]any{"thinking": true, "reasoning_back": true}},
	{fakeupstream.Anthropic, "anthropic", "claude-sonnet-4-6", nil},
	{fakeupstream.Gemini, "gemini", "gemini-3.1-flash-lite", nil},
	{fakeupstream.Ollama, "ollama", "qwen3", nil},
	{fakeupstream.OpenAIResponses, "openai_responses", "gpt-6-luna", nil},
}

var transcriptClients = []client{chatClient, messagesClient, responsesClient, generateClient}

// stage is a gateway in front of simulated providers that play scenes.
type stage struct {
	base    string
	web     *http.Client
	servers []*fakeupstream.Server // as in transcriptProviders
	taps    []*tap
}

func setStage(t *testing.T, all map[string]scene) *stage {
	st := &stage{}
	var entries []entry
	for _, p := range transcriptProviders {
		server, err := fakeupstream.Start(fakeupstream.Config{Kind: p.kind, Script: plays(all)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		tap, url := tapped(t, server)
		st.servers, st.taps = append(st.servers, server), append(st.taps, tap)
		extras := map[string]any{"kind": p.wire, "base_url": url, "default_model": p.model, "breaker": "off"}
		if p.quirks != nil {
			extras["quirks"] = p.quirks
		}
		entries = append(entries, entry{name: p.kind.String(), price: 1, extras: extras})
	}
	st.base, st.web = serveGateway(t, configFile(t, entries...), nil), newClient(t)
	return st
}

// each plays for every client and kind of provider, by the number of the kind.
func (st *stage) each(t *testing.T, play func(t *testing.T, c client, kind int)) {
	t.Run("all", func(t *testing.T) {
		for _, c := range transcriptClients {
			for kind, p := range transcriptProviders {
				t.Run(c.name+"/"+p.kind.String(), func(t *testing.T) {
					t.Parallel()
					play(t, c, kind)
				})
			}
		}
	})
}

func (st *stage) transcript(t *testing.T, c client, kind int, s scene) *transcript {
	tr := &transcript{t: t, client: c, base: st.base, web: st.web, scene: s}
	tr.use(st, kind)
	return tr
}

// use has a provider of another kind give the answers from now on.
func (tr *transcript) use(st *stage, kind int) {
	p := transcriptProviders[kind]
	tr.tap, tr.model = st.taps[kind], p.kind.String()+"/"+p.model
}

// resultOf is what a client answers the n-th call of a conversation with. What the call is
// about can ask for a result that is awkward to carry.
func resultOf(n int, call fakeupstream.Call) result {
	var arguments struct{ Of string }
	if err := json.Unmarshal([]byte(call.Arguments), &arguments); err != nil {
		return result{text: err.Error()}
	}
	r := result{text: fmt.Sprintf("result %d of %s %s.", n, call.Name, arguments.Of)}
	switch arguments.Of {
	case "missing":
		r.failed = true
	case "picture":
		r.picture = true
	case "awkward":
		r.text += awkward
	case "large":
		r.text += strings.Repeat("line of a large file\n", 4000)
	}
	return r
}

// Every stream that a client gets keeps to the grammar of its format and says what the
// model said, call by call; cut at any event it is not whole; and where the provider
// broke off, it ends in an error that the client sees.
func TestTranscripts(t *testing.T) {
	byName := map[string]scene{}
	for _, s := range scenes {
		byName[s.name] = s
	}
	st := setStage(t, byName)
	for _, tap := range st.taps {
		tap.keep()
	}
	var transcripts, loops, streams, cuts atomic.Int64
	st.each(t, func(t *testing.T, c client, kind int) {
		var kept []*transcript
		for _, s := range scenes {
			tr := st.transcript(t, c, kind, s)
			tr.play()
			transcripts.Add(1)
			if tr.looped {
				kept = append(kept, tr)
				if c.name != generateClient.name {
					loops.Add(1)
				}
			}
			streams.Add(int64(tr.streams))
			cuts.Add(int64(tr.cuts))
		}
		recording{c.name, transcriptProviders[kind].kind.String()}.compare(t, kept)
	})
	t.Logf("%d transcripts, %d of Chat, Messages and Responses with a tool loop; %d streams, cut at %d events",
		transcripts.Load(), loops.Load(), streams.Load(), cuts.Load())
	if loops.Load() < 200 {
		t.Errorf("%d transcripts with a tool loop are too few", loops.Load())
	}
}

// A session of fifty rounds of parallel calls through every format and kind of provider:
// no call and no result is lost, all that a provider wants back comes back (it would
// refuse the round), and it is asked once for each round.
func TestFiftyRounds(t *testing.T) {
	long := fiftyRounds()
	st := setStage(t, map[string]scene{long.name: long})
	st.each(t, func(t *testing.T, c client, kind int) {
		tr := st.transcript(t, c, kind, long)
		tr.uncut = true
		tr.play()
	})
	for i, server := range st.servers {
		if got, want := server.Counts().Requests, len(transcriptClients)*len(long.turns); got != want {
			t.Errorf("%s was asked %d times for %d rounds", transcriptProviders[i].kind, got, want)
		}
	}
}

// transcript is one conversation of one client with one provider.
type transcript struct {
	t       *testing.T
	client  client
	base    string
	web     *http.Client
	tap     *tap
	model   string
	scene   scene
	history []json.RawMessage
	uncut   bool                           // its streams are like those that other transcripts cut
	after   func(stream string, got heard) // each answer, if not nil

	made          int // calls, with results
	streams, cuts int
	looped        bool // results went back, and brought an answer
	turns         []turnTaken
}

// turnTaken is what went over the wires in one turn.
type turnTaken struct {
	client   exchange
	provider []*exchange
}

func (tr *transcript) errorf(format string, args ...any) {
	tr.t.Helper()
	tr.t.Errorf("%s: %s", tr.scene.name, fmt.Sprintf(format, args...))
}

// id is what the conversation is known by: it stands in its first turn.
func (tr *transcript) id() string { return tr.client.name + "." + tr.scene.name }

func (tr *transcript) begin() {
	tr.history = []json.RawMessage{tr.client.user("[[id:" + tr.id() + "]] Go on.")}
}

func (tr *transcript) play() {
	tr.begin()
	for i, want := range tr.scene.turns {
		if tr.scene.breaks && i == len(tr.scene.turns)-1 {
			tr.breaks()
			tr.looped = tr.made > 0
			return
		}
		got, ok := tr.turn(want.Say)
		if !ok {
			return
		}
		tr.looped = tr.made > 0
		tr.answer(got)
	}
}

// answer goes on with a turn of the model and the results of its calls.
func (tr *transcript) answer(got heard) {
	var results []result
	for _, c := range got.calls {
		results = append(results, resultOf(tr.made, fakeupstream.Call{Name: c.Name, Arguments: c.Arguments}))
		tr.made++
	}
	tr.history = slices.Concat(tr.history, got.echo, tr.client.results(got.calls, results))
}

// turn asks for an answer, and wants it to be what the model said.
func (tr *transcript) turn(want *fakeupstream.Say) (got heard, ok bool) {
	status, body := tr.ask()
	if status != http.StatusOK {
		tr.errorf("status %d: %s", status, body)
		return got, false
	}
	got, err := tr.client.read(body)
	if err != nil {
		tr.errorf("%v\n%s", err, body)
		return got, false
	}
	tr.streams++
	if !tr.uncut {
		tr.cut(body)
	}
	if tr.after != nil {
		defer tr.after(body, got)
	}
	if got.text != want.Text || len(got.calls) != len(want.Calls) {
		tr.errorf("%q and %d calls, want %q and %d:\n%s", got.text, len(got.calls), want.Text, len(want.Calls), body)
		return got, false
	}
	for i, c := range got.calls {
		a, err := canonical(c.Arguments)
		b, _ := canonical(want.Calls[i].Arguments) // it is JSON
		if err != nil || c.Name != want.Calls[i].Name || !bytes.Equal(a, b) || c.ID == "" {
			tr.errorf("call %d is %+v, want %+v", i, c, want.Calls[i])
			return got, false
		}
	}
	// OpenAI hides it, but for the summary that its own API can give, and Gemini shows it on demand, for which chat has no word.
	hidden := strings.HasPrefix(tr.model, "openai/") || strings.HasPrefix(tr.model, "openai_responses/") && tr.client.name != "responses" || strings.HasPrefix(tr.model, "gemini/") && tr.client.name == "chat"
	if want.Reasoning != got.thought && !hidden {
		tr.errorf("thought is %q, want %q:\n%s", got.thought, want.Reasoning, body)
	}
	if got.in == 0 || got.out == 0 {
		tr.errorf("no usage:\n%s", body)
	}
	if want.Length != (got.ending == grammar.Incomplete) && !want.Refused || got.ending == grammar.Cut || got.ending == grammar.Failed {
		tr.errorf("it ends %s:\n%s", got.ending, body)
		return got, false
	}
	return got, true
}

// cut wants no beginning of a whole stream to be taken for whole.
func (tr *transcript) cut(body string) {
	events := splitEvents(body, "")
	for i := range events {
		tr.cuts++
		got, err := tr.client.read(strings.Join(events[:i], ""))
		if err == nil && got.ending != grammar.Cut && got.ending != "" {
			tr.errorf("cut before event %d of %d it is taken for %s:\n%s", i, len(events), got.ending, body)
			return
		}
	}
}

// breaks asks for an answer that must fail: as a status, or as the end of the stream.
func (tr *transcript) breaks() {
	status, body := tr.ask()
	if status != http.StatusOK {
		if status < 400 || !json.Valid([]byte(body)) || !strings.Contains(body, `"error"`) || !strings.Contains(body, `"message"`) {
			tr.errorf("status %d: %s", status, body)
		}
		return
	}
	got, err := tr.client.read(body)
	if err != nil || got.ending != grammar.Failed {
		tr.errorf("it ends %q, %v:\n%s", got.ending, err, body)
	}
	tr.streams++
}

func (tr *transcript) ask() (status int, body string) {
	asked := tr.client.request(tr.model, tr.history)
	req, err := http.NewRequestWithContext(tr.t.Context(), http.MethodPost, tr.base+tr.client.path(tr.model), bytes.NewReader(asked))
	if err != nil {
		tr.errorf("%v", err)
		return 0, ""
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	resp, err := tr.web.Do(req)
	if err != nil {
		tr.errorf("%v", err)
		return 0, ""
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		tr.errorf("reading: %v", err)
	}
	tr.turns = append(tr.turns, turnTaken{
		client: exchange{
			request: httpMessage{"POST " + tr.client.path(tr.model), req.Header, asked},
			answer:  httpMessage{resp.Status, resp.Header, all},
		},
		provider: tr.tap.take(tr.t, tr.id()),
	})
	return resp.StatusCode, string(all)
}
