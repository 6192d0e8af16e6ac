package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// swarm is what the command was told.
type swarm struct {
	where
	outputs
	agents  int
	turns   int
	think   time.Duration
	tools   float64
	system  string
	results string
	length  time.Duration
}

func newSwarm() *cobra.Command {
	var s swarm
	cmd := &cobra.Command{
		Use:   "swarm",
		Short: "Be many agents in conversations that grow, with tools and time to think",
		Long: "Each agent holds conversations of some turns: every turn sends the whole history, the answer and the\n" +
			"results of tools are added to it, and the agent thinks before it goes on. All answers are streamed.\n" +
			"The report has a row for each turn, since later turns carry larger prompts.",
		Example: "  bench swarm --agents 200 --turns 8 --think 2s --for 1m",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	s.where.flags(cmd)
	s.outputs.flags(cmd)
	f := cmd.Flags()
	f.IntVar(&s.agents, "agents", 50, "how many at once")
	f.IntVar(&s.turns, "turns", 6, "turns of a conversation")
	f.DurationVar(&s.think, "think", time.Second, "mean time to think between turns")
	f.Float64Var(&s.tools, "tools", 0.5, "part of the turns in which a tool has been called, if the model calls none itself")
	f.StringVar(&s.system, "system", "4k", "bytes of the system prompt, which all agents share")
	f.StringVar(&s.results, "result", "2k", "bytes of a tool's result")
	f.DurationVar(&s.length, "for", 30*time.Second, "how long; conversations under way are cut after it")
	return cmd
}

func (s *swarm) run(ctx context.Context, out io.Writer) error {
	if err := s.check(); err != nil {
		return err
	}
	if s.agents < 1 || s.turns < 1 || s.think < 0 || s.length <= 0 || s.tools < 0 || s.tools > 1 {
		return errors.New("--agents, --turns and --for must be above 0, --tools between 0 and 1")
	}
	system, err := bytesOf(s.system)
	if err != nil {
		return fmt.Errorf("--system: %w", err)
	}
	result, err := bytesOf(s.results)
	if err != nil {
		return fmt.Errorf("--result: %w", err)
	}
	t, err := s.target(true, 1)
	if err != nil {
		return err
	}
	rows := make([]*report, s.turns)
	for i := range rows {
		rows[i] = newReport()
	}
	p := plan{length: s.length}
	stop := watch("swarm", &p)
	all := newReport()
	all.line = newTimeline(s.length)
	p.watch(all)
	begun := time.Now()
	limited, cancel := context.WithDeadline(ctx, begun.Add(s.length))
	var agents sync.WaitGroup
	for i := range s.agents {
		agents.Go(func() {
			a := agent{swarm: s, target: t, random: rand.New(rand.NewPCG(uint64(i), 11)), system: prompt(system), result: prompt(result)}
			for limited.Err() == nil {
				a.converse(limited, func(turn int, answer sample) {
					if limited.Err() != nil && answer.err != nil {
						answer.err = context.Canceled // we end, not they
					}
					all.add(answer)
					rows[turn].add(answer)
				})
			}
		})
	}
	agents.Wait()
	cancel()
	stop()
	took := time.Since(begun)
	t.client.CloseIdleConnections()
	r := newResult("swarm", s.url, s.model)
	all.took = took
	r.add(fmt.Sprintf("all, %d agents", s.agents), 0, all)
	for i, row := range rows {
		row.took = took
		r.add(fmt.Sprintf("turn %d", i+1), 0, row)
	}
	if err := s.write(out, r); err != nil {
		return err
	}
	if all.ok == 0 {
		return errors.New("no call was answered")
	}
	return nil
}
