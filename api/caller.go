package api

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"gateway"
)

// members are the key and its team: the limits of both count.
func (c *caller) members() []*member { return c.both }

// words name a member in a refusal.
func (c *caller) words(m *member) string {
	if m == c.team {
		return "The team of the API key"
	}
	return "The API key"
}

// limit is the middleware of routes that spend: it counts the request against the key's
// limits, before its body is read, and gives it a context that ends when the key does.
func (s *Server) limit(c *gin.Context) {
	ev := event(c)
	if ev.caller == nil {
		return
	}
	ctx, cancel := context.WithCancelCause(c.Request.Context())
	r := &ev.count
	r.begun, r.cancel = time.Now(), cancel
	if err := ev.caller.enter(r, c.Writer.Header()); err != nil {
		cancel(nil)
		s.fail(c, err)
		return
	}
	ev.running = r
	// A key that was revoked between its look-up and here is seen now or by the next sweep.
	ev.ctx = ctx
}

// enter takes a place and a request of the minute from key and team, or from neither.
func (c *caller) enter(r *running, h map[string][]string) *gateway.Error {
	all := c.members()
	for i, m := range all {
		if !m.meter.enter(r, m.Parallel) {
			c.undo(r, all[:i])
			err := gateway.Errorf(gateway.KeyLimited, "%s is at its limit of %d requests at one time.", c.words(m), m.Parallel)
			err.RetryAfter = time.Second
			return err
		}
		if m.RPM <= 0 {
			continue
		}
		got := m.requests.take(r.begun, 1, m.RPM)
		rateHeaders(h, "Requests", m.RPM, got)
		if !got.ok {
			m.meter.leave(r)
			c.undo(r, all[:i])
			return limited(c.words(m), "requests", m.RPM, got.wait)
		}
	}
	for _, m := range all {
		if m.TPM <= 0 {
			continue
		}
		// Whether anything is left is known before the body is.
		got := m.tokens.take(r.begun, 0, m.TPM)
		rateHeaders(h, "Tokens", m.TPM, got)
		if got.left == 0 {
			c.undo(r, all)
			return limited(c.words(m), "tokens", m.TPM, got.reset-time.Minute+time.Duration(price(1, m.TPM)))
		}
	}
	return nil
}

func (c *caller) undo(r *running, all []*member) {
	for _, m := range all {
		m.meter.leave(r)
		if m.RPM > 0 {
			m.requests.give(1, m.RPM)
		}
	}
}

func (c *caller) leave(r *running) {
	for _, m := range c.members() {
		m.meter.leave(r)
	}
}

func limited(whose, what string, most int, wait time.Duration) *gateway.Error {
	wait = max(wait, time.Millisecond)
	err := gateway.Errorf(gateway.KeyLimited, "%s is at its limit of %d %s per minute. Try again in %s.", whose, most, what, wait.Round(time.Millisecond))
	err.RetryAfter = wait
	return err
}

// rateHeaders tells the tighter of the limits of key and team, in OpenAI's headers.
func rateHeaders(h map[string][]string, what string, limit int, got took) {
	name := "X-Ratelimit-Remaining-" + what
	if old := h[name]; len(old) > 0 {
		if n, err := strconv.Atoi(old[0]); err == nil && n <= got.left && got.ok {
			return
		}
	}
	h["X-Ratelimit-Limit-"+what] = []string{strconv.Itoa(limit)}
	h[name] = []string{strconv.Itoa(got.left)}
	h["X-Ratelimit-Reset-"+what] = []string{max(got.reset, 0).Round(time.Millisecond).String()}
}

// charge takes the tokens that a request is expected to use: its prompt, and its answer
// as far as the client bounded it. settle puts it right.
func (c *caller) charge(ev *wide, n int, h map[string][]string) *gateway.Error {
	for i, m := range c.members() {
		if m.TPM <= 0 {
			continue
		}
		got := m.tokens.take(time.Now(), n, m.TPM)
		rateHeaders(h, "Tokens", m.TPM, got)
		if !got.ok {
			for _, before := range c.members()[:i] {
				if before.TPM > 0 {
					before.tokens.give(n, before.TPM)
				}
			}
			return limited(c.words(m), "tokens", m.TPM, got.wait)
		}
	}
	ev.charged = n
	return nil
}

// settle gives back what was charged and not used, or takes what was used in addition.
func (c *caller) settle(ev *wide) {
	used := ev.charged
	switch {
	case ev.usage != nil:
		used = ev.usage.Total()
	case ev.answer == nil:
		used = 0 // nothing was answered
	}
	for _, m := range c.members() {
		if m.TPM > 0 && used != ev.charged {
			m.tokens.give(ev.charged-used, m.TPM)
		}
	}
}

// end ends the running requests that the key, as it is now, no longer allows.
func (c *caller) end(now time.Time) {
	gone := c.refusal(now)
	for _, r := range c.key.newest() {
		switch {
		case gone != nil:
			r.cancel(gone)
		case !c.stillAllowed(r):
			r.cancel(gateway.Errorf(gateway.Forbidden, "The API key may no longer use this model."))
		}
	}
	for _, m := range c.members() {
		m.trim(c.words(m))
	}
}

// trim ends the newest of the requests that are more than a lowered limit allows.
func (m *member) trim(words string) {
	all := m.newest()
	if m.Parallel <= 0 || len(all) <= m.Parallel {
		return
	}
	slices.SortFunc(all, func(a, b *running) int { return a.begun.Compare(b.begun) })
	for _, r := range all[m.Parallel:] {
		r.cancel(gateway.Errorf(gateway.KeyLimited, "%s may now have %d requests at one time.", words, m.Parallel))
	}
}

// stillAllowed asks of a request whose model is known.
func (c *caller) stillAllowed(r *running) bool {
	asked := r.asked.Load()
	if asked == nil {
		return true
	}
	var by *gateway.Model
	if a := r.by.Load(); a != nil {
		by = &gateway.Model{Provider: a.Provider, Name: a.Model}
	}
	for _, list := range c.allowed() {
		if by == nil && (*asked == "" || *asked == "auto" || *asked == "default") {
			continue // which of many it will be is not known yet
		}
		if !gateway.Allows(list, *asked, by) {
			return false
		}
	}
	return true
}

// allowed are the lists of models that bound a request.
func (c *caller) allowed() [][]string {
	var out [][]string
	for _, m := range c.members() {
		if m.Models != nil {
			out = append(out, m.Models)
		}
	}
	return out
}

// sign writes on a request whose it is and what bounds it. What was signed before for the
// same key is replaced.
func (c *caller) sign(req *gateway.Request) {
	req.Key, req.Allowed = c.key.ID, c.allowed()
	req.Team, req.ModelMaps, req.Accounts = "", nil, nil
	tags := req.Tags
	if c.team != nil {
		req.Team = c.team.ID
		tags = over(tags, c.team.Tags)
	}
	req.Tags = over(tags, c.key.Tags)
	for _, m := range c.members() {
		if m.ModelMap != nil {
			req.ModelMaps = append(req.ModelMaps, m.ModelMap)
		}
		if m.Budget.Limited {
			req.Accounts = append(req.Accounts, gateway.Account{ID: m.ID, Budget: m.Budget, Clamp: m.Clamp || c.key.Clamp, Turn: c.turn})
		}
	}
}

// over lays tags over others.
func over(base, top map[string]string) map[string]string {
	if len(base) == 0 || len(top) == 0 {
		if len(top) > 0 {
			return top
		}
		return base
	}
	out := make(map[string]string, len(base)+len(top))
	for _, m := range []map[string]string{base, top} {
		for name, value := range m {
			out[name] = value
		}
	}
	return out
}

// readTags reads "env=prod,feature=search". The key's own tags win over a client's.
func readTags(text string) (map[string]string, *gateway.Error) {
	if text == "" {
		return nil, nil
	}
	tags := map[string]string{}
	for _, item := range strings.Split(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(item), "=")
		if _, twice := tags[name]; !ok || twice {
			err := gateway.Errorf(gateway.Invalid, "header x-gateway-tags: want name=value pairs with commas between them, each name once")
			err.Param = "x-gateway-tags"
			return nil, err
		}
		tags[name] = value
	}
	return tags, gateway.CheckTags("x-gateway-tags", tags)
}

// route asks the router, in the name and within the limits of the key.
func (s *Server) route(c *gin.Context, req *gateway.Request) (*gateway.Answer, error) {
	ev := event(c)
	if who := ev.caller; who != nil {
		if err := who.charge(ev, req.PromptBytes/4+4*req.Messages+req.MaxTokens, c.Writer.Header()); err != nil {
			return nil, err
		}
		if ev.running != nil {
			ev.running.asked.Store(&req.Model)
			req.End = ev.running.cancel
		}
		// The key may have changed while the body came. Whoever changes it later ends what runs.
		if now := s.cfg.Keys.present(who); now != who {
			now.sign(req)
		}
	}
	if err := s.enterOnce(c, req); err != nil {
		return nil, err
	}
	if err := s.enterRun(c, req); err != nil {
		return nil, err
	}
	answer, err := s.router.Route(contextOf(c), req)
	if err == nil && ev.running != nil {
		ev.running.by.Store(answer)
	}
	return answer, s.orCause(c, err)
}

// orCause replaces "the client left" by our own reason for ending the request.
func (s *Server) orCause(c *gin.Context, err error) error {
	if err == nil || gateway.KindOf(err) != gateway.Canceled {
		return err
	}
	if own, ok := context.Cause(contextOf(c)).(*gateway.Error); ok {
		return own
	}
	return err
}
