package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"gateway"
)

// Keys are the client keys that are let in: those of the environment, which are fixed,
// and those of the store, which Set replaces while requests run. Only hashes are kept.
type Keys struct {
	ring atomic.Pointer[ring] // what requests read: never changed, only replaced

	mu     sync.Mutex
	fixed  map[[sha256.Size]byte]*gateway.Key
	turn   int64             // of the newest ring
	meters map[string]*meter // by key id; they outlive a ring
}

// ring is the keys of one moment.
type ring struct {
	byHash map[[sha256.Size]byte]*entry
	byKey  map[string]*caller // by key id
	asked  bool               // there are keys, so everybody needs one
}

// entry is one secret and whose it is.
type entry struct {
	hash   [sha256.Size]byte
	until  time.Time // zero: as long as the key
	caller *caller
}

// caller is a key with the team that it belongs to.
type caller struct {
	key, team *member // team is nil for none
	both      []*member
	turn      int64 // of the ring
}

func newCaller(key, team *member, turn int64) *caller {
	c := &caller{key: key, team: team, both: []*member{key}, turn: turn}
	if team != nil {
		c.both = append(c.both, team)
	}
	return c
}

// member is a key or a team with the count of what it does now.
type member struct {
	*gateway.Key
	*meter
}

// NewKeys takes keys in the clear, separated by commas or white space, each with an
// optional name before a colon ("team-a:secret"). Its error never holds a key.
func NewKeys(list string) (*Keys, error) {
	k := &Keys{fixed: map[[sha256.Size]byte]*gateway.Key{}, meters: map[string]*meter{}}
	for i, item := range strings.FieldsFunc(list, separator) {
		name, secret, named := strings.Cut(item, ":")
		if !named {
			name, secret = "", item
		}
		if len(secret) < 8 {
			return nil, fmt.Errorf("client key %d is shorter than 8 characters", i+1)
		}
		k.add(sha256.Sum256([]byte(secret)), name)
	}
	k.Set(nil, nil)
	return k, nil
}

func separator(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' }

// ParseHashes reads lines of "hex-sha256 [name]"; # begins a comment.
func (k *Keys) ParseHashes(text string) error {
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		raw, err := hex.DecodeString(fields[0])
		if err != nil || len(raw) != sha256.Size {
			return fmt.Errorf("line %d: want the SHA-256 of a key as 64 hex digits", i+1)
		}
		k.add([sha256.Size]byte(raw), strings.Join(fields[1:], " "))
	}
	k.Set(nil, nil)
	return nil
}

func (k *Keys) add(hash [sha256.Size]byte, name string) {
	if name == "" {
		name = hex.EncodeToString(hash[:4])
	}
	k.fixed[hash] = &gateway.Key{ID: name, Alias: name}
}

// Len is how many secrets are known.
func (k *Keys) Len() int { return len(k.ring.Load().byHash) }

// Asked says whether clients need a key: whether any was ever made.
func (k *Keys) Asked() bool { return k.ring.Load().asked }

// Set replaces the keys of the store. Requests that begin afterwards see the new ones;
// those that run are ended where their key no longer allows them. The turn that it gives
// is higher each time; see gateway.Account.
func (k *Keys) Set(keys []gateway.Key, secrets []gateway.Secret) (turn int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turn++
	members := make(map[string]*member, len(keys))
	for i := range keys {
		members[keys[i].ID] = k.member(&keys[i])
	}
	r := &ring{byHash: make(map[[sha256.Size]byte]*entry, len(secrets)+len(k.fixed)), asked: len(keys)+len(k.fixed) > 0}
	for hash, key := range k.fixed {
		r.byHash[hash] = &entry{hash: hash, caller: newCaller(k.member(key), nil, k.turn)}
	}
	callers := map[string]*caller{}
	for _, s := range secrets {
		key := members[s.Key]
		if key == nil {
			continue
		}
		c := callers[s.Key]
		if c == nil {
			c = newCaller(key, members[key.Parent], k.turn)
			callers[s.Key] = c
		}
		r.byHash[s.Hash] = &entry{hash: s.Hash, until: s.Until, caller: c}
	}
	r.byKey = callers
	k.ring.Store(r)
	for _, c := range callers {
		c.end(time.Now())
	}
	return k.turn
}

// present is a caller as its key is now.
func (k *Keys) present(c *caller) *caller {
	if now := k.ring.Load().byKey[c.key.ID]; now != nil {
		return now
	}
	return c
}

// Sweep ends the running requests of keys that have expired. Call it every moment.
func (k *Keys) Sweep(now time.Time) {
	for _, e := range k.ring.Load().byHash {
		if e.caller.key.running() > 0 {
			e.caller.end(now)
		}
	}
}

func (k *Keys) member(key *gateway.Key) *member {
	m := k.meters[key.ID]
	if m == nil {
		m = &meter{}
		k.meters[key.ID] = m
	}
	return &member{key, m}
}

// nobody is compared with when no hash fits, so that an unknown key costs the same work.
var nobody = &entry{}

// find gives whose secret it is, without a lock or an allocation. The hash is looked up
// and then compared in constant time: how long it takes says nothing about how near a
// guess was, nor would it help, since nobody can choose what a guess hashes to.
func (k *Keys) find(secret string, now time.Time) (*caller, *gateway.Error) {
	var room [128]byte
	hash := sha256.Sum256(append(room[:0], secret...))
	e := k.ring.Load().byHash[hash]
	if e == nil {
		e = nobody
	}
	same := subtle.ConstantTimeCompare(e.hash[:], hash[:]) == 1
	switch {
	case !same || e.caller == nil:
		return nil, gateway.Errorf(gateway.Unauthorized, "The API key is not known.")
	case !e.until.IsZero() && !now.Before(e.until):
		return nil, gateway.Errorf(gateway.Unauthorized, "The API key was replaced by a new one and is no longer taken.")
	}
	return e.caller, e.caller.refusal(now)
}

// refusal is why the key lets nobody in at that time, nil if it does.
func (c *caller) refusal(now time.Time) *gateway.Error {
	switch {
	case !c.key.Revoked.IsZero():
		return gateway.Errorf(gateway.Unauthorized, "The API key was revoked.")
	case !c.key.Live(now):
		return gateway.Errorf(gateway.Unauthorized, "The API key has expired.")
	case c.team != nil && !c.team.Live(now):
		return gateway.Errorf(gateway.Unauthorized, "The team of the API key was revoked.")
	}
	return nil
}

// authenticate lets a request in that carries a known key, by the matched route.
func (s *Server) authenticate(c *gin.Context) {
	if s.cfg.Keys == nil || !s.cfg.Keys.Asked() {
		return
	}
	secret := secretOf(c.Request.Header)
	if secret == "" {
		s.fail(c, gateway.Errorf(gateway.Unauthorized, "An API key is required: Authorization: Bearer KEY, or x-api-key."))
		return
	}
	who, err := s.cfg.Keys.find(secret, time.Now())
	if who != nil {
		event(c).key = who.key.ID
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	event(c).caller = who
}
