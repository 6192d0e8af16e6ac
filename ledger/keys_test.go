package ledger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gateway"
)

func openKeys(t *testing.T, dir string) *Keys {
	t.Helper()
	k, err := OpenKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

func to[T any](v T) *T { return &v }

func create(t *testing.T, k *Keys, team bool, c gateway.KeyChange) (gateway.Key, string) {
	t.Helper()
	key, secret, err := k.Create(t.Context(), team, c, when)
	if err != nil {
		t.Fatal(err)
	}
	return key, secret
}

func TestKeysReadBack(t *testing.T) {
	dir := t.TempDir()
	k := openKeys(t, dir)
	team, none := create(t, k, true, gateway.KeyChange{Alias: to("red")})
	if none != "" || team.Shown != "" || !strings.HasPrefix(team.ID, "team_") {
		t.Errorf("a team has a secret: %q, %+v", none, team)
	}
	want, secret := create(t, k, false, gateway.KeyChange{Alias: to("ci"), Parent: to("red"), Expires: to(when.AddDate(1, 0, 0)), Models: to([]string{"a/*", "auto"}),
		RPM: to(1), TPM: to(2), Parallel: to(3), Budget: &gateway.Budget{Limited: true, Limit: 4, Every: gateway.Monthly, Zone: "Asia/Kolkata"}, Clamp: to(true),
		Tags: &map[string]string{"env": "prod"}, ModelMap: &map[string]string{"fast": "a/b"}})
	if want.Parent != team.ID || len(secret) != 4+52 || !strings.HasPrefix(secret, strings.TrimSuffix(want.Shown, "…")) {
		t.Errorf("%+v, %q", want, secret)
	}
	again := openKeys(t, dir) // another process
	for _, name := range []string{"ci", want.ID} {
		if got, err := again.Find(t.Context(), name); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v\n%+v %v", name, got, want, err)
		}
	}
	keys, secrets, err := again.Load(t.Context())
	if err != nil || len(keys) != 2 || len(secrets) != 1 || secrets[0].Hash != sha256.Sum256([]byte(secret)) || secrets[0].Key != want.ID || !secrets[0].Until.IsZero() {
		t.Errorf("%v %v %v", keys, secrets, err)
	}
	changed, err := again.Set(t.Context(), "ci", gateway.KeyChange{RPM: to(9), Models: to([]string(nil)), Budget: &gateway.Budget{}}, when)
	if err != nil || changed.RPM != 9 || changed.Models != nil || changed.Budget.Limited || changed.TPM != 2 {
		t.Errorf("%+v, %v", changed, err)
	}
}

func TestKeysRefuse(t *testing.T) {
	k := openKeys(t, t.TempDir())
	ctx := t.Context()
	create(t, k, true, gateway.KeyChange{Alias: to("red")})
	create(t, k, false, gateway.KeyChange{Alias: to("ci")})
	dead, _ := create(t, k, false, gateway.KeyChange{Alias: to("dead")})
	if _, err := k.Revoke(ctx, "dead", when); err != nil {
		t.Fatal(err)
	}
	try := func(_ gateway.Key, _ string, err error) error { return err }
	set := func(_ gateway.Key, err error) error { return err }
	for want, err := range map[string]error{
		`called "ci" already`:                         try(k.Create(ctx, false, gateway.KeyChange{Alias: to("ci")}, when)),
		`called "red" already`:                        set(k.Set(ctx, "ci", gateway.KeyChange{Alias: to("red")}, when)),
		`"blue" is not a team in force; there is red`: try(k.Create(ctx, false, gateway.KeyChange{Parent: to("blue")}, when)),
		`"ci" is not a team`:                          try(k.Create(ctx, false, gateway.KeyChange{Parent: to("ci")}, when)),
		`a team has no parent`:                        set(k.Set(ctx, "red", gateway.KeyChange{Parent: to("red")}, when)),
		`is a team, which has no secret`:              try(k.Rotate(ctx, "red", 0, when)),
		`revoked`:                                     try(k.Rotate(ctx, "dead", 0, when)),
		`nothing of it can be changed`:                set(k.Set(ctx, dead.ID, gateway.KeyChange{RPM: to(1)}, when)),
		`overlap`:                                     try(k.Rotate(ctx, "ci", -1, when)),
		`no key or team "nobody"`:                     set(k.Revoke(ctx, "nobody", when)),
		`no key or team ""`:                           set(k.Revoke(ctx, "", when)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if kind := gateway.KindOf(err); kind != gateway.Invalid && kind != gateway.UnknownKey {
			t.Errorf("%v is of kind %v", err, kind)
		}
	}
	if fresh, _ := create(t, k, false, gateway.KeyChange{Alias: to("dead")}); fresh.ID == dead.ID {
		t.Error("the alias of a revoked key is not free")
	}
	if found, err := k.Find(ctx, "dead"); err != nil || found.ID == dead.ID {
		t.Errorf("%+v, %v: the one in force is meant", found, err)
	}
	if found, err := k.Find(ctx, dead.ID); err != nil || found.ID != dead.ID {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestRotationOverlaps(t *testing.T) {
	k := openKeys(t, t.TempDir())
	key, first := create(t, k, false, gateway.KeyChange{})
	_, second, err := k.Rotate(t.Context(), key.ID, time.Hour, when)
	if err != nil || second == first {
		t.Fatal(err)
	}
	_, third, err := k.Rotate(t.Context(), key.ID, 24*time.Hour, when.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	_, secrets, err := k.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[[32]byte]time.Time{}
	for _, s := range secrets {
		got[s.Hash] = s.Until
	}
	want := map[[32]byte]time.Time{sha256.Sum256([]byte(first)): when.Add(time.Hour), sha256.Sum256([]byte(second)): when.Add(24*time.Hour + time.Minute),
		sha256.Sum256([]byte(third)): {}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n%v", got, want)
	}
}

func TestWatchSeesAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	k, other := openKeys(t, dir), openKeys(t, dir)
	ctx, stop := context.WithCancel(t.Context())
	seen, ended := make(chan int, 100), make(chan struct{})
	go func() { // ends with ctx
		defer close(ended)
		k.Watch(ctx, 5*time.Millisecond, func(keys []gateway.Key, _ []gateway.Secret) { seen <- len(keys) }, func(err error) { t.Error(err) })
	}()
	if n := <-seen; n != 0 {
		t.Errorf("%d keys at first", n)
	}
	create(t, other, false, gateway.KeyChange{})
	until := func(want int) {
		t.Helper()
		late := time.After(30 * time.Second)
		for n := -1; n != want; {
			select {
			case n = <-seen:
			case <-late:
				t.Fatalf("%d keys are never seen", want)
			}
		}
	}
	until(1)
	create(t, k, false, gateway.KeyChange{}) // our own changes too
	until(2)
	stop()
	<-ended
}

// Writers of several processes wait for each other and lose nothing.
func TestKeysAreChangedByManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	openKeys(t, dir)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			k, err := OpenKeys(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer k.Close()
			for j := range 10 {
				if _, _, err := k.Create(t.Context(), false, gateway.KeyChange{Alias: to(fmt.Sprint("k", i, "-", j))}, when); err != nil {
					t.Error(err)
				}
				if _, err := k.Set(t.Context(), fmt.Sprint("k", i, "-", j), gateway.KeyChange{RPM: to(j)}, when); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all, err := openKeys(t, dir).All(t.Context())
	if err != nil || len(all) != 40 {
		t.Errorf("%d keys, %v", len(all), err)
	}
}

func TestKeysFileIsPrivateAndHoldsNoSecret(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	k := openKeys(t, dir)
	_, secret := create(t, k, false, gateway.KeyChange{})
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v %v", f.Name(), info.Mode(), err)
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil || strings.Contains(string(text), secret[14:]) {
			t.Errorf("%s holds the secret, %v", f.Name(), err)
		}
	}
}
