package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// scale is how much of a simulated second a real one is: everything runs at 1:10.
const scale = 0.1

// study is what the routing bench was told to do.
type study struct {
	scenarios []scenario
	policies  []policy
	seeds     int
	requests  int     // of each run, beside those that warm up
	rate      float64 // calls per second of real time
	warm      time.Duration
	out       string // folder of the report; "" for none
	binary    string
	late      time.Duration // a run in which the machine was later than this is made again
	again     int           // times, at most
}

// runRouting puts the real gateway in front of four providers with a climate of their
// own, and compares its routing with two of its simpler selves: same arrivals, same
// seeds, same trouble. Everything is on loopback, and it ends by itself.
func runRouting(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench routing", flag.ContinueOnError)
	s := study{policies: policies}
	names := flags.String("scenarios", "all", "which, by name and comma: "+strings.Join(scenarioNames(), ", "))
	flags.IntVar(&s.seeds, "seeds", 3, "runs of each policy in each scenario")
	flags.IntVar(&s.requests, "requests", 20_000, "requests of a run")
	flags.Float64Var(&s.rate, "rate", 400, "requests per second (a tenth of that in simulated time)")
	flags.DurationVar(&s.warm, "warm", 8*time.Second, "load before anything counts")
	flags.StringVar(&s.out, "out", "", "folder for the report and its plots")
	flags.DurationVar(&s.late, "late", 20*time.Millisecond, "make a run again in which load generator or providers were later than this, p99: the machine was busy otherwise")
	flags.IntVar(&s.again, "again", 2, "how often at most; 0: never")
	flags.StringVar(&s.binary, "gateway", "", "gateway binary; empty: build it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if s.scenarios, err = chooseScenarios(*names); err != nil {
		return err
	}
	if s.seeds < 1 || s.requests < 1 || s.rate <= 0 || s.rate > 5000 {
		return errors.New("seeds, requests and rate must be above zero, and the rate no more than 5000")
	}
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	results, err := s.run(ctx, folder, out)
	if err != nil {
		return err
	}
	return s.report(results, out)
}

func chooseScenarios(names string) ([]scenario, error) {
	if names == "all" {
		return scenarios, nil
	}
	var chosen []scenario
	for _, name := range strings.Split(names, ",") {
		at := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if at < 0 {
			return nil, fmt.Errorf("no scenario %q; there are %s", name, strings.Join(scenarioNames(), ", "))
		}
		chosen = append(chosen, scenarios[at])
	}
	return chosen, nil
}

// run plays every policy in every scenario with every seed. Policies take turns, since
// the machine's other work changes with time.
func (s *study) run(ctx context.Context, folder string, out io.Writer) ([]outcome, error) {
	builder := rig{folder: folder, binary: s.binary}
	if err := builder.build(ctx); err != nil {
		return nil, err
	}
	s.binary = builder.binary
	var results []outcome
	for _, scenario := range s.scenarios {
		for seed := range s.seeds {
			for _, policy := range s.policies {
				r, err := s.calmly(ctx, folder, scenario, policy, uint64(seed+1), out)
				if err != nil {
					return nil, fmt.Errorf("%s, %s, seed %d: %w", scenario.name, policy.name, seed+1, err)
				}
				results = append(results, r)
			}
		}
		if err := s.save(results); err != nil { // a study that is ended early leaves what it has
			return nil, err
		}
	}
	return results, nil
}

// calmly plays a run again if the machine was too busy to measure anything else, and
// gives the calmest.
func (s *study) calmly(ctx context.Context, folder string, sc scenario, p policy, seed uint64, out io.Writer) (outcome, error) {
	var best outcome
	for try := range s.again + 1 {
		r, err := s.play(ctx, folder, sc, p, seed)
		if err != nil {
			return r, err
		}
		fmt.Fprintf(out, "%-10s seed %d  %-16s %s\n", sc.name, seed, p.name, r.line())
		if try == 0 || r.late() < best.late() {
			best = r
		}
		if best.late() <= float64(s.late.Milliseconds()) {
			break
		}
	}
	return best, nil
}

// policy is a way to route: what providers.json says of it.
type policy struct {
	name    string
	routing string // fields of "routing" beside those that all have
}

const (
	ours  = "ours"
	seq30 = "sequential 30 s"
	seq5  = "sequential 5 s"
)

// policies are the gateway as it comes, and without hedges and demotion under a fixed
// limit on the time to first content, which is given in real time.
var policies = []policy{
	{seq30, `, "hedge": "off", "demote": "off", "attempt_timeout": "3s"`},
	{ours, ""},
	{seq5, `, "hedge": "off", "demote": "off", "attempt_timeout": "500ms"`},
}
