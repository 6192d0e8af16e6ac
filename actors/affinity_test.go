package actors

import (
	"context"
	"io"
	"math"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"gateway"
)

// A conversation stays where its prompt is cached while that is cheaper, and goes back
// to the cheapest when the cache has gone cold.
func TestConversationStaysWithItsCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		first := &fake{open: func(ctx context.Context, call *gateway.Call) (gateway.Stream, error) {
			if broken {
				return nil, &gateway.Error{Kind: gateway.Unsupported, Status: 404}
			}
			return says("a", 0)(ctx, call)
		}}
		second := &fake{open: func(ctx context.Context, _ *gateway.Call) (gateway.Stream, error) {
			return &steps{ctx: ctx, end: io.EOF, chunks: []gateway.Chunk{{Text: "b"}, {Finish: "stop", Usage: &gateway.Usage{Fresh: 10_000, Output: 1, Reported: true}}}}, nil
		}}
		s, _ := setup(t, func(c *Config) { // b costs twice as much, and a tenth of a for what it has cached
			c.Providers[1].Default.Tariff.Base.CachedRead = 10_000
		}, first, second)
		turn := func(prefix uint64) string {
			req := ask("r", false)
			req.Prefix, req.PromptBytes, req.MaxTokens = prefix, 40_400, 10
			answer, err := s.Route(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			return answer.Provider
		}
		if got := turn(1); got != "b" {
			t.Fatalf("answered by %s, want b while a is broken", got)
		}
		broken = false
		if got := turn(1); got != "b" {
			t.Errorf("the next turn went to %s, want b, which holds its cache", got)
		}
		if got := turn(2); got != "a" {
			t.Errorf("another conversation went to %s, want the cheapest", got)
		}
		time.Sleep(cacheLife)
		if got := turn(1); got != "a" {
			t.Errorf("with a cold cache it went to %s, want the cheapest", got)
		}
		stopped(t, s)
	})
}

// What a busy gateway remembers of conversations is small, and keeps no request alive.
func TestAffinityIsSmall(t *testing.T) {
	const many = 2 * affinitySets * affinityWays
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var a affinity
	for i := range many {
		a.keep(conversation{key: "key", session: "a session of a client " + strconv.Itoa(i), prefix: 7}, held{prompt: i, at: time.Now()})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if took := int64(after.HeapAlloc) - int64(before.HeapAlloc); took > 600<<10 {
		t.Errorf("%d conversations take %d KiB, want at most 600", many, took>>10)
	}
	last := "a session of a client " + strconv.Itoa(many-1)
	if h, ok := a.find(conversation{key: "key", session: last, prefix: 7}, time.Now()); !ok || h.prompt != many-1 {
		t.Errorf("found %+v, %v", h, ok)
	}
	if _, ok := a.find(conversation{key: "other", session: last, prefix: 7}, time.Now()); ok {
		t.Error("found for another key")
	}
	if n := testing.AllocsPerRun(100, func() { a.keep(conversation{session: last}, held{at: time.Now()}) }); n > 0 {
		t.Errorf("to keep one takes %v allocations", n)
	}
}

// The last 16,000 conversations are kept but for a few, and the older ones give way.
func TestAffinityIsBounded(t *testing.T) {
	const many, last = 5 * affinitySets * affinityWays, 16_000
	var a affinity
	a.life = time.Hour
	now := time.Unix(1_800_000_000, 0)
	for i := range many {
		now = now.Add(10 * time.Millisecond)
		a.keep(conversation{prefix: uint64(i + 1)}, held{at: now})
	}
	old, young := 0, 0
	for i := range many {
		if _, ok := a.find(conversation{prefix: uint64(i + 1)}, now); ok && i < many-last {
			old++
		} else if ok {
			young++
		}
	}
	if young < last*95/100 || old+young > affinitySets*affinityWays {
		t.Errorf("%d of the last %d are kept, and %d older ones", young, last, old)
	}
}

// Of a full set the conversation gives way that was heard of least lately. One that is
// kept again takes no second place, and is the youngest then.
func TestAffinityForgetsTheOldestOfASet(t *testing.T) {
	var a affinity
	one, two := &gateway.Model{Name: "one"}, &gateway.Model{Name: "two"}
	now := time.Unix(1_800_000_000, 0)
	a.keep(conversation{prefix: 1}, held{model: one, at: now})
	all := neighbours(&a, conversation{prefix: 1}, affinityWays+2)
	next := func(c conversation, m *gateway.Model, prompt int) {
		now = now.Add(time.Second)
		a.keep(c, held{m, prompt, now})
	}
	for i, c := range all[:affinityWays] {
		next(c, one, i)
	}
	next(all[1], two, math.MaxInt)
	if h, ok := a.find(all[1], now); !ok || h.model != two || h.prompt != math.MaxInt32 || !h.at.Equal(now) {
		t.Errorf("the second is found as %+v, %v; its last answer was by the other model", h, ok)
	}
	for i, c := range all[:affinityWays] {
		if h, ok := a.find(c, now); !ok || i != 1 && (h.model != one || h.prompt != i) {
			t.Errorf("of %d, number %d is found as %+v, %v", affinityWays, i, h, ok)
		}
	}
	for _, c := range all[affinityWays:] {
		next(c, one, 0)
	}
	for i, c := range all {
		if _, ok := a.find(c, now); ok == (i == 0 || i == 2) {
			t.Errorf("number %d is found: %v; 0 and 2 were the oldest", i, ok)
		}
	}
	if _, ok := a.find(all[affinityWays+1], now.Add(cacheLife-time.Second)); !ok {
		t.Error("forgotten before its time")
	}
	if _, ok := a.find(all[affinityWays+1], now.Add(cacheLife)); ok {
		t.Error("kept beyond its time")
	}
}

// neighbours are so many conversations of one set, the given one first.
func neighbours(a *affinity, c conversation, n int) []conversation {
	want, _ := a.place(c)
	all := []conversation{c}
	for i := c.prefix + 1; len(all) < n; i++ {
		if set, _ := a.place(conversation{prefix: i}); set == want {
			all = append(all, conversation{prefix: i})
		}
	}
	return all
}
