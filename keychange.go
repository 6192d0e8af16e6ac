package gateway

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// KeyChange is what shall become of a key. Nil fields stay as they are. It is checked in
// one place, Key.Change, whoever asks for it.
type KeyChange struct {
	Alias    *string
	Parent   *string // id of a team; "" for none
	Expires  *time.Time
	Models   *[]string // points to nil: every model
	RPM, TPM *int
	Parallel *int
	Budget   *Budget
	Clamp    *bool
	Tags     *map[string]string
	ModelMap *map[string]string
}

// Secret is a way to be known as a key: the SHA-256 of what the client sends. A fast hash
// is right here: what is hashed are 32 random bytes, which nobody can try one by one.
type Secret struct {
	Hash  [32]byte
	Key   string    // id
	Until time.Time // zero: as long as the key; else it was replaced and ends then
}

// Bounds of what a key may be given. They catch slips, such as a limit in the wrong unit.
const (
	mostRPM      = 1_000_000
	mostTPM      = 1_000_000_000
	mostParallel = 100_000
	mostModels   = 200
	mostTags     = 16
)

var (
	saneAlias = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)
	saneTag   = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
)

// Change applies what is wanted, or says what is wrong with it (kind Invalid, Param
// names the field) and leaves the key as it was.
func (k *Key) Change(c KeyChange, now time.Time) *Error {
	next := *k
	for _, step := range []func(*Key, KeyChange, time.Time) *Error{changeName, changeLimits, changeBudget, changeMaps} {
		if err := step(&next, c, now); err != nil {
			return err
		}
	}
	*k = next
	return nil
}

func wrong(field, format string, args ...any) *Error {
	e := Errorf(Invalid, format, args...)
	e.Param = field
	return e
}

func changeName(k *Key, c KeyChange, now time.Time) *Error {
	if c.Alias != nil {
		if a := *c.Alias; a != "" && (!saneAlias.MatchString(a) || strings.HasPrefix(a, "key_") || strings.HasPrefix(a, "team_")) {
			return wrong("alias", "alias must be up to 64 letters, digits or . _ @ - and not look like an id")
		}
		k.Alias = *c.Alias
	}
	if c.Parent != nil {
		if *c.Parent != "" && k.Team {
			return wrong("parent", "parent: a team has no parent")
		}
		k.Parent = *c.Parent
	}
	if c.Expires != nil {
		if k.Team && !c.Expires.IsZero() {
			return wrong("expires", "expires: a team does not expire; it can be revoked")
		}
		if !c.Expires.IsZero() && !c.Expires.After(now) {
			return wrong("expires", "expires must be in the future; to end a key now, revoke it")
		}
		k.Expires = *c.Expires
	}
	return nil
}

func changeLimits(k *Key, c KeyChange, _ time.Time) *Error {
	for _, l := range []struct {
		name string
		want *int
		most int
		has  *int
	}{{"rpm", c.RPM, mostRPM, &k.RPM}, {"tpm", c.TPM, mostTPM, &k.TPM}, {"max_parallel", c.Parallel, mostParallel, &k.Parallel}} {
		if l.want == nil {
			continue
		}
		if *l.want < 0 || *l.want > l.most {
			return wrong(l.name, "%s must be between 0 (no limit) and %d", l.name, l.most)
		}
		*l.has = *l.want
	}
	if c.Models == nil {
		return nil
	}
	if *c.Models != nil && len(*c.Models) == 0 || len(*c.Models) > mostModels {
		return wrong("models", "models must name 1 to %d models or patterns; without it every model is allowed", mostModels)
	}
	for _, m := range *c.Models {
		if m == "" || len(m) > 200 || strings.Contains(strings.TrimSuffix(m, "*"), "*") || !printable(m) {
			return wrong("models", "models: %q must be a name, provider/model, or one of them that ends with *", m)
		}
	}
	k.Models = slices.Clone(*c.Models)
	return nil
}

func changeBudget(k *Key, c KeyChange, _ time.Time) *Error {
	if c.Clamp != nil {
		k.Clamp = *c.Clamp
	}
	if c.Budget == nil {
		return nil
	}
	b := *c.Budget
	switch {
	case !b.Limited && (b.Every != Once || b.Zone != ""):
		return wrong("budget", "budget: a period needs an amount")
	case b.Limit < 0:
		return wrong("budget", "budget must not be negative")
	case !slices.Contains([]Period{Once, Daily, Weekly, Monthly}, b.Every):
		return wrong("budget", "budget: every must be day, week or month, not %q; without it the budget is for the key's whole life", string(b.Every))
	case b.Zone != "" && b.Every == Once:
		return wrong("budget", "budget: a zone needs a period")
	}
	if _, err := time.LoadLocation(b.Zone); err != nil || b.Zone == "Local" {
		return wrong("budget", "budget: zone %q is not known; want a name such as Europe/Vienna", b.Zone)
	}
	k.Budget = b
	return nil
}

func changeMaps(k *Key, c KeyChange, _ time.Time) *Error {
	if c.Tags != nil {
		if err := CheckTags("tags", *c.Tags); err != nil {
			return err
		}
		k.Tags = *c.Tags
	}
	if c.ModelMap == nil {
		return nil
	}
	if len(*c.ModelMap) > mostModels {
		return wrong("model_map", "model_map holds more than %d names", mostModels)
	}
	for from, to := range *c.ModelMap {
		if from == "" || to == "" || strings.Contains(strings.TrimSuffix(from, "*"), "*") || strings.Contains(to, "*") || len(from) > 200 || len(to) > 200 || !printable(from) || !printable(to) {
			return wrong("model_map", "model_map: %q must be a name or the beginning of one and a *, and %q a name", from, to)
		}
	}
	k.ModelMap = *c.ModelMap
	return nil
}

// CheckTags says what is wrong with tags, of kind Invalid, under the name of a field or header.
func CheckTags(field string, tags map[string]string) *Error {
	if len(tags) > mostTags {
		return wrong(field, "%s: more than %d tags", field, mostTags)
	}
	for name, value := range tags {
		if !saneTag.MatchString(name) {
			return wrong(field, "%s: %q must be up to 64 letters, digits or . _ -", field, name)
		}
		if len(value) > 128 || !printable(value) {
			return wrong(field, "%s: the value of %s must be up to 128 printable bytes", field, name)
		}
	}
	return nil
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0
}

var errDollars = errors.New("want dollars such as 25 or 0.50, with at most 8 decimals")

// ParseDollars reads an amount exactly: "12.5" is 1,250,000,000 microcents.
func ParseDollars(text string) (Microcents, error) {
	whole, rest, point := strings.Cut(strings.TrimPrefix(text, "$"), ".")
	if whole == "" || len(rest) > 8 || point && rest == "" {
		return 0, errDollars
	}
	n, err := strconv.ParseUint(whole+rest+strings.Repeat("0", 8-len(rest)), 10, 64)
	if err != nil || n > math.MaxInt64 {
		return 0, errDollars
	}
	return Microcents(n), nil
}

// Dollars writes an amount exactly, without a currency sign: "12.5".
func (m Microcents) Dollars() string {
	sign, n := "", uint64(m)
	if m < 0 {
		sign, n = "-", -n
	}
	s := fmt.Sprintf("%d.%08d", n/100_000_000, n%100_000_000)
	s = strings.TrimRight(s, "0")
	if strings.HasSuffix(s, ".") {
		s += "00"
	}
	return sign + s
}
