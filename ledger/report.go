package ledger

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"gateway"
)

// Table writes a report for people. Costs are in dollars, exact to the microcent.
func Table(w io.Writer, lines []gateway.SpendLine, by []string) error {
	b := bufio.NewWriterSize(w, 64<<10) // the table writes each of its cells by itself
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, g := range by {
		fmt.Fprintf(t, "%s\t", g)
	}
	fmt.Fprintln(t, "attempts\trequests\tprompt\tcached\toutput\tcost\testimated\tunpriced")
	for _, l := range lines {
		for _, g := range by {
			fmt.Fprintf(t, "%s\t", l.Group[g])
		}
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%d\t%s\t%s\t%d\n", l.Attempts, l.Requests, l.Prompt, l.Cached, l.Output, Dollars(l.Cost), Dollars(l.Estimated), l.Unpriced)
	}
	return errors.Join(t.Flush(), b.Flush())
}

// Dollars writes an amount exactly: "$0.00005334".
func Dollars(m gateway.Microcents) string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return fmt.Sprintf("%s$%d.%08d", sign, m/100_000_000, m%100_000_000)
}

// JSON writes a report as a JSON array; costs are microcents.
func JSON(w io.Writer, lines []gateway.SpendLine) error {
	if lines == nil {
		lines = []gateway.SpendLine{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(lines)
}

// CSV writes a report with a header line; costs are microcents.
func CSV(w io.Writer, lines []gateway.SpendLine, by []string) error {
	c := csv.NewWriter(w)
	c.Write(append(append([]string{}, by...), "attempts", "requests", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_microcents", "estimated_microcents", "unpriced_attempts"))
	for _, l := range lines {
		var row []string
		for _, g := range by {
			row = append(row, l.Group[g])
		}
		for _, n := range []int64{l.Attempts, l.Requests, l.Prompt, l.Cached, l.Output, int64(l.Cost), int64(l.Estimated), l.Unpriced} {
			row = append(row, strconv.FormatInt(n, 10))
		}
		c.Write(row)
	}
	c.Flush()
	return c.Error()
}
