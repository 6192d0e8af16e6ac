package ledger

import (
	"encoding/csv"
	"encoding/json"
	"strconv"
	"time"

	"gateway"
)

// focusColumn is a column of the FinOps Open Cost and Usage Specification, version 1.2
// (focus.finops.org/focus-specification/v1-2).
type focusColumn struct {
	name  string
	value func(e *gateway.Entry, names map[string]string) string
}

func always(text string) func(*gateway.Entry, map[string]string) string {
	return func(*gateway.Entry, map[string]string) string { return text }
}

func provider(e *gateway.Entry, _ map[string]string) string { return safe(e.Provider) }
func cost(e *gateway.Entry, _ map[string]string) string     { return e.Cost.Dollars() }
func tokens(e *gateway.Entry, _ map[string]string) string {
	return strconv.Itoa(e.Usage.Prompt() + e.Usage.Output)
}

func instant(of func(time.Time) time.Time) func(*gateway.Entry, map[string]string) string {
	return func(e *gateway.Entry, _ map[string]string) string {
		return of(e.Begun.UTC()).Format("2006-01-02T15:04:05Z")
	}
}

func hourOf(t time.Time) time.Time  { return t.Truncate(time.Hour) }
func monthOf(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }

// focusColumns are the 21 mandatory columns, those that fit besides, and our own, whose
// names begin with x_ as the specification asks. We bill nobody: the charge is the
// provider's, so list, contracted, effective and billed cost are the same.
var focusColumns = []focusColumn{
	{"BilledCost", cost},
	{"BillingAccountId", provider}, // what the provider calls our account is not known here
	{"BillingAccountName", provider},
	{"BillingCurrency", always("USD")},
	{"BillingPeriodEnd", instant(func(t time.Time) time.Time { return monthOf(t).AddDate(0, 1, 0) })},
	{"BillingPeriodStart", instant(monthOf)},
	{"ChargeCategory", always("Usage")},
	{"ChargeClass", always("")}, // null: no correction
	{"ChargeDescription", func(e *gateway.Entry, _ map[string]string) string {
		return safe(string(e.Role) + " " + e.Op + " attempt on " + e.Provider + "/" + e.Model)
	}},
	{"ChargeFrequency", always("Usage-Based")},
	{"ChargePeriodEnd", instant(func(t time.Time) time.Time { return hourOf(t).Add(time.Hour) })},
	{"ChargePeriodStart", instant(hourOf)},
	{"ConsumedQuantity", tokens},
	{"ConsumedUnit", always("Tokens")},
	{"ContractedCost", cost},
	{"EffectiveCost", cost},
	{"InvoiceIssuerName", provider},
	{"ListCost", cost},
	{"PricingQuantity", tokens},
	{"PricingUnit", always("Tokens")},
	{"ProviderName", provider},
	{"PublisherName", provider},
	{"ServiceCategory", always("AI and Machine Learning")},
	{"ServiceName", func(e *gateway.Entry, _ map[string]string) string { return safe(e.Provider + " API") }},
	{"SkuId", func(e *gateway.Entry, _ map[string]string) string { return safe(e.Provider + "/" + e.Model) }},
	{"SubAccountId", func(e *gateway.Entry, _ map[string]string) string { return safe(e.Key) }},
	{"SubAccountName", func(e *gateway.Entry, names map[string]string) string { return safe(names[e.Key]) }},
	{"Tags", func(e *gateway.Entry, _ map[string]string) string {
		if len(e.Tags) == 0 {
			return "{}"
		}
		text, err := json.Marshal(e.Tags)
		if err != nil {
			return "{}"
		}
		return string(text)
	}},
	{"x_Attempt", func(e *gateway.Entry, _ map[string]string) string { return strconv.Itoa(e.Attempt) }},
	{"x_Estimated", func(e *gateway.Entry, _ map[string]string) string {
		return strconv.FormatBool(e.Source == gateway.UsageEstimated)
	}},
	{"x_RequestId", func(e *gateway.Entry, _ map[string]string) string { return safe(e.Request) }},
	{"x_Run", func(e *gateway.Entry, _ map[string]string) string { return safe(e.Run) }},
	{"x_Team", func(e *gateway.Entry, names map[string]string) string {
		if alias := names[e.Team]; alias != "" {
			return safe(alias)
		}
		return safe(e.Team)
	}},
}

func focusHeader() (names []string) {
	for _, c := range focusColumns {
		names = append(names, c.name)
	}
	return names
}

type focusRows struct {
	c     *csv.Writer
	names map[string]string
}

func (r *focusRows) Row(e *gateway.Entry) error {
	cells := make([]string, len(focusColumns))
	for i, c := range focusColumns {
		cells[i] = c.value(e, r.names)
	}
	return r.c.Write(cells)
}

func (r *focusRows) End() error {
	r.c.Flush()
	return r.c.Error()
}
