package route

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gateway"
)

var update = flag.Bool("update", false, "rewrite the scripts' expected actions")

// A script is a text file: directives and events flush left, the actions they cause
// indented. Lines of directives:
//
//	candidates a=100 b=200 c=5000     price per expected request, in microcents
//	rules hedge=off whole nofallback  see ruleWord
//	gate b shut|tight|half|open
//	demote a                          the model rests for five seconds
//	known a 1s                        its calls usually take this long
//
// Events: begin, left N, refused N kind, content N, whole N, failed N kind [retry=1s] [fast],
// gone, drain, after 2s (time passes; the walk is woken whenever it asked to be).
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.walk")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if got == string(want) {
				return
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		})
	}
}

type player struct {
	t     *testing.T
	now   time.Time
	fleet *Fleet
	gates map[string]GateView
	cands []Candidate
	rules Rules
	walk  *Walk
	out   strings.Builder
}

func play(t *testing.T, script string) string {
	p := &player{t: t, now: time.Unix(1_800_000_000, 0), gates: map[string]GateView{}}
	p.fleet = NewFleet(Default(), func(m *gateway.Model) GateView {
		if g, ok := p.gates[m.Provider]; ok {
			return g
		}
		return GateView{Closed: true}
	})
	p.rules = Rules{Hedge: "auto", MaxHedges: 1, Hedgeable: true, Demote: true, Patience: 200 * time.Millisecond, WrongAnswers: 1,
		Deadline: p.now.Add(10 * time.Minute), ContentBy: p.now.Add(2 * time.Minute), PromptTokens: 1000}
	in := bufio.NewScanner(strings.NewReader(script))
	for in.Scan() {
		line := in.Text()
		if strings.HasPrefix(line, "  ") {
			continue // what was expected; written anew
		}
		p.out.WriteString(line + "\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			p.line(strings.Fields(line))
		}
	}
	return p.out.String()
}

func (p *player) line(w []string) {
	switch w[0] {
	case "candidates":
		for _, c := range w[1:] {
			name, price, _ := strings.Cut(c, "=")
			cost := gateway.Microcents(p.number(price))
			m := &gateway.Model{Provider: name, Name: name, Context: 100_000, Bills: gateway.BillsSeen}
			if name == "big" {
				m.Context = 1_000_000
			}
			p.cands = append(p.cands, Candidate{Model: m, Prompt: cost / 2, Expected: cost, Priced: true})
		}
	case "rules":
		for _, r := range w[1:] {
			p.rule(r)
		}
	case "wait":
		p.gates[w[1]] = GateView{Wait: p.duration(w[2])}
	case "gate":
		p.gates[w[1]] = map[string]GateView{"shut": {Shut: true}, "tight": {Closed: true, Tight: true}, "half": {}, "open": {Closed: true}}[w[2]]
	case "known":
		d := p.duration(w[2])
		h := p.fleet.of(p.model(w[1]))
		for range 60 {
			h.observe(p.now, 0, d, true)
		}
		h.base.m95, h.base.m50 = d, d/2
	case "demote":
		p.fleet.of(p.model(w[1])).demote(p.now, &p.fleet.Times)
	case "after":
		p.pass(p.duration(w[1]))
	default:
		p.event(w)
	}
}

func (p *player) rule(r string) {
	name, value, _ := strings.Cut(r, "=")
	switch name {
	case "hedge":
		p.rules.Hedge = value
	case "hedge-after":
		p.rules.HedgeAfter = p.duration(value)
	case "whole":
		p.rules.Whole = true
	case "nofallback":
		p.rules.NoFallback = true
	case "nodemote":
		p.rules.Demote = false
	case "nothedgeable":
		p.rules.Hedgeable = false
	case "patience":
		p.rules.Patience = p.duration(value)
	case "deadline":
		p.rules.Deadline = p.now.Add(p.duration(value))
	case "max-cost":
		p.rules.MaxCost = gateway.Microcents(p.number(value))
	case "limit":
		p.rules.Limit = p.duration(value)
	case "filter-passes":
		p.rules.FilterPasses = true
	default:
		p.t.Fatalf("unknown rule %q", r)
	}
}

func (p *player) event(w []string) {
	kinds := map[string]EventKind{"begin": Begin, "left": Left, "refused": Refused, "content": Content, "whole": Whole, "failed": Failed, "gone": Gone, "drain": Drain}
	kind, ok := kinds[w[0]]
	if !ok {
		p.t.Fatalf("unknown line %q", strings.Join(w, " "))
	}
	ev := Event{Kind: kind}
	if len(w) > 1 {
		ev.Attempt = p.number(w[1])
	}
	for _, word := range w[min(2, len(w)):] {
		ev = p.detail(ev, word)
	}
	if kind == Begin {
		p.walk = New(p.rules, p.cands, p.fleet)
	}
	p.show(p.walk.Step(ev, p.now))
}

func (p *player) detail(ev Event, word string) Event {
	if ev.Err == nil {
		ev.Err = &gateway.Error{Status: 500, Sent: ev.Kind == Failed}
	}
	if name, value, ok := strings.Cut(word, "="); ok {
		switch name {
		case "retry":
			ev.Err.RetryAfter = p.duration(value)
		case "text":
			ev.Err.Text = value
		}
		return ev
	}
	switch word {
	case "probe":
		ev.Probe, ev.Err = true, nil
		return ev
	case "expired":
		ev.Err.Code = QueueExpired
		return ev
	case "unsent":
		ev.Err.Sent, ev.Err.Status = false, 0
		return ev
	}
	for _, k := range gateway.Kinds() {
		if k.String() == word {
			ev.Err.Kind = k
			return ev
		}
	}
	p.t.Fatalf("unknown word %q", word)
	return ev
}

// pass lets time go by, waking the walk when it asked to be.
func (p *player) pass(d time.Duration) {
	end := p.now.Add(d)
	for p.walk != nil {
		at := p.walk.Wake()
		if at.IsZero() || at.After(end) {
			break
		}
		if at.After(p.now) {
			p.now = at
		}
		acts := p.walk.Step(Event{Kind: Tick}, p.now)
		if len(acts) > 0 {
			fmt.Fprintf(&p.out, "  at %v\n", d-end.Sub(p.now))
		}
		p.show(acts)
	}
	p.now = end
}

func (p *player) show(acts []Action) {
	for _, a := range acts {
		switch a.Kind {
		case Start:
			fmt.Fprintf(&p.out, "  start %d %s %s", a.Attempt, p.cands[a.Candidate].Model.Provider, a.Role)
			if !a.Queue.IsZero() {
				fmt.Fprintf(&p.out, " queue %v", a.Queue.Sub(p.now))
			}
			p.out.WriteString("\n")
		case Cancel:
			fmt.Fprintf(&p.out, "  cancel %d %s\n", a.Attempt, a.Err.Kind)
		case Commit:
			fmt.Fprintf(&p.out, "  commit %d\n", a.Attempt)
		case GiveUp:
			fmt.Fprintf(&p.out, "  give-up %s", a.Err.Kind)
			if a.Err.RetryAfter > 0 {
				fmt.Fprintf(&p.out, " retry-after %v", a.Err.RetryAfter)
			}
			p.out.WriteString("\n")
		}
	}
}

func (p *player) model(name string) *gateway.Model {
	for i := range p.cands {
		if p.cands[i].Model.Provider == name {
			return p.cands[i].Model
		}
	}
	p.t.Fatalf("no candidate %q", name)
	return nil
}

func (p *player) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *player) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}
