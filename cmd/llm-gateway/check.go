package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gateway"
	"gateway/providers"
)

// typical is the request whose cost check shows, and whose order it lists.
var typical = gateway.Usage{Fresh: 1000, Output: 500}

func newCheck(p *program) *cobra.Command {
	var path string
	var live bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Print the order, the prices, and what is left out and why",
		Long: "Print the order in which providers are tried, their prices, and what is left out and why.\n" +
			"No provider is called, unless --live asks for one tiny call of each.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.check(cmd.Context(), path, live) },
	}
	providersFlag(cmd, &path)
	cmd.Flags().BoolVar(&live, "live", false, "make one tiny call to each provider; this costs a little")
	return cmd
}

func (p *program) check(ctx context.Context, path string, live bool) error {
	config, err := p.configured(path)
	if err != nil {
		return err
	}
	order, _, err := config.models.Resolve("auto")
	if err != nil {
		return err
	}
	printOrder(p.stdout, order, time.Now())
	if len(config.leftOut) > 0 {
		fmt.Fprintln(p.stdout, "\nleft out:")
		table := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
		for _, left := range config.leftOut {
			fmt.Fprintf(table, "  %s\t%s\n", left.name, left.why)
		}
		table.Flush()
	}
	if !live {
		return nil
	}
	fmt.Fprintln(p.stdout, "\nlive:")
	return p.checkLive(ctx, config)
}

// printOrder lists models cheapest first for the typical request, as the router
// orders them when nothing else is known; an unknown price comes last.
func printOrder(out io.Writer, order []*gateway.Model, now time.Time) {
	fmt.Fprintf(out, "order for %d tokens in and %d out, prices now in USD per million tokens:\n", typical.Fresh, typical.Output)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tPROVIDER\tMODEL\tKIND\tIN\tCACHED\tOUT\tREQUEST µ¢\tPRICE OF\t")
	for i, m := range order {
		if m.Tariff == nil {
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\t?\t?\t?\tunknown\t-\t\n", i+1, m.Provider, m.Name, m.Kind)
			continue
		}
		r := m.Tariff.At(typical.Prompt(), now)
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t\n", i+1, m.Provider, m.Name, m.Kind,
			perMillion(r.Input), perMillion(r.CachedRead), perMillion(r.Output), m.Tariff.Cost(typical, now), orDash(m.Tariff.Date))
	}
	table.Flush()
}

// perMillion writes a price per token as USD per million tokens, exactly.
func perMillion(price gateway.Picodollars) string {
	const usd = 1_000_000
	whole, rest := price/usd, price%usd
	if rest == 0 {
		return fmt.Sprint(int64(whole))
	}
	return fmt.Sprintf("%d.%s", int64(whole), strings.TrimRight(fmt.Sprintf("%06d", int64(rest)), "0"))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// checkLive makes one tiny call to each provider.
func (p *program) checkLive(ctx context.Context, c *configuration) error {
	client := providers.NewClient()
	defer client.CloseIdleConnections()
	all, err := c.build(client, nil)
	if err != nil {
		return err
	}
	worked := true
	for _, one := range all {
		worked = printLive(ctx, p.stdout, one.Upstream, one.Default) && worked
	}
	if !worked {
		return errors.New("not every provider answered")
	}
	return nil
}

// opener is what a live check needs of a provider.
type opener interface {
	Open(ctx context.Context, call *gateway.Call) (gateway.Stream, error)
}

// tinyCall asks for a few tokens and reads the answer to its end.
func tinyCall(ctx context.Context, from opener, m *gateway.Model) (*gateway.Completion, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req := &gateway.Request{
		ID: "check", Begun: time.Now(), Model: m.Name, Messages: 1, PromptBytes: 7, MaxTokens: 16,
		Decode: func([]byte) (*gateway.Chat, error) {
			text := gateway.Part{Kind: gateway.TextPart, Text: "Say ok."}
			return &gateway.Chat{MaxTokens: 16, Messages: []gateway.Message{{Speaker: gateway.User, Parts: []gateway.Part{text}}}}, nil
		},
	}
	stream, err := from.Open(ctx, &gateway.Call{Request: req, Model: m, Attempt: 1, MaxTokens: 16})
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var fold gateway.Fold
	for {
		chunk, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return fold.Completion(), nil
		}
		if err != nil {
			return nil, err
		}
		fold.Add(&chunk)
	}
}

// printLive makes the call and writes one line about it; it says whether it worked.
func printLive(ctx context.Context, out io.Writer, from opener, m *gateway.Model) bool {
	begun := time.Now()
	answer, err := tinyCall(ctx, from, m)
	took := time.Since(begun).Round(time.Millisecond)
	if err != nil {
		fmt.Fprintf(out, "  %s/%s: FAILED after %s: %v\n", m.Provider, m.Name, took, err)
		return false
	}
	cost := "price unknown"
	if m.Tariff != nil {
		cost = fmt.Sprintf("%d microcents", m.Tariff.Cost(answer.Usage, begun))
	}
	fmt.Fprintf(out, "  %s/%s: ok in %s, %d tokens, %s\n", m.Provider, m.Name, took, answer.Usage.Total(), cost)
	return true
}
