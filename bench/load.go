package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// where is the server under load, as the user names it.
type where struct {
	url, model, key, keyEnv string
	timeout                 time.Duration
}

func (w *where) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.url, "url", "http://127.0.0.1:8090", "base URL of any OpenAI-compatible server; only put load on what is yours")
	f.StringVar(&w.model, "model", "auto", "model to ask for")
	f.StringVar(&w.key, "key", "", "key to send")
	f.StringVar(&w.keyEnv, "key-env", "", "environment variable that holds the key")
	f.DurationVar(&w.timeout, "timeout", 2*time.Minute, "most time for one call")
}

// check takes the key from the environment if it is to be there.
func (w *where) check() error {
	u, err := url.Parse(w.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--url %q is not an http(s) URL", w.url)
	}
	if w.keyEnv != "" {
		if w.key = os.Getenv(w.keyEnv); w.key == "" {
			return fmt.Errorf("--key-env: %s is not set", w.keyEnv)
		}
	}
	return nil
}

func (w *where) target(stream bool, size int) (*target, error) {
	t, err := newTarget(w.url, w.key, w.model, stream, size)
	if err == nil {
		t.timeout = w.timeout
	}
	return t, err
}

// loadSettings are what load was told.
type loadSettings struct {
	where
	outputs
	plan
	stream bool
	sizes  []string
	rates  []string
	warmUp time.Duration
}

func newLoad() *cobra.Command {
	var s loadSettings
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Put load on a URL: closed or open loop, streams, body sizes",
		Long: "Put load on any OpenAI-compatible URL.\n\n" +
			"A closed loop (-c) keeps a number of calls in flight. An open loop (--rate) starts calls at their\n" +
			"time, however slow the answers are, and counts from the moment a call was due, so that a stall shows\n" +
			"in every call that it would have met. Several --body or --rate give one run each. Ctrl-C ends it\n" +
			"with the report so far.",
		Example: "  bench load -c 64 --for 10s --stream\n" +
			"  bench load --rate 100,200,400 --body 300,10k,100k --markdown report.md --svg plots",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	s.where.flags(cmd)
	s.outputs.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&s.stream, "stream", false, "ask for streams, and measure the first token and the gaps between tokens")
	f.StringSliceVar(&s.sizes, "body", []string{"300"}, "bytes of the prompt, such as 300, 10k or 100k")
	f.IntVarP(&s.workers, "concurrency", "c", 16, "closed loop: calls in flight")
	f.StringSliceVar(&s.rates, "rate", nil, "open loop: calls per second, whatever the answers do")
	f.BoolVar(&s.even, "even", false, "open loop: at equal distances instead of at random ones (Poisson)")
	f.IntVar(&s.limit, "max", 10_000, "open loop: most calls in flight; more are counted as not sent")
	f.DurationVar(&s.length, "for", 10*time.Second, "how long each run lasts")
	f.IntVarP(&s.calls, "count", "n", 0, "end each run after so many calls")
	f.DurationVar(&s.warmUp, "warm-up", time.Second, "load beforehand that is not counted")
	return cmd
}

func (s *loadSettings) run(ctx context.Context, out io.Writer) error {
	if err := s.check(); err != nil {
		return err
	}
	plans, err := s.plans()
	if err != nil {
		return err
	}
	result := newResult("load", s.url, s.model)
	for i, one := range plans {
		t, err := s.target(s.stream, one.size)
		if err != nil {
			return err
		}
		if i == 0 && s.warmUp > 0 {
			warm := one.plan
			warm.length, warm.calls = s.warmUp, 0
			drive(ctx, t, warm)
		}
		stop := watch(one.name, &one.plan)
		r := drive(ctx, t, one.plan)
		stop()
		result.add(one.name, one.rate, r)
		if ctx.Err() != nil {
			break // with the report so far
		}
	}
	if err := s.write(out, result); err != nil {
		return err
	}
	if result.answered() == 0 {
		return errors.New("no call was answered")
	}
	return nil
}

// namedPlan is one run of several.
type namedPlan struct {
	plan
	name string
	size int
}

// plans are one run for each size and rate.
func (s *loadSettings) plans() (all []namedPlan, err error) {
	if s.length <= 0 || s.workers < 1 || s.limit < 1 || s.calls < 0 {
		return nil, errors.New("--for, -c and --max must be above 0")
	}
	rates := []float64{0}
	if len(s.rates) > 0 {
		rates = nil
	}
	for _, text := range s.rates {
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil || rate <= 0 {
			return nil, fmt.Errorf("--rate %q is not a number above 0", text)
		}
		rates = append(rates, rate)
	}
	for _, text := range s.sizes {
		size, err := bytesOf(text)
		if err != nil {
			return nil, fmt.Errorf("--body: %w", err)
		}
		for _, rate := range rates {
			one := namedPlan{plan: s.plan, size: size, name: fmt.Sprintf("%s, %d in flight", text, s.workers)}
			one.rate, one.timeline = rate, true
			if rate > 0 {
				one.name = fmt.Sprintf("%s, %g/s", text, rate)
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// bytesOf reads 300, 10k or 1m: thousands, as the sizes of prompts are told.
func bytesOf(text string) (int, error) {
	digits, unit := strings.ToLower(text), 1
	for suffix, n := range map[string]int{"k": 1000, "m": 1_000_000} {
		if cut, found := strings.CutSuffix(digits, suffix); found {
			digits, unit = cut, n
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > 64_000_000/unit {
		return 0, fmt.Errorf("%q is not a size such as 300, 10k or 1m (at most 64m)", text)
	}
	return n * unit, nil
}

// loopback refuses any other host, for servers of this program's own.
func loopback(base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return fmt.Errorf("reading -url: %w", err)
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s is not on loopback", base)
	}
	return nil
}
