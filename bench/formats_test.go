package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// A provider whose streams cost more than is wanted makes the command fail, and is named.
func TestFormatsThatCostTooMuch(t *testing.T) {
	f := &formats{streams: 10, rounds: 1, most: 1.5}
	spent := make([][]time.Duration, len(formatScenes))
	for n := range spent {
		for range formatSides {
			spent[n] = append(spent[n], time.Second)
		}
	}
	var out bytes.Buffer
	if err := f.report(&out, spent); err != nil || !strings.Contains(out.String(), "relayed") {
		t.Errorf("%v\n%s", err, out.String())
	}
	history := len(formatScenes) - 1
	spent[history][3] = 2 * time.Second
	out.Reset()
	if err := f.report(&out, spent); err != nil || !strings.Contains(out.String(), "2.00") || !strings.Contains(out.String(), formatScenes[history].name+" have no bar") {
		t.Errorf("a long history: %v\n%s", err, out.String())
	}
	spent[1][3] = 1600 * time.Millisecond
	if err := f.report(&out, spent); err == nil || !strings.Contains(err.Error(), formatScenes[1].name+": a stream of "+formatSides[3].kind.String()) || strings.Contains(err.Error(), formatSides[2].kind.String()+" costs") {
		t.Errorf("%v", err)
	}
}
