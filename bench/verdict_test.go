package main

import (
	"io"
	"testing"
)

// A verdict on nothing, as of a load that was named wrongly, is none that all is well.
func TestVerdictOnNothingFails(t *testing.T) {
	v := newVerdict("test")
	if err := v.write(io.Discard, outputs{}); err == nil {
		t.Error("nothing was checked, and that is well")
	}
	v.add(true, "a", "b", "%d", 1)
	if err := v.write(io.Discard, outputs{}); err != nil {
		t.Error(err)
	}
	v.add(false, "a", "b", "%d", 2)
	if err := v.write(io.Discard, outputs{}); err == nil {
		t.Error("a promise fails, and that is well")
	}
}
