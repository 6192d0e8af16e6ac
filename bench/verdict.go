package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// check is one promise and what was measured of it.
type check struct {
	Name string `json:"name"`
	Want string `json:"want"`
	Got  string `json:"got"`
	OK   bool   `json:"ok"`
}

// verdict is the checks of one command.
type verdict struct {
	Command string  `json:"command"`
	Machine string  `json:"machine"`
	Checks  []check `json:"checks"`
	// Notes are lines below the table, which judge nothing.
	Notes []string `json:"notes,omitempty"`
}

func newVerdict(name string) *verdict {
	r := newResult(name, "", "")
	return &verdict{Command: r.Command, Machine: machine()}
}

func (v *verdict) add(ok bool, name, want, format string, args ...any) {
	v.Checks = append(v.Checks, check{name, want, fmt.Sprintf(format, args...), ok})
}

func (v *verdict) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "`%s`\n\n%s\n\n| promise | bound | measured | |\n|---|---|---|---|\n", v.Command, v.Machine)
	for _, c := range v.Checks {
		word := "holds"
		if !c.OK {
			word = "**fails**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.Name, c.Want, c.Got, word)
	}
	if len(v.Notes) > 0 {
		fmt.Fprintf(&b, "\n%s\n", strings.Join(v.Notes, "\n"))
	}
	return b.String()
}

// write prints the table, puts it into the files that were asked for, and gives an
// error if a promise fails.
func (v *verdict) write(out io.Writer, o outputs) error {
	fmt.Fprint(out, v.markdown())
	if o.markdownFile != "" {
		if err := os.WriteFile(o.markdownFile, []byte(v.markdown()), 0o644); err != nil {
			return err
		}
	}
	if o.jsonFile != "" {
		data, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.jsonFile, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	if len(v.Checks) == 0 {
		return errors.New("no promise was looked at")
	}
	failed := 0
	for _, c := range v.Checks {
		if !c.OK {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d promises fail", failed, len(v.Checks))
	}
	return nil
}
