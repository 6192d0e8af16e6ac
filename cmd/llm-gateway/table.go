package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gateway"
	"gateway/ledger"
)

// board is the demo's picture: the providers' states and the last requests.
type board struct {
	url     string
	begun   time.Time
	last    []answered // newest last
	rows    int        // of last that are shown
	total   int
	failed  int
	spent   gateway.Microcents
	by      map[string]int // answers of each provider
	status  func() []gateway.ProviderStatus
	drawn   int // lines of the picture that is on the terminal
	hintFor string
}

func newBoard(url, hint string, status func() []gateway.ProviderStatus) *board {
	return &board{url: url, begun: time.Now(), rows: 12, by: map[string]int{}, status: status, hintFor: hint}
}

func (b *board) add(a answered) {
	b.total++
	b.spent += gateway.Microcents(a.cost)
	if a.err != "" {
		b.failed++
	} else {
		b.by[a.provider]++
	}
	b.last = append(b.last, a)
	if len(b.last) > b.rows {
		b.last = b.last[1:]
	}
}

// draw replaces the picture on a terminal.
func (b *board) draw(out io.Writer, now time.Time) {
	text := b.render(now)
	var screen strings.Builder
	if b.drawn > 0 {
		fmt.Fprintf(&screen, "\x1b[%dA", b.drawn)
	}
	for line := range strings.Lines(text) {
		screen.WriteString("\x1b[2K" + line)
	}
	screen.WriteString("\x1b[J")
	b.drawn = strings.Count(text, "\n")
	io.WriteString(out, screen.String())
}

// render is the picture as text, each line ended.
func (b *board) render(now time.Time) string {
	var out strings.Builder
	providers := b.status()
	fmt.Fprintf(&out, "llm-gateway demo  %s  %s  %d requests, %d failed, %s, %s hedges left\n\n",
		b.url, now.Sub(b.begun).Truncate(time.Second), b.total, b.failed, ledger.Dollars(b.spent), hedgesLeft(providers))
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROVIDER\tMODEL\tSTATE\tIN FLIGHT\tQUEUED\tFIRST TOKEN p50\tp95\tANSWERED")
	for _, p := range providers {
		m := live(p)
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%d\n", p.Name, p.Model, inWords(m, now), p.InFlight, m.Queued, short(m.P50), short(m.P95), b.by[p.Name])
	}
	table.Flush()
	out.WriteString("\n")
	fmt.Fprintln(table, "TIME\tASKED\tANSWERED BY\tATTEMPTS\tFIRST TOKEN\tWHOLE\tMICROCENTS")
	for _, a := range b.last {
		fmt.Fprintln(table, strings.Join(a.cells(), "\t"))
	}
	for range b.rows - len(b.last) { // the picture keeps its height from the start
		fmt.Fprintln(table, " ")
	}
	table.Flush()
	fmt.Fprintf(&out, "\ntry it (Ctrl-C ends the demo):\n  %s\n", b.hintFor)
	return out.String()
}

// live is the model that is asked by default; before anybody has asked it, it has only the
// provider's state.
func live(p gateway.ProviderStatus) gateway.ModelStatus {
	for _, m := range p.Models {
		if m.Model == p.Model {
			m.State = p.State
			return m
		}
	}
	return gateway.ModelStatus{State: p.State}
}

// inWords is the state, or why a request would pass the model by now, and for how long.
func inWords(m gateway.ModelStatus, now time.Time) string {
	switch wait := m.CoolingUntil.Sub(now); {
	case m.State == "cooling" && wait > 0:
		return "cooling " + max(wait.Truncate(time.Second), time.Second).String()
	case m.State == "closed" && m.Demoted:
		return "passed over"
	case m.State == "closed" && m.Skip != "":
		return "full"
	}
	return m.State
}

// hedgesLeft is what is in the bucket, which all models share.
func hedgesLeft(all []gateway.ProviderStatus) string {
	for _, p := range all {
		for _, m := range p.Models {
			return fmt.Sprintf("%.1f", m.HedgeBucket)
		}
	}
	return "-"
}

// cells are the columns of one request.
func (a answered) cells() []string {
	by, cost := a.provider, "-"
	if a.err != "" {
		by = "failed: " + cut(a.err, 48)
	}
	if a.hedged {
		by += " (hedged)"
	}
	if a.priced {
		cost = fmt.Sprint(a.cost)
	}
	how := ""
	if a.stream {
		how = " stream"
	}
	return []string{a.at.Format(time.TimeOnly), a.asked + how, by, fmt.Sprint(a.attempts), short(a.first), short(a.whole), cost}
}

// line is one request for an output that is not a terminal.
func (a answered) line() string {
	c := a.cells()
	return fmt.Sprintf("%s  %-34s %-22s attempts %s  first token %-6s whole %-6s %s microcents", c[0], c[1], c[2], c[3], c[4], c[5], c[6])
}

func cut(text string, most int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}

func short(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
