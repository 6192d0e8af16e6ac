package main

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

func TestCollectorsPace(t *testing.T) {
	begun := time.Now()
	for _, c := range []struct {
		name           string
		live, gathered uint64
		took           time.Duration
		want           uint64
	}{
		{"at rest", 5 << 20, 24 << 20, time.Minute, leastSlack},
		{"at work", 5 << 20, 24 << 20, 500 * time.Millisecond, 96 << 20},
		{"hard at work", 5 << 20, 24 << 20, 50 * time.Millisecond, mostSlack},
		{"the next cycle then", 5 << 20, 192 << 20, 400 * time.Millisecond, mostSlack},
		{"large bodies", 400 << 20, 192 << 20, time.Second, 400 << 20},
		{"nothing at once", 0, 0, 0, leastSlack},
	} {
		last := cycle{at: begun, allocated: 7}
		if got := (cycle{at: begun.Add(c.took), allocated: 7 + c.gathered, live: c.live}).slack(last); got != c.want {
			t.Errorf("%s: %d bytes may gather, want %d", c.name, got, c.want)
		}
	}
	if got := (cycle{at: begun, allocated: 1 << 30, live: 1 << 20}).slack(cycle{}); got != leastSlack {
		t.Errorf("before the first cycle %d bytes may gather", got)
	}
	for _, c := range []struct {
		slack, looked uint64
		want          int
	}{{24 << 20, 6 << 20, 400}, {24 << 20, 24 << 20, 100}, {24 << 20, 48 << 20, leastGC}, {24 << 20, 1 << 20, 600}, {24 << 20, 0, 600}, {192 << 20, 5 << 20, mostGC}, {192 << 20, 32 << 20, 600}} {
		if got := percentFor(c.slack, c.looked); got != c.want {
			t.Errorf("%d over %d: GOGC %d, want %d", c.slack, c.looked, got, c.want)
		}
	}
}

// TestCollectorSeesAtOnceThatMoreIsLive: what may gather over 2 MiB live must not be counted
// over 100, however busy the processors are. It is looked at in a process of its own, which has
// no more live than that, and whose memory has a bound of its own where it goes wrong.
func TestCollectorSeesAtOnceThatMoreIsLive(t *testing.T) {
	const (
		own  = "GATEWAY_TEST_PACE"
		live = 100 << 20
		most = live + mostSlack + 60<<20
	)
	if os.Getenv(own) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), own+"=1", "GOMEMLIMIT=1GiB")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	paceCollector(func(string) (string, bool) { return "", false })
	for range 64 {
		go garbage() // ends with the process
	}
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/cycles/total:gc-cycles"}, {Name: "/memory/classes/heap/objects:bytes"}}
	read := func() (percent, cycles, heap uint64) {
		metrics.Read(s)
		return s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()
	}
	begun := time.Now()
	for percent := uint64(0); percent < mostGC; percent, _, _ = read() {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("GOGC is %d where as much garbage comes as can", percent)
		}
		time.Sleep(time.Millisecond)
	}
	var held [][]byte
	for range live >> 20 {
		held = append(held, make([]byte, 1<<20))
	}
	_, from, _ := read()
	for cycles := from; cycles < from+3; time.Sleep(time.Millisecond) {
		var heap uint64
		if _, cycles, heap = read(); heap > most {
			t.Fatalf("%d MiB, of which %d are live", heap>>20, live>>20)
		}
	}
	runtime.KeepAlive(held)
}

// garbage is made by one of many, each as long at work as a part of a request takes.
func garbage() {
	for {
		for begun := time.Now(); time.Since(begun) < 150*time.Microsecond; {
			for n := range 20 {
				runtime.KeepAlive(make([]byte, 200+16*n))
			}
		}
		runtime.Gosched()
	}
}
