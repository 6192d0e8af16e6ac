package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"
)

// aim is what every report that is promised should be read within, at p99.
const aim = 50 * time.Millisecond

// timedReport is a report that is timed: of one key over HTTP, or of everybody as a command.
type timedReport struct {
	query string // of GET /v1/spend
	args  string // of ledger summary
	long  bool   // it prints so many lines that it takes longer by its nature: no promise
}

// reports are those that bench/books.md names.
func reports(now time.Time) (queries, commands []timedReport) {
	edges := now.AddDate(0, 0, -37).Format(time.DateOnly) // the end of a month, a whole one perhaps, and part of this
	for _, query := range []string{"", "?by=provider,model", "?by=day&last=30d", "?by=hour&last=48h", "?by=model&from=" + edges, "?by=tag", "?by=tag&last=30d", "?by=run&last=7d", "?by=run"} {
		queries = append(queries, timedReport{query: query})
	}
	queries = append(queries, timedReport{query: "?by=hour", long: true})
	for _, line := range []string{"", "--by key", "--by team", "--by tag", "--by day --last 30d", "--by key --last 30d", "--by key,model", "--by key,model --from " + edges,
		"--by key,model --last 30d", "--by model --team team_3 --last 30d", "--by key --tag env=prod --last 30d", "--by hour --key key_07 --last 7d"} {
		commands = append(commands, timedReport{args: line})
	}
	for _, line := range []string{"--by run", "--by key,day --last 30d"} {
		commands = append(commands, timedReport{args: line, long: true})
	}
	return queries, commands
}

// read times reports: over HTTP, and as the command does. missed is how many of those
// that are promised took longer.
func (l *ledgerTest) read(ctx context.Context, out io.Writer, r *rig, p *process) (missed int, err error) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintf(t, "REPORT\tp50\tp99\tworst\tp99 within %s\n", aim)
	promised := 0
	line := func(what string, a timedReport, do func() error) error {
		took, err := times(l.reads, do)
		if err != nil {
			return err
		}
		verdict := "yes"
		late := took.at(0.99) > aim
		if late {
			verdict = "NO"
		}
		if a.long {
			verdict += ", not promised"
		} else {
			promised++
			if late {
				missed++
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", what, took.at(0.5), took.at(0.99), took.at(1), verdict)
		return nil
	}
	queries, commands := reports(time.Now())
	for _, a := range queries {
		if err := line("GET /v1/spend"+a.query, a, func() error { return get(ctx, p.base+"/v1/spend"+a.query) }); err != nil {
			return 0, err
		}
	}
	for _, a := range commands {
		args := append([]string{"ledger", "summary", "--data-dir", l.dir}, strings.Fields(a.args)...)
		do := func() error { return exec.CommandContext(ctx, r.binary, args...).Run() }
		if err := line("ledger summary "+a.args+" (a process each)", a, do); err != nil {
			return 0, err
		}
	}
	start := func() error { return exec.CommandContext(ctx, r.binary, "version").Run() }
	if err := line("(llm-gateway version, for comparison)", timedReport{long: true}, start); err != nil {
		return 0, err
	}
	_, err = fmt.Fprintf(t, "%d of %d reports that are promised miss %s at p99\n", missed, promised, aim)
	return missed, err
}
