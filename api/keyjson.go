package api

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"gateway"
)

// KeyInfo is a key as it is shown: over HTTP and by the command line. There is no secret in it.
type KeyInfo struct {
	ID       string            `json:"id"`
	Alias    string            `json:"alias,omitempty"`
	Shown    string            `json:"shown,omitempty"` // how its secret begins
	Team     bool              `json:"team,omitzero"`
	State    string            `json:"state"` // active, expired, revoked
	Parent   string            `json:"parent,omitempty"`
	Created  time.Time         `json:"created"`
	Expires  time.Time         `json:"expires,omitzero"`
	Revoked  time.Time         `json:"revoked,omitzero"`
	Models   []string          `json:"models,omitempty"`
	RPM      int               `json:"rpm,omitzero"`
	TPM      int               `json:"tpm,omitzero"`
	Parallel int               `json:"max_parallel,omitzero"`
	Budget   *BudgetInfo       `json:"budget,omitempty"`
	Clamp    bool              `json:"clamp_max_tokens,omitzero"`
	Tags     map[string]string `json:"tags,omitempty"`
	ModelMap map[string]string `json:"model_map,omitempty"`
	Account  *AccountInfo      `json:"account,omitempty"` // nil: not known here
}

// BudgetInfo is a budget as it is shown.
type BudgetInfo struct {
	USD        Dollars            `json:"limit_usd,omitempty"`
	Microcents gateway.Microcents `json:"limit_microcents,omitzero"`
	Every      string             `json:"every,omitempty"`
	Zone       string             `json:"zone,omitempty"`
}

// AccountInfo is what stands on a key's account in its present period.
type AccountInfo struct {
	Spent  gateway.Microcents `json:"spent_microcents"`
	Held   gateway.Microcents `json:"held_microcents"`   // for what runs now
	Unsure gateway.Microcents `json:"unsure_microcents"` // what cut calls may have cost beyond their estimates
	From   time.Time          `json:"period_begun,omitzero"`
	Until  time.Time          `json:"period_ends,omitzero"`
}

func accountInfo(st gateway.AccountState) AccountInfo {
	return AccountInfo{Spent: st.Spent, Held: st.Held, Unsure: st.Unsure, From: st.From, Until: st.Until}
}

// Dollars is an exact amount of dollars as text. A JSON number is taken too, digit by digit.
type Dollars string

// UnmarshalJSONFrom implements json.UnmarshalerFrom: no amount passes through a float.
func (d *Dollars) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	text := strings.Trim(string(v), `"`)
	if _, err := gateway.ParseDollars(text); err != nil {
		return err
	}
	*d = Dollars(text)
	return nil
}

// ShowKey makes a key ready to be shown.
func ShowKey(k *gateway.Key, now time.Time) KeyInfo {
	info := KeyInfo{ID: k.ID, Alias: k.Alias, Shown: k.Shown, Team: k.Team, State: "active", Parent: k.Parent, Created: k.Created, Expires: k.Expires,
		Revoked: k.Revoked, Models: k.Models, RPM: k.RPM, TPM: k.TPM, Parallel: k.Parallel, Clamp: k.Clamp, Tags: k.Tags, ModelMap: k.ModelMap}
	switch {
	case !k.Revoked.IsZero():
		info.State = "revoked"
	case !k.Live(now):
		info.State = "expired"
	}
	if b := k.Budget; b.Limited {
		info.Budget = &BudgetInfo{USD: Dollars(b.Limit.Dollars()), Microcents: b.Limit, Every: string(b.Every), Zone: b.Zone}
	}
	return info
}

// wish is what a client of /admin/keys may send. A field that is null is put back to
// what a new key has.
type wish struct {
	Team     *bool                       `json:"team"`
	Alias    optional[string]            `json:"alias"`
	Parent   optional[string]            `json:"parent"`
	Expires  optional[moment]            `json:"expires"`
	Models   optional[[]string]          `json:"models"`
	RPM      optional[int]               `json:"rpm"`
	TPM      optional[int]               `json:"tpm"`
	Parallel optional[int]               `json:"max_parallel"`
	Budget   optional[*budgetWish]       `json:"budget"`
	Clamp    optional[bool]              `json:"clamp_max_tokens"`
	Tags     optional[map[string]string] `json:"tags"`
	ModelMap optional[map[string]string] `json:"model_map"`
}

// budgetWish is a budget that is wished for: its amount is given in one unit, or in both alike.
type budgetWish struct {
	USD        *Dollars            `json:"limit_usd"`
	Microcents *gateway.Microcents `json:"limit_microcents"`
	Every      string              `json:"every"`
	Zone       string              `json:"zone"`
}

// optional tells a field that is absent (nil) from one that is null (zero).
type optional[T any] struct{ value *T }

func (o *optional[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	o.value = new(T)
	return json.UnmarshalDecode(dec, o.value, json.RejectUnknownMembers(true))
}

// moment is a date or a time; the zero one is never.
type moment struct{ time.Time }

func (m *moment) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var text string
	if err := json.UnmarshalDecode(dec, &text); err != nil {
		return err
	}
	if readTime(text, &m.Time) != nil {
		return errors.New("want a date such as 2027-01-31 or a time such as 2027-01-31T09:00:00Z")
	}
	return nil
}

// ParseKeyWish reads the JSON of a key that is to be made or changed. team is nil when
// it is not said. Its error is of kind Invalid, names the field, and the field that was
// probably meant.
func ParseKeyWish(body []byte) (c gateway.KeyChange, team *bool, err *gateway.Error) {
	var w wish
	if err := decodeStrict(body, &w); err != nil {
		return c, nil, err
	}
	c = gateway.KeyChange{Alias: w.Alias.value, Parent: w.Parent.value, Models: w.Models.value, RPM: w.RPM.value, TPM: w.TPM.value,
		Parallel: w.Parallel.value, Clamp: w.Clamp.value, Tags: w.Tags.value, ModelMap: w.ModelMap.value}
	if w.Expires.value != nil {
		c.Expires = &w.Expires.value.Time
	}
	if w.Budget.value != nil {
		b, err := (*w.Budget.value).budget()
		if err != nil {
			return c, nil, err
		}
		c.Budget = &b
	}
	return c, w.Team, nil
}

func (b *budgetWish) budget() (gateway.Budget, *gateway.Error) {
	if b == nil {
		return gateway.Budget{}, nil
	}
	out := gateway.Budget{Limited: true, Every: gateway.Period(b.Every), Zone: b.Zone}
	switch {
	case b.USD == nil && b.Microcents == nil:
		return out, field("budget", "\"budget\" needs an amount: limit_usd or limit_microcents.")
	case b.USD != nil:
		usd, err := gateway.ParseDollars(string(*b.USD))
		if err != nil {
			return out, field("budget.limit_usd", "\"budget.limit_usd\": %v.", err)
		}
		if b.Microcents != nil && *b.Microcents != usd {
			return out, field("budget", "\"budget\" has two different limits; give limit_usd or limit_microcents.")
		}
		out.Limit = usd
	default:
		out.Limit = *b.Microcents
	}
	return out, nil
}

// decodeStrict reads a JSON object of the administration into a struct.
func decodeStrict(body []byte, into any) *gateway.Error {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	if dec.PeekKind() != '{' {
		return gateway.Errorf(gateway.Invalid, "The body must be a JSON object.")
	}
	err := json.UnmarshalDecode(dec, into, json.RejectUnknownMembers(true))
	if err == nil {
		if _, err = dec.ReadToken(); err == nil || dec.InputOffset() < int64(len(bytes.TrimRight(body, " \r\n\t"))) {
			return gateway.Errorf(gateway.Invalid, "Something follows the JSON object in the body.")
		}
		return nil
	}
	var sem *json.SemanticError
	if !errors.As(err, &sem) {
		return notJSON(err)
	}
	name := strings.ReplaceAll(strings.TrimPrefix(string(sem.JSONPointer), "/"), "/", ".")
	if errors.Is(err, json.ErrUnknownName) {
		last := sem.JSONPointer.LastToken()
		if near := gateway.Nearest(last, gateway.JSONNames(sem.GoType)); near != "" {
			return field(name, "%q is not a field here; did you mean %q?", name, near)
		}
		return field(name, "%q is not a field here; there is %s.", name, strings.Join(gateway.JSONNames(sem.GoType), ", "))
	}
	if sem.Err != nil && !errors.Is(sem.Err, json.ErrUnknownName) {
		return field(name, "%q: %v.", name, gateway.Innermost(sem.Err))
	}
	return field(name, "%q must be %s.", name, or(gateway.JSONWord(sem.GoType), "of another type"))
}
