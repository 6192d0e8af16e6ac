package actors

import (
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"
)

// An actor system with few actors is small, and all that were in its registry are found.
func TestRegistryIsSmall(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	sys := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	defer sys.Shutdown()
	known := map[string]actor.Process{}
	for _, table := range sys.ProcessRegistry.LocalPIDs.LocalPIDs {
		for id, process := range table.Items() {
			known[id] = process.(actor.Process)
		}
	}
	if len(known) == 0 {
		t.Fatal("nothing is registered at the beginning")
	}
	lessen(sys.ProcessRegistry)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if took := int64(after.HeapObjects) - int64(before.HeapObjects); took > 2000 {
		t.Errorf("an actor system takes %d objects, want at most 2,000", took)
	}
	if took := int64(after.HeapAlloc) - int64(before.HeapAlloc); took > 500<<10 {
		t.Errorf("an actor system takes %d KiB, want at most 500", took>>10)
	}
	for id, process := range known {
		if found, ok := sys.ProcessRegistry.GetLocal(id); !ok || found != process {
			t.Errorf("%s is found as %v, %v", id, found, ok)
		}
	}
	pid := sys.Root.Spawn(actor.PropsFromFunc(func(actor.Context) {}))
	if _, ok := sys.ProcessRegistry.GetLocal(pid.Id); !ok {
		t.Error("an actor is not found")
	}
	if err := sys.Root.StopFuture(pid).Wait(); err != nil {
		t.Error(err)
	}
	if _, ok := sys.ProcessRegistry.GetLocal(pid.Id); ok {
		t.Error("an actor is found after its end")
	}
}

func TestTheSystemsRegistryIsSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := setup(t, nil, &fake{open: says("a", 0)})
		if n := len(s.actors.ProcessRegistry.LocalPIDs.LocalPIDs); n != 1 {
			t.Errorf("the registry has %d tables", n)
		}
		if _, err := s.Route(t.Context(), ask("r", false)); err != nil {
			t.Error(err)
		}
		stopped(t, s)
	})
}
