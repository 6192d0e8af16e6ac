package ledger

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"gateway"
)

// RowWriter writes rows in some form, one by one. End must be called.
type RowWriter interface {
	Row(e *gateway.Entry) error
	End() error
}

// RowForms are the forms that rows can be written in.
var RowForms = []string{"table", "json", "jsonl", "csv", "focus"}

// WriteRows makes the writer of a form. names gives the aliases of keys and teams, where
// a form has a place for them.
func WriteRows(w io.Writer, form string, names map[string]string) (RowWriter, error) {
	switch form {
	case "table":
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "BEGUN\tREQUEST\tN\tROLE\tKEY\tPROVIDER/MODEL\tOUTCOME\tPROMPT\tOUTPUT\tCOST\t")
		return &tableRows{t, names}, nil
	case "json":
		return &jsonRows{w: bufio.NewWriter(w), array: true}, nil
	case "jsonl":
		return &jsonRows{w: bufio.NewWriter(w)}, nil
	case "csv":
		c := csv.NewWriter(w)
		return &csvRows{c}, c.Write(csvHeader)
	case "focus":
		c := csv.NewWriter(w)
		return &focusRows{c, names}, c.Write(focusHeader())
	}
	return nil, gateway.Errorf(gateway.Invalid, "the form %q is not known: any of %s", form, strings.Join(RowForms, ", "))
}

type tableRows struct {
	t     *tabwriter.Writer
	names map[string]string
}

func (r *tableRows) Row(e *gateway.Entry) error {
	key := e.Key
	if alias := r.names[key]; alias != "" {
		key = alias
	}
	cost := Dollars(e.Cost)
	if e.Source == gateway.UsageEstimated {
		cost += " est."
	}
	_, err := fmt.Fprintf(r.t, "%s\t%s\t%d\t%s\t%s\t%s/%s\t%s\t%d\t%d\t%s\t\n", e.Begun.Format("2006-01-02T15:04:05Z"), e.Request, e.Attempt, e.Role, key,
		e.Provider, e.Model, e.Outcome, e.Usage.Prompt(), e.Usage.Output, cost)
	return err
}

func (r *tableRows) End() error { return r.t.Flush() }

// rowJSON is a row as it is exported. Costs are microcents, times of day UTC.
type rowJSON struct {
	Request      string              `json:"request"`
	Attempt      int                 `json:"attempt"`
	Begun        time.Time           `json:"begun"`
	Key          string              `json:"key"`
	Team         string              `json:"team"`
	Run          string              `json:"run"`
	Tags         map[string]string   `json:"tags"`
	Op           string              `json:"op"`
	Role         gateway.Role        `json:"role"`
	Provider     string              `json:"provider"`
	Model        string              `json:"model"`
	Asked        string              `json:"asked"`
	Outcome      string              `json:"outcome"`
	Status       int                 `json:"status"`
	Finish       string              `json:"finish"`
	Winner       bool                `json:"winner"`
	Stream       bool                `json:"stream"`
	TTFT         int64               `json:"ttft_ms"`
	Took         int64               `json:"took_ms"`
	Fresh        int                 `json:"fresh_tokens"`
	CachedRead   int                 `json:"cached_tokens"`
	CacheWrite5m int                 `json:"cache_write_5m_tokens"`
	CacheWrite1h int                 `json:"cache_write_1h_tokens"`
	Output       int                 `json:"completion_tokens"`
	Reasoning    int                 `json:"reasoning_tokens"`
	Source       gateway.UsageSource `json:"usage_source"`
	Cost         gateway.Microcents  `json:"cost_microcents"`
	Priced       bool                `json:"priced"`
	PriceDate    string              `json:"price_date"`
	Tariff       string              `json:"tariff"`
}

func exported(e *gateway.Entry) rowJSON {
	u := &e.Usage
	tags := e.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return rowJSON{e.Request, e.Attempt, e.Begun, e.Key, e.Team, e.Run, tags, e.Op, e.Role, e.Provider, e.Model, e.Asked, e.Outcome, e.Status, e.Finish,
		e.Winner, e.Stream, e.FirstContent.Milliseconds(), e.Took.Milliseconds(), u.Fresh, u.CachedRead, u.CacheWrite5m, u.CacheWrite1h, u.Output,
		u.Reasoning, e.Source, e.Cost, e.Priced, e.PriceDate, e.Tariff}
}

// jsonRows writes an array, or one object a line.
type jsonRows struct {
	w     *bufio.Writer
	array bool
	some  bool
}

func (r *jsonRows) Row(e *gateway.Entry) error {
	text, err := json.Marshal(exported(e))
	if err != nil {
		return err
	}
	if r.array {
		r.w.WriteString([]string{"[\n", ",\n"}[map[bool]int{true: 1}[r.some]])
	}
	r.some = true
	r.w.Write(text)
	if !r.array {
		r.w.WriteByte('\n')
	}
	return nil // a failed write is kept, and told by Flush
}

func (r *jsonRows) End() error {
	if r.array {
		if !r.some {
			r.w.WriteString("[")
		}
		r.w.WriteString("]\n")
	}
	return r.w.Flush()
}

var csvHeader = []string{"request", "attempt", "begun", "key", "team", "run", "tags", "op", "role", "provider", "model", "asked", "outcome", "status", "finish",
	"winner", "stream", "ttft_ms", "took_ms", "fresh_tokens", "cached_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "completion_tokens",
	"reasoning_tokens", "usage_source", "cost_microcents", "priced", "price_date", "tariff"}

type csvRows struct{ c *csv.Writer }

func (r *csvRows) Row(e *gateway.Entry) error {
	j := exported(e)
	n := strconv.Itoa
	return r.c.Write([]string{safe(j.Request), n(j.Attempt), j.Begun.Format(time.RFC3339Nano), safe(j.Key), safe(j.Team), safe(j.Run), safe(joined(j.Tags)), j.Op,
		string(j.Role), safe(j.Provider), safe(j.Model), safe(j.Asked), j.Outcome, n(j.Status), safe(j.Finish), strconv.FormatBool(j.Winner), strconv.FormatBool(j.Stream),
		strconv.FormatInt(j.TTFT, 10), strconv.FormatInt(j.Took, 10), n(j.Fresh), n(j.CachedRead), n(j.CacheWrite5m), n(j.CacheWrite1h), n(j.Output), n(j.Reasoning),
		string(j.Source), strconv.FormatInt(int64(j.Cost), 10), strconv.FormatBool(j.Priced), j.PriceDate, j.Tariff})
}

func (r *csvRows) End() error {
	r.c.Flush()
	return r.c.Error()
}

// safe keeps a text that a client chose from being a formula in a spreadsheet.
func safe(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func joined(tags map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, name+"="+tags[name])
	}
	return strings.Join(out, ";")
}
