package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gateway"
)

// KeyStore is where keys are kept. It is satisfied by ledger.Keys.
type KeyStore interface {
	All(ctx context.Context) ([]gateway.Key, error)
	Find(ctx context.Context, name string) (gateway.Key, error)
	Create(ctx context.Context, team bool, c gateway.KeyChange, now time.Time) (gateway.Key, string, error)
	Set(ctx context.Context, name string, c gateway.KeyChange, now time.Time) (gateway.Key, error)
	Rotate(ctx context.Context, name string, overlap time.Duration, now time.Time) (gateway.Key, string, error)
	Revoke(ctx context.Context, name string, now time.Time) (gateway.Key, error)
}

// AdminConfig is what the administration is given. Token and Keys are required.
type AdminConfig struct {
	Token string
	Keys  KeyStore
	// Account tells what stands on an account; nil: not known.
	Account func(gateway.Account) (gateway.AccountState, error)
	Pprof   bool // serve /debug/pprof
}

// shortestToken is the least that a token for the administration has.
const shortestToken = 16

// admin is the administration. It is served on a listener of its own, never beside the
// routes of clients: no mistake in a route can make a client an administrator.
type admin struct {
	*Server
	cfg   AdminConfig
	token [sha256.Size]byte
}

// Admin makes the administration as an http.Handler.
func (s *Server) Admin(cfg AdminConfig) (http.Handler, error) {
	if len(cfg.Token) < shortestToken {
		return nil, errors.New("the token of the administration needs at least 16 characters")
	}
	if cfg.Keys == nil {
		return nil, errors.New("api: the administration needs the store of keys")
	}
	a := &admin{Server: s, cfg: cfg, token: sha256.Sum256([]byte(cfg.Token))}
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.Use(s.observe, a.authenticate) // also for what is not there
	e.NoRoute(func(c *gin.Context) { s.failAs(c, http.StatusNotFound, "not_found", "There is no such route.") })
	e.NoMethod(func(c *gin.Context) {
		s.failAs(c, http.StatusMethodNotAllowed, "method_not_allowed", "The route does not take this method.")
	})
	g := e.Group("/admin")
	g.GET("/keys", a.list)
	g.POST("/keys", a.create)
	g.GET("/keys/:key", a.show)
	g.PATCH("/keys/:key", a.change)
	g.DELETE("/keys/:key", a.revoke)
	g.POST("/keys/:key/rotate", a.rotate)
	g.GET("/spend", a.spend)
	g.GET("/requests/:id", s.request)
	g.GET("/providers", s.providers)
	g.GET("/room", func(c *gin.Context) { s.writeJSON(c, s.Room()) })
	if cfg.Pprof {
		e.Any("/debug/pprof/*profile", profile)
	}
	return e, nil
}

// authenticate compares hashes in constant time, so that neither a byte nor the length
// of the token shows in how long it takes.
func (a *admin) authenticate(c *gin.Context) {
	scheme, rest, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(rest)))
	if subtle.ConstantTimeCompare(got[:], a.token[:]) != 1 || !strings.EqualFold(scheme, "Bearer") {
		a.fail(c, gateway.Errorf(gateway.Unauthorized, "The administration needs its own token: Authorization: Bearer TOKEN."))
		return
	}
	event(c).key = "admin"
}

func profile(c *gin.Context) {
	switch strings.TrimPrefix(c.Param("profile"), "/") {
	case "cmdline":
		pprof.Cmdline(c.Writer, c.Request)
	case "profile":
		pprof.Profile(c.Writer, c.Request)
	case "symbol":
		pprof.Symbol(c.Writer, c.Request)
	case "trace":
		pprof.Trace(c.Writer, c.Request)
	default:
		pprof.Index(c.Writer, c.Request)
	}
}

// shown is a key with what stands on its account.
func (a *admin) shown(k *gateway.Key) KeyInfo {
	info := ShowKey(k, time.Now())
	if a.cfg.Account == nil || !k.Budget.Limited {
		return info
	}
	if st, err := a.cfg.Account(gateway.Account{ID: k.ID, Budget: k.Budget}); err == nil {
		account := accountInfo(st)
		info.Account = &account
	}
	return info
}

// secretInfo is a key with the secret that is seen this once.
type secretInfo struct {
	KeyInfo `json:",inline"`
	Secret  string `json:"secret,omitempty"`
}

func (a *admin) list(c *gin.Context) {
	keys, err := a.cfg.Keys.All(c.Request.Context())
	if err != nil {
		a.fail(c, err)
		return
	}
	all := c.Query("all") != "" && c.Query("all") != "0"
	answer := struct {
		Keys []KeyInfo `json:"keys"`
	}{[]KeyInfo{}}
	for i := range keys {
		if all || keys[i].Revoked.IsZero() {
			answer.Keys = append(answer.Keys, a.shown(&keys[i]))
		}
	}
	a.writeJSON(c, answer)
}

func (a *admin) show(c *gin.Context) {
	key, err := a.cfg.Keys.Find(c.Request.Context(), c.Param("key"))
	a.answer(c, &key, "", err)
}

func (a *admin) create(c *gin.Context) {
	wish, team, err := a.wish(c)
	if err != nil {
		a.fail(c, err)
		return
	}
	key, secret, kerr := a.cfg.Keys.Create(c.Request.Context(), team != nil && *team, wish, time.Now())
	a.answer(c, &key, secret, kerr)
}

func (a *admin) change(c *gin.Context) {
	wish, team, err := a.wish(c)
	if err == nil && team != nil {
		err = field("team", "\"team\" cannot be changed: a key does not become a team, nor a team a key.")
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	key, kerr := a.cfg.Keys.Set(c.Request.Context(), c.Param("key"), wish, time.Now())
	a.answer(c, &key, "", kerr)
}

func (a *admin) wish(c *gin.Context) (gateway.KeyChange, *bool, *gateway.Error) {
	body, err := a.readBody(c)
	if err != nil {
		return gateway.KeyChange{}, nil, err
	}
	return ParseKeyWish(body)
}

func (a *admin) revoke(c *gin.Context) {
	key, err := a.cfg.Keys.Revoke(c.Request.Context(), c.Param("key"), time.Now())
	a.answer(c, &key, "", err)
}

// overlap is how long the old secret of a rotated key is still taken: "24h", "7d".
type overlap time.Duration

func (o *overlap) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var text string
	if err := json.UnmarshalDecode(dec, &text); err != nil {
		return err
	}
	length, ok := ParseDays(text)
	if !ok {
		return errors.New("want a length of time such as 24h or 7d")
	}
	*o = overlap(length)
	return nil
}

func (a *admin) rotate(c *gin.Context) {
	w := struct {
		Overlap overlap `json:"overlap"`
	}{overlap(24 * time.Hour)}
	body, err := a.readBody(c)
	if err == nil && len(body) > 0 {
		err = decodeStrict(body, &w)
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	key, secret, kerr := a.cfg.Keys.Rotate(c.Request.Context(), c.Param("key"), time.Duration(w.Overlap), time.Now())
	a.answer(c, &key, secret, kerr)
}

func (a *admin) answer(c *gin.Context, key *gateway.Key, secret string, err error) {
	if err != nil {
		a.fail(c, err)
		return
	}
	c.Header("Cache-Control", "no-store")
	a.writeJSON(c, secretInfo{a.shown(key), secret})
}

// spend is GET /admin/spend: everybody's, or with ?key= or ?team= somebody's.
func (a *admin) spend(c *gin.Context) {
	q, err := spendQuery(c.Request.URL.Query(), time.Now())
	if err != nil {
		a.fail(c, err)
		return
	}
	a.writeSpend(c, q, nil)
}
