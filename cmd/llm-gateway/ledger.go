package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gateway"
	"gateway/api"
	"gateway/ledger"
)

func newLedger(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "Read the books; the gateway may be running", Args: cobra.NoArgs}
	cmd.AddCommand(newSummary(p), newQuery(p), newExport(p), newVerify(p))
	return cmd
}

// excerpt is the part of the books that a command reads.
type excerpt struct {
	*program
	dir            string
	from, to, last string
	query          gateway.SpendQuery
	names          map[string]string // aliases of keys and teams by id
}

func (c *excerpt) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	dataFlag(cmd, &c.dir)
	f.StringVar(&c.from, "from", "", "first day, YYYY-MM-DD in UTC")
	f.StringVar(&c.to, "to", "", "last day, YYYY-MM-DD in UTC")
	f.StringVar(&c.last, "last", "", "the last 24h, 7d and so on, instead of --from")
	f.StringVar(&c.query.Provider, "provider", "", "this provider only")
	f.StringVar(&c.query.Model, "model", "", "this model only: name or provider/model")
	f.StringVar(&c.query.Key, "key", "", "this client key only, by id or alias")
	f.StringVar(&c.query.Team, "team", "", "this team only, by id or alias")
	f.StringVar(&c.query.Run, "run", "", "this run only")
	f.StringVar(&c.query.Tag, "tag", "", "rows with this tag only: name=value")
	cmd.MarkFlagsMutuallyExclusive("from", "last")
}

// read makes times of the flags' text and ids of aliases.
func (c *excerpt) read(ctx context.Context) (err error) {
	if c.query.From, err = day(c.from, 0); err != nil {
		return err
	}
	if c.query.To, err = day(c.to, 24*time.Hour); err != nil { // the last day is part of it
		return err
	}
	if c.last != "" {
		length, ok := api.ParseDays(c.last)
		if !ok {
			return fmt.Errorf("--last: %q is not a length of time such as 24h or 7d", c.last)
		}
		c.query.From = time.Now().Add(-length)
	}
	c.names = map[string]string{}
	if !ledger.HaveKeys(c.dir) {
		return nil
	}
	kept, err := ledger.OpenKeys(c.dir)
	if err != nil {
		return err
	}
	all, err := kept.All(ctx)
	if err := errors.Join(err, kept.Close()); err != nil {
		return err
	}
	key, team := c.query.Key, c.query.Team
	for i := range all { // the newest of an alias is the last
		c.names[all[i].ID] = all[i].Alias
		if a := all[i].Alias; a != "" && a == key {
			c.query.Key = all[i].ID
		} else if a != "" && a == team {
			c.query.Team = all[i].ID
		}
	}
	return nil
}

// books opens the ledger for reading; nil, with a word about it, when there is none yet.
func (c *excerpt) books() (*ledger.Store, error) {
	store, err := ledger.Open(c.dir, ledger.Options{ReadOnly: true})
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(c.stderr, "there is no ledger in %s yet\n", c.dir)
		return nil, nil
	}
	return store, err
}

func newSummary(p *program) *cobra.Command {
	c := &excerpt{program: p}
	var by []string
	var asJSON, asCSV bool
	cmd := &cobra.Command{
		Use:   "summary",
		Short: "Print what was spent; it reads sums, so its time does not grow with the rows",
		Long: "Print what was spent. It reads sums, so its time does not grow with the rows. They are kept by\n" +
			"the hour (UTC): the hour in which --last begins is in the report whole.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.query.By = slices.DeleteFunc(by, func(g string) bool { return g == "" })
			lines, err := c.spent(cmd.Context())
			switch {
			case err != nil:
				return err
			case asJSON:
				return ledger.JSON(p.stdout, lines)
			case asCSV:
				return ledger.CSV(p.stdout, lines, c.query.By)
			}
			return ledger.Table(p.stdout, c.named(lines), c.query.By)
		},
	}
	c.flags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&by, "by", []string{"provider", "model"}, "split by any of "+strings.Join(gateway.SpendGroups, ", ")+", tag:NAME; empty for one total")
	f.BoolVar(&asJSON, "json", false, "print JSON, costs in microcents")
	f.BoolVar(&asCSV, "csv", false, "print CSV, costs in microcents")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	return cmd
}

// spent reads a summary. A ledger that does not exist yet has nothing in it.
func (c *excerpt) spent(ctx context.Context) ([]gateway.SpendLine, error) {
	if err := ledger.CheckSpend(c.query); err != nil {
		return nil, err
	}
	if err := c.read(ctx); err != nil {
		return nil, err
	}
	store, err := c.books()
	if store == nil {
		return nil, err
	}
	lines, err := store.Spend(ctx, c.query)
	return lines, errors.Join(err, store.Close())
}

// named puts aliases in the place of ids.
func (c *excerpt) named(lines []gateway.SpendLine) []gateway.SpendLine {
	for _, l := range lines {
		for _, group := range []string{"key", "team"} {
			if alias := c.names[l.Group[group]]; alias != "" {
				l.Group[group] = alias
			}
		}
	}
	return lines
}

// day reads a date and adds to it; "" is no date.
func day(text string, add time.Duration) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a day: YYYY-MM-DD is wanted", text)
	}
	return at.Add(add), nil
}
