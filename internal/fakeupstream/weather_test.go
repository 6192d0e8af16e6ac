package fakeupstream

import (
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// fairly is a climate without any trouble of its own.
func fairly() Climate {
	return Climate{First: 500 * time.Millisecond, FirstP99: 5 * time.Second, Prefill: 40_000, Speed: 90}
}

// What is drawn has the distribution that the climate names.
func TestClimateDrawsItsDistribution(t *testing.T) {
	c := fairly()
	c.Errors, c.Stalls, c.Breaks = 0.01, 0.02, 0.03
	var waits []float64
	var failed, stalled, broken float64
	const calls = 40_000
	for i := range calls {
		f := c.Draw(Attempt{Seed: 1, Request: i, Try: 1, Output: 200}, 0)
		switch {
		case f.Status != 200:
			failed++
			continue
		case f.Never:
			stalled++
			continue
		case f.Breaks > 0:
			broken++
		}
		waits = append(waits, f.Wait.Seconds())
	}
	slices.Sort(waits)
	for _, want := range []struct {
		name      string
		got, want float64
	}{
		{"median", waits[len(waits)/2], 0.5}, {"p99", waits[len(waits)*99/100], 5},
		{"failures", failed / calls, 0.01}, {"stalls", stalled / calls, 0.02}, {"breaks", broken / calls, 0.03},
	} {
		if math.Abs(want.got-want.want) > 0.15*want.want {
			t.Errorf("%s %.4f, want %.4f", want.name, want.got, want.want)
		}
	}
}

// The fate of a call does not depend on what else is called, and a spell changes only
// what it is about.
func TestClimateRepeatsItself(t *testing.T) {
	c := fairly()
	c.Spells = []Spell{{From: time.Minute, To: 2 * time.Minute, Regime: BrownOut, Strength: 8}, {From: 3 * time.Minute, To: 4 * time.Minute, Regime: Hole}}
	a := Attempt{Seed: 3, Request: 7, Site: 1, Try: 1, Output: 100}
	calm, again := c.Draw(a, 0), c.Draw(a, 59*time.Second)
	if calm != again {
		t.Errorf("%+v, then %+v", calm, again)
	}
	if slow := c.Draw(a, time.Minute); math.Abs(slow.Wait.Seconds()-8*calm.Wait.Seconds()) > 1e-6 || slow.Decode != calm.Decode {
		t.Errorf("%+v in a brown-out, %+v before", slow, calm)
	}
	if hole := c.Draw(a, 3*time.Minute); !hole.Never {
		t.Errorf("%+v in a black hole", hole)
	}
	a.Try = 2
	if other := c.Draw(a, 0); other == calm {
		t.Error("the second try has the fate of the first")
	}
}

func askWeather(t *testing.T, s *Server, request int, stream string) (*http.Response, string) {
	t.Helper()
	body := `{"model":"m","stream":` + stream + `,"messages":[{"role":"user","content":"` + WeatherPrompt(request, 1000, 90, 400) + `"}]}`
	res, err := http.Post(s.Base()+"/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		return nil, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return res, string(text) + err.Error()
	}
	return res, string(text)
}

// A server under a climate answers after the time that was drawn, compressed, and bills
// what it has sent.
func TestWeatherServesWhatIsDrawn(t *testing.T) {
	w := &Weather{Climate: fairly(), Seed: 5, Scale: 0.05}
	s, err := Start(Config{Weather: w})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for request, stream := range []string{"true", "false"} {
		begun := time.Now()
		res, text := askWeather(t, s, request, stream)
		if res == nil || res.StatusCode != 200 || !strings.Contains(text, `"completion_tokens":90`) || strings.HasSuffix(text, "[DONE]\n\n") != (stream == "true") {
			t.Fatalf("%v %s", res, text)
		}
		f := w.Climate.Draw(Attempt{Seed: 5, Request: request, Try: 1, Prompt: 1000, Output: 90}, 0)
		if took, least := time.Since(begun), w.scaled(f.Wait+f.Decode); took < least {
			t.Errorf("answered after %v, drawn %v", took, least)
		}
	}
	for i, v := range w.Visits() {
		if !v.Whole || v.Prompt != 1000 || v.Output != 90 || v.Request != i {
			t.Errorf("%+v", v)
		}
	}
}

func TestWeatherFailsAsDrawn(t *testing.T) {
	for name, c := range map[string]struct {
		spell  Spell
		status int
	}{
		"storm": {Spell{To: time.Hour, Regime: Storm, Strength: 1}, 429}, "errors": {Spell{To: time.Hour, Regime: Errors, Strength: 1}, 500},
		"down": {Spell{To: time.Hour, Regime: Down}, 0},
	} {
		w := &Weather{Climate: fairly(), Scale: 0.01}
		w.Climate.Spells = []Spell{c.spell}
		s, err := Start(Config{Weather: w})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		res, text := askWeather(t, s, 1, "true")
		switch {
		case c.status == 0:
			if res != nil {
				t.Errorf("%s: %v %s", name, res.Status, text)
			}
		case res == nil || res.StatusCode != c.status || c.status == 429 && res.Header.Get("Retry-After-Ms") == "":
			t.Errorf("%s: %v %s", name, res, text)
		}
		for _, v := range w.Visits() {
			if v.Prompt != 0 || v.Output != 0 || v.Whole {
				t.Errorf("%s: a failure is billed: %+v", name, v)
			}
		}
	}
}

// An answer that breaks in the middle does not end as a whole one does.
func TestWeatherBreaksInTheMiddle(t *testing.T) {
	w := &Weather{Climate: fairly(), Scale: 0.01}
	w.Climate.Breaks = 1
	s, err := Start(Config{Weather: w})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	res, text := askWeather(t, s, 1, "true")
	if res == nil || !strings.Contains(text, "part 0") || !strings.Contains(text, "EOF") || strings.Contains(text, "[DONE]") {
		t.Errorf("%v %q", res, text)
	}
	if v := w.Visits(); len(v) != 1 || v[0].Whole || v[0].Prompt != 1000 {
		t.Errorf("%+v", v)
	}
}
