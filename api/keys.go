package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/gin-gonic/gin"

	"gateway"
)

// Keys are the client keys that are let in. Only hashes are kept.
type Keys struct {
	byHash map[[sha256.Size]byte]string // to the key's id
}

// NewKeys takes keys in the clear, separated by commas or white space, each with an
// optional name before a colon ("team-a:secret"). Its error never holds a key.
func NewKeys(list string) (*Keys, error) {
	k := &Keys{byHash: map[[sha256.Size]byte]string{}}
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
	return nil
}

func (k *Keys) add(hash [sha256.Size]byte, name string) {
	if name == "" {
		name = hex.EncodeToString(hash[:4])
	}
	k.byHash[hash] = name
}

// Len is how many keys there are.
func (k *Keys) Len() int { return len(k.byHash) }

// find gives the id of a key. It compares the hash of what was sent with every hash, each
// in constant time, so that how long it takes says nothing about how near a guess was.
func (k *Keys) find(secret string) (id string, ok bool) {
	hash := sha256.Sum256([]byte(secret))
	for h, name := range k.byHash {
		if subtle.ConstantTimeCompare(h[:], hash[:]) == 1 {
			id, ok = name, true
		}
	}
	return id, ok
}

// authenticate lets a request in that carries a known key, by the matched route.
func (s *Server) authenticate(c *gin.Context) {
	if s.cfg.Keys == nil {
		return
	}
	secret := c.GetHeader("x-api-key")
	if auth := c.GetHeader("Authorization"); auth != "" {
		scheme, rest, ok := strings.Cut(auth, " ")
		if ok && strings.EqualFold(scheme, "Bearer") {
			secret = strings.TrimSpace(rest)
		}
	}
	if secret == "" {
		s.fail(c, gateway.Errorf(gateway.Unauthorized, "An API key is required: Authorization: Bearer KEY, or x-api-key."))
		return
	}
	id, ok := s.cfg.Keys.find(secret)
	if !ok {
		s.fail(c, gateway.Errorf(gateway.Unauthorized, "The API key is not known."))
		return
	}
	event(c).key = id
}
