package main

import (
	"bytes"
	"testing"
)

// A few cycles of the whole proof.
func TestKilledGatewayLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: builds, runs and kills the gateway")
	}
	var out bytes.Buffer
	err := run(t.Context(), []string{"kill", "--cycles", "3", "--torn", "2"}, &out)
	t.Log(out.String())
	if err != nil {
		t.Error(err)
	}
}
