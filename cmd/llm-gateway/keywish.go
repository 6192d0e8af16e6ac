package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gateway"
)

// keyWish are the flags that say what a key shall be. They are checked where every
// wish is, in gateway.Key.Change; here only their text is read.
type keyWish struct {
	alias, parent, expires, budget, every, zone string
	models, tags, maps                          []string
	rpm, tpm, parallel                          int
	clamp                                       bool
}

func (w *keyWish) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.alias, "alias", "", "name for people, unique among the keys in force")
	f.StringVar(&w.parent, "parent", "", "team that the key belongs to, by id or alias; none takes it out")
	f.StringVar(&w.expires, "expires", "", "when it ends: 90d, 12h, 2027-01-31, a time, or never")
	f.StringSliceVar(&w.models, "models", nil, "models that it may use: names, provider/model, or the beginning of either and a *; all for every model")
	f.IntVar(&w.rpm, "rpm", 0, "requests per minute; 0 for no limit")
	f.IntVar(&w.tpm, "tpm", 0, "tokens per minute; 0 for no limit")
	f.IntVar(&w.parallel, "max-parallel", 0, "requests at one time; 0 for no limit")
	f.StringVar(&w.budget, "budget", "", "the most it may spend, in dollars such as 25 or 0.50; none for no budget")
	f.StringVar(&w.every, "every", "", "the budget begins anew each day, week or month; without it, it is for the key's whole life")
	f.StringVar(&w.zone, "zone", "", "time zone that the budget's periods begin in, such as Europe/Vienna; UTC without it")
	f.BoolVar(&w.clamp, "clamp-max-tokens", false, "ask for a shorter answer where the budget does not hold the longest one")
	f.StringSliceVar(&w.tags, "tag", nil, "name=value that its spending is booked with; none for no tags")
	f.StringSliceVar(&w.maps, "model-map", nil, "asked=used: another model for a name that is asked; none for no map")
}

// days reads a length of time; "90d" is 90 times 24 hours.
func days(text string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(n); err == nil && n >= 0 && n <= 36_500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
		return 0, fmt.Errorf("%q is not a length of time such as 12h or 90d", text)
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a length of time such as 12h or 90d", text)
	}
	return d, nil
}

// change is what the flags that were given come to.
func (w *keyWish) change(cmd *cobra.Command, now time.Time) (c gateway.KeyChange, err error) {
	if cmd.Flags().Changed("alias") {
		c.Alias = &w.alias
	}
	if cmd.Flags().Changed("parent") {
		if w.parent == "none" {
			w.parent = ""
		}
		c.Parent = &w.parent
	}
	if cmd.Flags().Changed("expires") {
		at, err := expiry(w.expires, now)
		if err != nil {
			return c, fmt.Errorf("--expires: %w", err)
		}
		c.Expires = &at
	}
	for _, l := range []struct {
		flag string
		said *int
		to   **int
	}{{"rpm", &w.rpm, &c.RPM}, {"tpm", &w.tpm, &c.TPM}, {"max-parallel", &w.parallel, &c.Parallel}} {
		if cmd.Flags().Changed(l.flag) {
			*l.to = l.said
		}
	}
	if cmd.Flags().Changed("models") {
		c.Models = &w.models
		if len(w.models) == 1 && w.models[0] == "all" {
			c.Models = new([]string)
		}
	}
	if cmd.Flags().Changed("clamp-max-tokens") {
		c.Clamp = &w.clamp
	}
	if c.Tags, err = pairs(cmd, "tag", w.tags); err != nil {
		return c, err
	}
	if c.ModelMap, err = pairs(cmd, "model-map", w.maps); err != nil {
		return c, err
	}
	c.Budget, err = w.limit(cmd)
	return c, err
}

func expiry(text string, now time.Time) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	length, err := days(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is none of 90d, 12h, 2027-01-31, 2027-01-31T09:00:00Z or never", text)
	}
	return now.Add(length).UTC().Truncate(time.Second), nil
}

func (w *keyWish) limit(cmd *cobra.Command) (*gateway.Budget, error) {
	if !cmd.Flags().Changed("budget") {
		if cmd.Flags().Changed("every") || cmd.Flags().Changed("zone") {
			return nil, errors.New("--every and --zone need --budget: how much may be spent in each period")
		}
		return nil, nil
	}
	b := gateway.Budget{Every: gateway.Period(w.every), Zone: w.zone}
	if w.budget == "none" {
		return &b, nil
	}
	limit, err := gateway.ParseDollars(w.budget)
	if err != nil {
		return nil, fmt.Errorf("--budget: %w, or none", err)
	}
	b.Limited, b.Limit = true, limit
	return &b, nil
}

// pairs reads name=value flags; nil when the flag was not given.
func pairs(cmd *cobra.Command, flag string, list []string) (*map[string]string, error) {
	if !cmd.Flags().Changed(flag) {
		return nil, nil
	}
	out := map[string]string{}
	if len(list) == 1 && list[0] == "none" {
		out = nil
		return &out, nil
	}
	for _, item := range list {
		name, value, ok := strings.Cut(item, "=")
		if !ok {
			return nil, fmt.Errorf("--%s: %q is not name=value", flag, item)
		}
		out[name] = value
	}
	return &out, nil
}
