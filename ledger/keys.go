package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gateway"
)

//go:embed schema_keys.sql
var keysFirst string

//go:embed schema_keys_2.sql
var keysSecond string

var keyMigrations = []string{keysFirst, keysSecond}

// Keys is the file of client keys. Several processes may use it at the same time: the
// command line writes it while a gateway serves. It is safe for concurrent use.
type Keys struct {
	db *sql.DB
}

// OpenKeys opens, or makes, the file of keys under a directory. Directory and file can
// be read by their owner only.
func OpenKeys(dir string) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the keys: %w", err)
	}
	path := filepath.Join(dir, "keys.db")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the keys: %w", err)
	}
	f.Close()
	// Transactions begin as writers, so that two processes wait for each other and never fail half-way.
	q := url.Values{"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=rw&"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("opening the keys: %w", err)
	}
	k := &Keys{db: db}
	if err := k.migrate(); err != nil {
		db.Close()
		return nil, err
	}
	return k, nil
}

// HaveKeys says whether there is a file of keys under a directory.
func HaveKeys(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "keys.db"))
	return !errors.Is(err, fs.ErrNotExist)
}

// Close closes the file.
func (k *Keys) Close() error { return k.db.Close() }

func (k *Keys) migrate() error {
	return k.change(context.Background(), "migrating the keys", func(tx *sql.Tx) error {
		var version int
		if err := tx.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		if version > len(keyMigrations) {
			return fmt.Errorf("they are of version %d, this program knows up to %d", version, len(keyMigrations))
		}
		for ; version < len(keyMigrations); version++ {
			if _, err := tx.Exec(keyMigrations[version] + fmt.Sprintf(";PRAGMA user_version = %d;", version+1)); err != nil {
				return err
			}
		}
		return nil
	})
}

// change does something in one transaction. What the caller did wrong keeps its kind.
func (k *Keys) change(ctx context.Context, what string, do func(tx *sql.Tx) error) error {
	tx, err := k.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	err = do(tx)
	if err := errors.Join(err, end(tx, err)); err != nil {
		var own *gateway.Error
		if errors.As(err, &own) {
			return own
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Create makes a key, or a team, and gives its secret: the only time that it is seen. A
// team has none. What is wrong with the wish is of kind Invalid.
func (k *Keys) Create(ctx context.Context, team bool, c gateway.KeyChange, now time.Time) (key gateway.Key, secret string, err error) {
	err = k.change(ctx, "creating a key", func(tx *sql.Tx) error {
		key = gateway.Key{ID: newID(team), Team: team, Created: second0(now)}
		if err := resolved(ctx, tx, &c); err != nil {
			return err
		}
		if err := key.Change(c, now); err != nil {
			return err
		}
		if err := aliasFree(ctx, tx, &key); err != nil {
			return err
		}
		if !team {
			secret, key.Shown = newSecret()
		}
		if err := putKey(ctx, tx, &key); err != nil || team {
			return err
		}
		return putSecret(ctx, tx, secret, &key, now)
	})
	if err != nil {
		return gateway.Key{}, "", err
	}
	return key, secret, nil
}

// Set changes a key, named by id or alias. A key that is not there is of kind UnknownKey.
func (k *Keys) Set(ctx context.Context, name string, c gateway.KeyChange, now time.Time) (key gateway.Key, err error) {
	err = k.change(ctx, "changing a key", func(tx *sql.Tx) error {
		if key, err = findKey(ctx, tx, name); err != nil {
			return err
		}
		if !key.Revoked.IsZero() {
			return gateway.Errorf(gateway.Invalid, "the key %s is revoked; nothing of it can be changed any more", key.ID)
		}
		if err := resolved(ctx, tx, &c); err != nil {
			return err
		}
		if err := key.Change(c, now); err != nil {
			return err
		}
		if err := aliasFree(ctx, tx, &key); err != nil {
			return err
		}
		return putKey(ctx, tx, &key)
	})
	return key, err
}

// Rotate gives a key a new secret. Those that it had go on working for the overlap.
func (k *Keys) Rotate(ctx context.Context, name string, overlap time.Duration, now time.Time) (key gateway.Key, secret string, err error) {
	err = k.change(ctx, "rotating a key", func(tx *sql.Tx) error {
		if key, err = findKey(ctx, tx, name); err != nil {
			return err
		}
		switch {
		case key.Team:
			return gateway.Errorf(gateway.Invalid, "%s is a team, which has no secret", key.ID)
		case !key.Revoked.IsZero():
			return gateway.Errorf(gateway.Invalid, "the key %s is revoked", key.ID)
		case overlap < 0 || overlap > 366*24*time.Hour:
			e := gateway.Errorf(gateway.Invalid, "overlap must be between 0 and a year")
			e.Param = "overlap"
			return e
		}
		secret, key.Shown = newSecret()
		// One that was to end sooner still ends then.
		until := now.Add(overlap).Unix()
		if _, err := tx.ExecContext(ctx, "UPDATE secrets SET until = ? WHERE key = ? AND (until = 0 OR until > ?)", until, key.ID, until); err != nil {
			return err
		}
		if err := putKey(ctx, tx, &key); err != nil {
			return err
		}
		return putSecret(ctx, tx, secret, &key, now)
	})
	if err != nil {
		return gateway.Key{}, "", err
	}
	return key, secret, nil
}

// Revoke ends a key, or a team and with it all its keys, for good. Its spending stays in the books.
func (k *Keys) Revoke(ctx context.Context, name string, now time.Time) (key gateway.Key, err error) {
	err = k.change(ctx, "revoking a key", func(tx *sql.Tx) error {
		if key, err = findKey(ctx, tx, name); err != nil || !key.Revoked.IsZero() {
			return err
		}
		key.Revoked = second0(now)
		return putKey(ctx, tx, &key)
	})
	return key, err
}

func second0(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func newID(team bool) string {
	var b [10]byte
	rand.Read(b[:]) // does not fail
	if team {
		return "team_" + letters.EncodeToString(b[:])
	}
	return "key_" + letters.EncodeToString(b[:])
}

// newSecret makes 32 random bytes as text, and what may be shown of it: 8 letters of 52.
func newSecret() (secret, shown string) {
	var b [32]byte
	rand.Read(b[:])
	secret = "lgw_" + letters.EncodeToString(b[:])
	return secret, secret[:len("lgw_")+8] + "…"
}

func putSecret(ctx context.Context, tx *sql.Tx, secret string, key *gateway.Key, now time.Time) error {
	hash := sha256.Sum256([]byte(secret))
	_, err := tx.ExecContext(ctx, "INSERT INTO secrets VALUES (?,?,?,0)", hash[:], key.ID, now.Unix())
	return err
}

// aliasFree refuses a second key in force of the same name.
func aliasFree(ctx context.Context, tx *sql.Tx, key *gateway.Key) error {
	var other string
	err := tx.QueryRowContext(ctx, "SELECT id FROM keys WHERE alias = ? AND alias <> '' AND revoked = 0 AND id <> ?", key.Alias, key.ID).Scan(&other)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		e := gateway.Errorf(gateway.Invalid, "alias: %s is called %q already", other, key.Alias)
		e.Param = "alias"
		return e
	}
	return err
}

// resolved turns the parent's alias into its id. It must be a team in force.
func resolved(ctx context.Context, tx *sql.Tx, c *gateway.KeyChange) error {
	if c.Parent == nil || *c.Parent == "" {
		return nil
	}
	team, err := findKey(ctx, tx, *c.Parent)
	switch {
	case gateway.KindOf(err) == gateway.UnknownKey, err == nil && (!team.Team || !team.Revoked.IsZero()):
		e := gateway.Errorf(gateway.Invalid, "parent: %q is not a team in force%s", *c.Parent, nearTeam(ctx, tx, *c.Parent))
		e.Param = "parent"
		return e
	case err != nil:
		return err
	}
	c.Parent = &team.ID
	return nil
}

func nearTeam(ctx context.Context, tx *sql.Tx, name string) string {
	keys, err := allKeys(ctx, tx, "WHERE team = 1 AND revoked = 0")
	if err != nil || len(keys) == 0 {
		return "; there are no teams"
	}
	var names []string
	for i := range keys {
		names = append(names, keyName(&keys[i]))
	}
	return "; there is " + strings.Join(names, ", ")
}

func keyName(k *gateway.Key) string {
	if k.Alias != "" {
		return k.Alias
	}
	return k.ID
}
