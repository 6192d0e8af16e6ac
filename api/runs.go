package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"gateway"
)

// Runs are the agents' runs. A run belongs to the key that began it.
type Runs interface {
	// Enter counts a request of a run, which begins with it if it is new. It gives the
	// account to book to and when the run's time is over; zero for never. leave must be
	// called when the request has ended.
	Enter(ctx context.Context, key, run string, caps gateway.RunCaps) (account gateway.Account, until time.Time, leave func(), err error)
	// State is what is known of a run; false if the key has none of that name.
	State(ctx context.Context, key, run string) (gateway.RunState, bool, error)
	// Stop ends a run for good, and its requests in flight with err.
	Stop(ctx context.Context, key, run string, err *gateway.Error) (bool, error)
}

// readRun reads the run that a request is a step of.
func (s *Server) readRun(h http.Header, req *gateway.Request) *gateway.Error {
	req.Run = h.Get("X-Gateway-Run")
	o := &req.Options.RunCaps
	switch {
	case req.Run == "" && *o != gateway.RunCaps{}:
		return badHeader("x-gateway-run", "caps of a run need its id")
	case req.Run != "" && !saneID(req.Run):
		return badHeader("x-gateway-run", "want up to 128 letters, digits, dots, dashes and underscores")
	case req.Run != "" && s.cfg.Runs == nil:
		return badHeader("x-gateway-run", "runs are not kept here")
	}
	return nil
}

func badHeader(name, want string) *gateway.Error {
	err := gateway.Errorf(gateway.Invalid, "header %s: %s", name, want)
	err.Param = name
	return err
}

// enterRun counts a request against its run, and bounds it by what is left of the run's
// time. The context ends with the answer, streams included.
func (s *Server) enterRun(c *gin.Context, req *gateway.Request) error {
	if req.Run == "" {
		return nil
	}
	ctx := contextOf(c)
	account, until, leave, err := s.cfg.Runs.Enter(ctx, req.Key, req.Run, req.Options.RunCaps)
	if err != nil {
		return err
	}
	event(c).ends = append(event(c).ends, leave)
	req.Accounts = append(req.Accounts, account)
	if until.IsZero() {
		return nil
	}
	over := gateway.Errorf(gateway.BudgetExceeded, "the time of run %s is over", req.Run)
	ctx, cancel := context.WithDeadlineCause(ctx, until, over)
	event(c).ends = append(event(c).ends, func() { cancel() })
	event(c).ctx = ctx
	return nil
}

type runInfo struct {
	ID      string     `json:"id"`
	Begun   time.Time  `json:"begun"`
	Stopped *time.Time `json:"stopped"`
	Calls   int        `json:"calls"`
	// Amounts are microcents. Unsure is what attempts without an exact bill may have cost
	// beyond their estimates.
	Spent      int64 `json:"spent_microcents"`
	Held       int64 `json:"held_microcents"`
	Unsure     int64 `json:"unsure_microcents"`
	MaxCost    int64 `json:"max_cost_microcents,omitempty"`
	MaxCalls   int   `json:"max_calls,omitempty"`
	MaxSeconds int64 `json:"max_seconds,omitempty"`
}

// run is GET /v1/runs/{id}.
func (s *Server) run(c *gin.Context) {
	if s.cfg.Runs == nil {
		s.noRun(c)
		return
	}
	r, known, err := s.cfg.Runs.State(c.Request.Context(), callerKey(c), c.Param("id"))
	switch {
	case err != nil:
		s.fail(c, err)
	case !known:
		s.noRun(c)
	default:
		s.writeJSON(c, infoOfRun(&r))
	}
}

func infoOfRun(r *gateway.RunState) runInfo {
	info := runInfo{ID: r.ID, Begun: r.Begun, Calls: r.Calls, Spent: int64(r.Account.Spent), Held: int64(r.Account.Held),
		Unsure: int64(r.Account.Unsure), MaxCost: int64(r.Caps.MaxCost), MaxCalls: r.Caps.MaxCalls, MaxSeconds: int64(r.Caps.MaxTime / time.Second)}
	if !r.Stopped.IsZero() {
		info.Stopped = &r.Stopped
	}
	return info
}

// stopRun is DELETE /v1/runs/{id}: the kill switch. Requests in flight end at once.
func (s *Server) stopRun(c *gin.Context) {
	if s.cfg.Runs == nil {
		s.noRun(c)
		return
	}
	known, err := s.cfg.Runs.Stop(c.Request.Context(), callerKey(c), c.Param("id"), gateway.Errorf(gateway.BudgetExceeded, "the run was stopped"))
	switch {
	case err != nil:
		s.fail(c, err)
	case !known:
		s.noRun(c)
	default:
		s.run(c)
	}
}

func (s *Server) noRun(c *gin.Context) {
	s.failAs(c, http.StatusNotFound, "run_not_found", "There is no such run.")
}

// callerKey is the id of the client's key; "" when nobody is asked for one.
func callerKey(c *gin.Context) string {
	if who := event(c).caller; who != nil {
		return who.key.ID
	}
	return ""
}
