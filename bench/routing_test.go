package main

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A small run of the whole thing: the real binary through a black hole of the primary,
// under all policies. It is too short to hold against the bars; that it is decided by
// the policy at all shows in the slowest callers.
func TestRoutingStudyOfABlackHole(t *testing.T) {
	folder := t.TempDir()
	var out strings.Builder
	chosen, err := chooseScenarios("blackhole")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	s := study{scenarios: chosen, policies: policies, seeds: 1, requests: 400, rate: 100, warm: 3500 * time.Millisecond,
		out: folder}
	builder := rig{folder: home}
	if err := builder.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.binary = builder.binary
	results := make([]outcome, len(policies))
	var all sync.WaitGroup
	for i, p := range policies { // at once: it is not to be precise, but to be quick
		all.Go(func() {
			var err error
			if results[i], err = s.play(t.Context(), home, chosen[0], p, 1); err != nil {
				t.Error(p.name, err)
			}
		})
	}
	if all.Wait(); t.Failed() {
		t.FailNow()
	}
	if err := s.report(results, &out); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	if len(results) != len(policies) {
		t.Fatalf("%d results", len(results))
	}
	for _, r := range results {
		if r.Requests != 400 || r.Success < 98 || r.Cost <= 0 || r.P50 <= 0.1 || r.P99 < r.P50 {
			t.Errorf("%s: %s", r.Policy, r.line())
		}
		if (r.Hedges > 0) != (r.Policy == ours) {
			t.Errorf("%s: %d hedges", r.Policy, r.Hedges)
		}
	}
	trios := triosOf(results, "blackhole")
	if len(trios) != 1 || trios[0].ours.P95 > trios[0].seq30.P95 || trios[0].seq5.P99 > trios[0].seq30.P99 {
		t.Error("a limit of 30 s is no slower than the others in a black hole")
	}
	for _, name := range []string{"ttft-blackhole.svg", "timeline-blackhole.svg"} {
		checkSVG(t, filepath.Join(folder, name))
	}
	for _, name := range []string{"routing.md", "routing.json"} {
		if data, err := os.ReadFile(filepath.Join(folder, name)); err != nil || len(data) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(data), err)
		}
	}
}

func checkSVG(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer file.Close()
	for d := xml.NewDecoder(file); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

func TestWorkloadRepeatsItself(t *testing.T) {
	a, b, other := workload(1, 5000, 400), workload(1, 5000, 400), workload(2, 5000, 400)
	streams := 0
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("arrival %d: %+v, then %+v", i, a[i], b[i])
		}
		if a[i].stream {
			streams++
		}
	}
	if a[0] == other[0] {
		t.Error("two seeds give the same workload")
	}
	if took := a[len(a)-1].due.Seconds(); took < 11.5 || took > 13.5 || streams < 2850 || streams > 3150 {
		t.Errorf("5000 arrivals at 400/s in %v s, %d streams", took, streams)
	}
}

// Every run of the random incidents has the primary in trouble, however short it is.
func TestIncidentsFallIntoTheRun(t *testing.T) {
	for seed := range uint64(50) {
		for _, horizon := range []time.Duration{time.Minute, 5 * time.Minute, time.Hour} {
			spells := incidents(seed, 0, horizon)
			if len(spells) == 0 || spells[0].From != horizon*2/5 {
				t.Errorf("seed %d, %v: %+v", seed, horizon, spells)
			}
			for site := range sites {
				for _, s := range incidents(seed, site, horizon) {
					if s.From < 0 || s.From >= horizon || s.To <= s.From {
						t.Errorf("seed %d, %v, site %d: %+v", seed, horizon, site, s)
					}
				}
			}
		}
	}
}

func TestBarsTakeTheMedianOfTheSeeds(t *testing.T) {
	run := func(p99 float64) trio {
		return trio{ours: &outcome{P99: p99}, seq30: &outcome{P99: 1}, seq5: &outcome{P99: 1}}
	}
	b := bar{what: "p99", figure: ratio(tail99, toSeq30), most: 0.35, each: 0.65}
	for _, c := range []struct {
		seeds []trio
		met   bool
	}{
		{[]trio{run(0.9), run(0.1), run(0.2)}, false}, // one above what each may have
		{[]trio{run(0.6), run(0.1), run(0.2)}, true},
		{[]trio{run(0.6), run(0.5), run(0.2)}, false},
	} {
		if f := b.hold("any", c.seeds); f.Met != c.met {
			t.Errorf("%+v", f)
		}
	}
}

func TestRoutingRefusesWhatItCannotDo(t *testing.T) {
	for _, args := range [][]string{{"--scenarios", "storm"}, {"--seeds", "0"}, {"--rate", "-1"}, {"--nonsense"}} {
		if err := run(context.Background(), append([]string{"routing"}, args...), io.Discard); err == nil {
			t.Errorf("%v was accepted", args)
		}
	}
}
