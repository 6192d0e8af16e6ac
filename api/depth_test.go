package api

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// nested is an object whose innermost array or object is at this depth.
func nested(depth int, open, shut, inner string) string {
	return `{"messages":[{"role":"user","content":"x"}],"metadata":` + strings.Repeat(open, depth-1) + inner + strings.Repeat(shut, depth-1) + `}`
}

func TestDepthIsBounded(t *testing.T) {
	for _, form := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		for _, inner := range []string{"1", `"]]]]{{{{"`} {
			for depth, ok := range map[int]bool{2: true, mostDepth - 1: true, mostDepth: true, mostDepth + 1: false, 200: false, 20_000: false} {
				_, err := parse([]byte(nested(depth, form[0], form[1], inner)))
				if (err == nil) != ok {
					t.Errorf("depth %d of %s…%s: %v, want taken %v", depth, form[0], form[1], err, ok)
				}
				if !ok && err != nil && !strings.Contains(err.Message, fmt.Sprint(mostDepth)) {
					t.Errorf("depth %d: %q does not say the limit", depth, err.Message)
				}
			}
		}
	}
}

// Both readers agree on what is too deep: the quick one never takes more.
func TestDepthIsTheSameForBothReaders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		b.WriteString(`{"a":`)
		depth := rapid.IntRange(1, 80).Draw(t, "depth")
		var shut []string
		for range depth {
			if rapid.Bool().Draw(t, "object") {
				b.WriteString(`{"k\"[":`)
				shut = append(shut, "}")
			} else {
				b.WriteString("[")
				shut = append(shut, "]")
			}
		}
		b.WriteString("1")
		for i := len(shut) - 1; i >= 0; i-- {
			b.WriteString(shut[i])
		}
		raw := []byte(b.String() + "}")
		_, quick := quickly(nil, raw)
		_, err := carefully(raw)
		if quick && err != nil || (err == nil) != (depth+1 <= mostDepth) {
			t.Fatalf("depth %d: quickly %v, carefully %v", depth+1, quick, err)
		}
	})
}
