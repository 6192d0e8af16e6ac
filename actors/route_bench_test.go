package actors

import (
	"context"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"

	"gateway"
	"gateway/route"
)

// benchBooks answer from a goroutine of their own, as those that write a journal do.
type benchBooks struct{ todo chan func() }

func (b *benchBooks) Begin(context.Context, *gateway.Outset) error {
	done := make(chan struct{}, 1)
	b.todo <- func() { done <- struct{}{} }
	<-done
	return nil
}
func (b *benchBooks) Failing() error { return nil }
func (b *benchBooks) Full() error    { return nil }
func (b *benchBooks) Submit(_ gateway.Entry, _ gateway.Hold, _ gateway.Microcents, done func(error)) {
	b.todo <- func() { done(nil) }
}

// benchHolds have room for everything.
type benchHolds struct{}

func (benchHolds) Prepare([]gateway.Account) error                    { return nil }
func (benchHolds) Look(gateway.Ask) *gateway.Shortage                 { return nil }
func (benchHolds) Hold(gateway.Ask) (gateway.Hold, *gateway.Shortage) { return gateway.Hold{}, nil }
func (benchHolds) Release(gateway.Hold) bool                          { return true }
func (benchHolds) Refused(*gateway.Shortage)                          {}

// cpuTime is what this process has used, in nanoseconds.
func cpuTime() int64 {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// What a request costs between the handler and the provider's adapter: plan, walk, actors,
// books, with accounts and three candidates, and a provider that answers at once.
func BenchmarkRoute(b *testing.B) {
	for _, kind := range []string{"whole", "stream"} {
		b.Run(kind, func(b *testing.B) {
			books := &benchBooks{todo: make(chan func(), 64)}
			go func() { // ends when todo is closed
				for f := range books.todo {
					f()
				}
			}()
			cfg := Config{Books: books, Holds: benchHolds{}, Times: route.Default(),
				Estimate: Estimate{Prompt: func(n, _, _ int) int { return n / 4 }}}
			var models catalog
			for i := range 3 {
				name := string(rune('a' + i))
				m := model(name, gateway.Picodollars(100_000*(i+1)))
				models = append(models, m)
				up := &fake{open: says("hello", 0)}
				cfg.Providers = append(cfg.Providers, Provider{Name: name, Kind: "fake", Default: m, Upstream: up, Models: []*gateway.Model{m}})
			}
			cfg.Catalog = models
			s, err := Start(cfg)
			if err != nil {
				b.Fatal(err)
			}
			var n atomic.Int64
			path := []gateway.Account{{ID: "global"}, {ID: "key:k"}}
			b.ReportAllocs()
			before := cpuTime()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					req := &gateway.Request{ID: "r" + strconv.FormatInt(n.Add(1), 10), Key: "k", Accounts: path,
						Stream: kind == "stream", PromptBytes: 400, Messages: 1, MaxTokens: 60}
					answer, err := s.Route(b.Context(), req)
					if err != nil {
						b.Fatal(err)
					}
					if answer.Stream != nil {
						for err == nil {
							_, err = answer.Stream.Next()
						}
						answer.Stream.Close()
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
			s.Stop(b.Context())
			close(books.todo)
		})
	}
}
