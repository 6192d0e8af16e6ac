package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"gateway"
)

// Router serves requests. It is satisfied by actors.System.
type Router interface {
	// Route returns the one answer or the one *gateway.Error. The answer's Stream must
	// be read to its end or closed.
	Route(ctx context.Context, req *gateway.Request) (*gateway.Answer, error)
	Status() []gateway.ProviderStatus
}

// Catalog tells which models there are.
type Catalog interface {
	Models() []*gateway.Model
	// Resolve gives the models that a name stands for after the configuration's own map of
	// names; pinned says that it names one model of one provider.
	Resolve(asked string) (models []*gateway.Model, pinned bool, err error)
}

// Books reads what was spent.
type Books interface {
	Spend(ctx context.Context, q gateway.SpendQuery) ([]gateway.SpendLine, error)
	Request(ctx context.Context, id string) ([]gateway.Entry, error)
}

// Config of the edge. The zero value is usable: no keys, defaults everywhere.
type Config struct {
	Keys      *Keys         // nil: no key is asked for
	BodyLimit int64         // bytes; 0: 10 MiB
	KeepAlive time.Duration // of silence before a comment is sent on a stream; 0: 12 s
	WriteWait time.Duration // for one write to a slow client; 0: 30 s
	Log       *slog.Logger  // nil: discards
	// Memory is how many bytes requests may hold at once, their bodies weighed several
	// times; what does not fit gets 503. 0: no limit.
	Memory int64
	// MostWait is how long a request may wait to be read while the machine has more to do
	// than it can; then it is refused. 0: none waits or is refused for that. See Enter.
	MostWait time.Duration
	// Runs are the agents' runs; nil: none are kept.
	Runs Runs
	// Account says what stands on an account; nil: budgets are not shown.
	Account func(gateway.Account) (gateway.AccountState, error)
	// Repeats heed the Idempotency-Key of a request; nil: it is not heeded.
	Repeats Repeats
	// Ledger says whether the books can be written, for /health; nil: it does not say.
	Ledger func() gateway.LedgerStatus
}

// Server is the edge as an http.Handler.
type Server struct {
	cfg     Config
	router  Router
	catalog Catalog
	books   Books
	log     *slog.Logger
	engine  *gin.Engine
	unready atomic.Bool

	budget   *budget
	door     *door
	away     *gin.Engine // answers who was not let in
	refusals refusals
}

// New makes the edge. Router, Catalog and Books are required.
func New(cfg Config, router Router, catalog Catalog, books Books) (*Server, error) {
	if router == nil || catalog == nil || books == nil {
		return nil, errors.New("api: router, catalog and books are required")
	}
	if cfg.BodyLimit == 0 {
		cfg.BodyLimit = 10 << 20
	}
	if cfg.KeepAlive == 0 {
		cfg.KeepAlive = 12 * time.Second
	}
	if cfg.WriteWait == 0 {
		cfg.WriteWait = 30 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, router: router, catalog: catalog, books: books, log: cfg.Log,
		budget: newBudget(cfg.Memory), door: newDoor(cfg.MostWait)}
	s.routes()
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// SetReady says what /readyz answers; it starts ready.
func (s *Server) SetReady(ready bool) { s.unready.Store(!ready) }

// Close is called when the gateway takes no more connections. From then on nobody waits to
// come in: who would have to is refused, and asks another gateway.
func (s *Server) Close() { s.door.close() }

func (s *Server) routes() {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false // a path that is not ours leads nowhere, with or without a key
	e.Use(s.observe)
	e.NoRoute(func(c *gin.Context) {
		s.failAs(c, http.StatusNotFound, "not_found", "There is no such route.")
	})
	e.NoMethod(func(c *gin.Context) {
		s.failAs(c, http.StatusMethodNotAllowed, "method_not_allowed", "The route does not take this method.")
	})
	s.away = gin.New()
	s.away.Use(s.observe)
	s.away.NoRoute(func(c *gin.Context) { s.refuse(c, &s.refusals.overload) })
	for _, prefix := range []string{"", "/api/v1.0"} {
		open, paid := e.Group(prefix), e.Group(prefix, s.authenticate, s.admit, s.limit)
		open.GET("/health", s.health)
		paid.POST("/classify", s.classify)
		paid.POST("/plan", s.plan)
		paid.POST("/embed", s.embed)
	}
	for _, prefix := range []string{"/v1", "/api/v1.0"} {
		g := e.Group(prefix, s.authenticate)
		g.GET("/models", s.models)
		g.GET("/models/*id", s.model)
		g.GET("/spend", s.spend)
		g.GET("/providers", s.providers)
		g.GET("/requests/:id", s.request)
		g.GET("/runs/:id", s.run)
		g.DELETE("/runs/:id", s.stopRun)
	}
	s.speak(e)
	e.HEAD("/", func(c *gin.Context) { c.Status(http.StatusOK) }) // agents look whether somebody is there
	e.GET("/livez", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	e.GET("/readyz", s.ready)
	s.engine = e
}

func (s *Server) ready(c *gin.Context) {
	if s.unready.Load() {
		c.String(http.StatusServiceUnavailable, "draining\n")
		return
	}
	if s.cfg.Ledger != nil && s.cfg.Ledger().Full { // nobody is served
		c.String(http.StatusServiceUnavailable, "too many rows wait for the books\n")
		return
	}
	c.String(http.StatusOK, "ok\n")
}
