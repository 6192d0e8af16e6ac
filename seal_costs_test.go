package gateway

import (
	"runtime"
	"strings"
	"testing"
)

// A text of many dots is no seal, and costs nothing to find so.
func TestUnsealOfDots(t *testing.T) {
	dots := strings.Repeat(".", 1<<20)
	texts := []string{dots, SealMark + dots, SealMark + strings.Repeat(",", 1<<20)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, text := range texts {
		if _, ok := Unseal(text); ok {
			t.Error("dots are a seal")
		}
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<10 {
		t.Errorf("took %d bytes", took)
	}
}
