package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gateway"
	"gateway/api"
)

// newKey is a key with the secret that is seen this once.
type newKey struct {
	api.KeyInfo
	Secret string `json:"secret,omitempty"`
}

// printNew prints a secret alone to standard output, so that a script can take it from
// there, and everything for people beside it.
func (k *keysOf) printNew(key *gateway.Key, secret string) error {
	if k.json {
		return writeJSON(k.stdout, newKey{api.ShowKey(key, time.Now()), secret})
	}
	if key.Team {
		return k.printOne(key, nil)
	}
	fmt.Fprintf(k.stderr, "%s %s: this secret is not shown again\n", key.ID, key.Alias)
	_, err := fmt.Fprintln(k.stdout, secret)
	return err
}

func (k *keysOf) printOne(key *gateway.Key, err error) error {
	if err != nil {
		return err
	}
	info := api.ShowKey(key, time.Now())
	if k.json {
		return writeJSON(k.stdout, info)
	}
	t := tabwriter.NewWriter(k.stdout, 0, 0, 2, ' ', 0)
	for _, line := range details(&info) {
		if line[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", line[0], line[1])
		}
	}
	return t.Flush()
}

func (k *keysOf) printList(keys []gateway.Key, all bool) error {
	infos, names := []api.KeyInfo{}, map[string]string{}
	for i := range keys {
		names[keys[i].ID] = keys[i].Alias
		if info := api.ShowKey(&keys[i], time.Now()); all || info.State != "revoked" {
			infos = append(infos, info)
		}
	}
	if k.json {
		return writeJSON(k.stdout, infos)
	}
	t := tabwriter.NewWriter(k.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tALIAS\tSECRET\tSTATE\tTEAM\tMODELS\tRPM\tTPM\tPARALLEL\tBUDGET\tEXPIRES")
	for i := range infos {
		n := &infos[i]
		secret := n.Shown
		if n.Team {
			secret = "(team)"
		}
		parent := names[n.Parent]
		if parent == "" {
			parent = n.Parent
		}
		fmt.Fprintln(t, strings.Join([]string{n.ID, orDash(n.Alias), orDash(secret), n.State, orDash(parent), orDash(strings.Join(n.Models, ",")),
			count(n.RPM), count(n.TPM), count(n.Parallel), orDash(budget(n.Budget)), orDash(date(n.Expires))}, "\t"))
	}
	return t.Flush()
}

// details are the lines of one key; those without a value are left out.
func details(n *api.KeyInfo) [][2]string {
	clamp := ""
	if n.Clamp {
		clamp = "yes"
	}
	return [][2]string{{"id", n.ID}, {"alias", n.Alias}, {"team", map[bool]string{true: "yes"}[n.Team]}, {"secret", n.Shown}, {"state", n.State},
		{"parent", n.Parent}, {"created", date(n.Created)}, {"expires", date(n.Expires)}, {"revoked", date(n.Revoked)},
		{"models", strings.Join(n.Models, ", ")}, {"rpm", positive(n.RPM)}, {"tpm", positive(n.TPM)}, {"max parallel", positive(n.Parallel)},
		{"budget", budget(n.Budget)}, {"clamp max_tokens", clamp}, {"tags", sorted(n.Tags)}, {"model map", sorted(n.ModelMap)}}
}

func budget(b *api.BudgetInfo) string {
	if b == nil {
		return ""
	}
	s := "$" + string(b.USD)
	if b.Every != "" {
		s += " a " + b.Every
	}
	if b.Zone != "" {
		s += " of " + b.Zone
	}
	return s
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}

func positive(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func count(n int) string { return orDash(positive(n)) }

func sorted(m map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, name+"="+m[name])
	}
	return strings.Join(out, ", ")
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
