package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gateway"
)

// settings are the parts of a key that are kept as JSON.
type settings struct {
	Models   []string          `json:"models,omitempty"`
	RPM      int               `json:"rpm,omitempty"`
	TPM      int               `json:"tpm,omitempty"`
	Parallel int               `json:"parallel,omitempty"`
	Budget   *keptBudget       `json:"budget,omitempty"`
	Clamp    bool              `json:"clamp,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	ModelMap map[string]string `json:"model_map,omitempty"`
}

type keptBudget struct {
	Limit gateway.Microcents `json:"limit"`
	Every gateway.Period     `json:"every,omitempty"`
	Zone  string             `json:"zone,omitempty"`
}

func putKey(ctx context.Context, tx *sql.Tx, k *gateway.Key) error {
	s := settings{Models: k.Models, RPM: k.RPM, TPM: k.TPM, Parallel: k.Parallel, Clamp: k.Clamp, Tags: k.Tags, ModelMap: k.ModelMap}
	if k.Budget.Limited {
		s.Budget = &keptBudget{k.Budget.Limit, k.Budget.Every, k.Budget.Zone}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO keys VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET alias=excluded.alias,
		parent=excluded.parent, shown=excluded.shown, expires=excluded.expires, revoked=excluded.revoked, settings=excluded.settings`,
		k.ID, k.Alias, k.Team, k.Parent, k.Shown, unix(k.Created), unix(k.Expires), unix(k.Revoked), string(text))
	return err
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromUnix(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

// allKeys reads keys in the order that they were made.
func allKeys(ctx context.Context, from asker, where string, args ...any) ([]gateway.Key, error) {
	rows, err := from.QueryContext(ctx, "SELECT id, alias, team, parent, shown, created, expires, revoked, settings FROM keys "+where+
		" ORDER BY created, id", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []gateway.Key
	for rows.Next() {
		var k gateway.Key
		var created, expires, revoked int64
		var text string
		if err := rows.Scan(&k.ID, &k.Alias, &k.Team, &k.Parent, &k.Shown, &created, &expires, &revoked, &text); err != nil {
			return nil, err
		}
		k.Created, k.Expires, k.Revoked = fromUnix(created), fromUnix(expires), fromUnix(revoked)
		var s settings
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return nil, fmt.Errorf("key %s: %w", k.ID, err)
		}
		k.Models, k.RPM, k.TPM, k.Parallel, k.Clamp, k.Tags, k.ModelMap = s.Models, s.RPM, s.TPM, s.Parallel, s.Clamp, s.Tags, s.ModelMap
		if s.Budget != nil {
			k.Budget = gateway.Budget{Limited: true, Limit: s.Budget.Limit, Every: s.Budget.Every, Zone: s.Budget.Zone}
		}
		all = append(all, k)
	}
	return all, rows.Err()
}

// findKey finds a key by id, or by alias: that of a key in force before that of one
// revoked, and among those the newest.
func findKey(ctx context.Context, from asker, name string) (gateway.Key, error) {
	keys, err := allKeys(ctx, from, "WHERE id = ? OR alias = ? AND alias <> ''", name, name)
	if err != nil {
		return gateway.Key{}, err
	}
	if len(keys) == 0 {
		if len(name) > 40 { // probably the secret itself, which must not get into a log
			name = name[:8] + "…"
		}
		return gateway.Key{}, gateway.Errorf(gateway.UnknownKey, "there is no key or team %q; it goes by its id or alias", name)
	}
	best := keys[0]
	for _, k := range keys[1:] {
		if k.ID == name || best.ID != name && (!best.Revoked.IsZero() || k.Revoked.IsZero()) {
			best = k
		}
	}
	return best, nil
}

// All reads every key and team, revoked ones too.
func (k *Keys) All(ctx context.Context) ([]gateway.Key, error) {
	all, err := allKeys(ctx, k.db, "")
	if err != nil {
		return nil, fmt.Errorf("reading the keys: %w", err)
	}
	return all, nil
}

// Find reads one key by id or alias. One that is not there is of kind UnknownKey.
func (k *Keys) Find(ctx context.Context, name string) (gateway.Key, error) {
	key, err := findKey(ctx, k.db, name)
	var own *gateway.Error
	if err != nil && !errors.As(err, &own) {
		err = fmt.Errorf("reading the keys: %w", err)
	}
	return key, err
}

// Load reads every key and every secret of one moment.
func (k *Keys) Load(ctx context.Context) (keys []gateway.Key, secrets []gateway.Secret, err error) {
	tx, err := k.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the keys: %w", err)
	}
	defer tx.Rollback()
	if keys, err = allKeys(ctx, tx, ""); err == nil {
		secrets, err = allSecrets(ctx, tx)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the keys: %w", err)
	}
	return keys, secrets, nil
}

func allSecrets(ctx context.Context, from asker) ([]gateway.Secret, error) {
	rows, err := from.QueryContext(ctx, "SELECT hash, key, until FROM secrets")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []gateway.Secret
	for rows.Next() {
		var s gateway.Secret
		var hash []byte
		var until int64
		if err := rows.Scan(&hash, &s.Key, &until); err != nil {
			return nil, err
		}
		if copy(s.Hash[:], hash) != len(s.Hash) {
			return nil, fmt.Errorf("a secret of key %s is not a SHA-256", s.Key)
		}
		s.Until = fromUnix(until)
		all = append(all, s)
	}
	return all, rows.Err()
}

// Watch calls changed after each change of the keys by anybody, this process or
// another, and once at the start, until ctx ends. It looks every so often at a counter
// in the file, which costs a few microseconds. What cannot be read is told to failed and
// tried again; nothing that was read before is forgotten.
func (k *Keys) Watch(ctx context.Context, every time.Duration, changed func([]gateway.Key, []gateway.Secret), failed func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	seen, known := int64(0), false
	var conn *sql.Conn // the counter compares what one connection has seen
	for {
		version, err := dataVersion(ctx, k.db, &conn)
		if err == nil && (!known || version != seen) {
			var keys []gateway.Key
			var secrets []gateway.Secret
			if keys, secrets, err = k.Load(ctx); err == nil {
				seen, known = version, true
				changed(keys, secrets)
			}
		}
		if err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			if conn != nil {
				conn.Close()
			}
			return
		case <-tick.C:
		}
	}
}

func dataVersion(ctx context.Context, db *sql.DB, conn **sql.Conn) (version int64, err error) {
	if *conn == nil {
		if *conn, err = db.Conn(ctx); err != nil {
			return 0, err
		}
	}
	if err = (*conn).QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
		(*conn).Close()
		*conn = nil
	}
	return version, err
}
