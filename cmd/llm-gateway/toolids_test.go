package main

import (
	"strings"
	"testing"

	"gateway/internal/fakeupstream"
)

// Calls whose maker gives them long ids with signs of its own go on with any other
// provider, whatever that one takes for an id, and go back to their maker as they were.
func TestLongToolIDs(t *testing.T) {
	const long = "functions.mcp__a_server_with_quite_a_name__read_file_of_its_kind_alone:"
	loop := scene{name: "long-ids", turns: []fakeupstream.Step{
		say(fakeupstream.Say{Calls: []fakeupstream.Call{{ID: long + "0", Name: "read_file", Arguments: `{"of":"a"}`}, {ID: long + "1", Name: "now", Arguments: `{}`}}}),
		words("Both.")}}
	st := setStage(t, map[string]scene{loop.name: loop})
	for _, tap := range st.taps {
		tap.keep()
	}
	for maker, p := range transcriptProviders {
		if p.kind != fakeupstream.DeepSeek && p.kind != fakeupstream.Ollama {
			continue // the others make their own
		}
		for _, c := range transcriptClients {
			for next, other := range transcriptProviders {
				tr := st.transcript(t, c, maker, loop)
				tr.uncut = true
				tr.begin()
				got, ok := tr.turn(loop.turns[0].Say)
				if !ok {
					continue
				}
				tr.answer(got)
				tr.use(st, next)
				if _, ok := tr.turn(loop.turns[1].Say); !ok {
					t.Errorf("%s: %s does not go on with what %s began", c.name, other.kind, p.kind)
					continue
				}
				exchanges := tr.turns[1].provider
				body := string(exchanges[len(exchanges)-1].request.body)
				if kept := strings.Count(body, long+`0"`); next == maker && kept != 2 {
					t.Errorf("%s: the id comes back %d times: %s", c.name, kept, body)
				}
			}
		}
	}
}
