package breaker

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestQueueIsFairByKey(t *testing.T) {
	var q Queue[string]
	for i := range 60 {
		q.Push("noisy", 1000, fmt.Sprint("noisy", i), false)
	}
	for i := range 3 {
		q.Push("light", 1000, fmt.Sprint("light", i), false)
	}
	var first []string
	for range 8 {
		v, _ := q.Next()
		q.Take()
		first = append(first, v)
	}
	light := 0
	for _, v := range first {
		if v[0] == 'l' {
			light++
		}
	}
	if light != 3 {
		t.Errorf("first eight are %v, want all three of the light key among them", first)
	}
}

func TestQueueBoundsAKey(t *testing.T) {
	for forTime, most := range map[bool]int{false: laneMost, true: timeMost} {
		var q Queue[int]
		for i := range most {
			if !q.Push("k", 1, i, forTime) {
				t.Fatalf("for time %v: refused at %d", forTime, i)
			}
		}
		if q.Push("k", 1, 0, forTime) {
			t.Errorf("for time %v: took more than a key may have", forTime)
		}
		if !q.Push("other", 1, 0, forTime) {
			t.Errorf("for time %v: refused another key", forTime)
		}
	}
}

// Nothing is lost, doubled or reordered within a key, and no key is served more than
// one quantum ahead of another that waits.
func TestQueueProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q Queue[[2]int]
		next, served := map[int]int{}, map[int]int{}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "push") {
				k := rapid.IntRange(0, 3).Draw(t, "key")
				if q.Push(fmt.Sprint(k), rapid.IntRange(1, 5000).Draw(t, "cost"), [2]int{k, next[k]}, false) {
					next[k]++
				}
				continue
			}
			v, ok := q.Next()
			if !ok {
				continue
			}
			again, _ := q.Next()
			if again != v {
				t.Fatalf("Next is %v, then %v", v, again)
			}
			q.Take()
			if v[1] != served[v[0]] {
				t.Fatalf("key %d: got item %d, want %d", v[0], v[1], served[v[0]])
			}
			served[v[0]]++
		}
		left := 0
		for k := range next {
			left += next[k] - served[k]
		}
		if left != q.Len() {
			t.Fatalf("%d wait, Len says %d", left, q.Len())
		}
	})
}
