package ledger

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gateway"
)

func written(t *testing.T, form string, rows ...gateway.Entry) string {
	t.Helper()
	var out strings.Builder
	w, err := WriteRows(&out, form, map[string]string{"k1": "ci", "team_x": "red"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := w.Row(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// records reads CSV back by column.
func records(t *testing.T, text string) (out []map[string]string) {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		r := map[string]string{}
		for i, name := range lines[0] {
			r[name] = line[i]
		}
		out = append(out, r)
	}
	return out
}

func TestRowsInEveryForm(t *testing.T) {
	first, second := row("r1", 1), row("r2", 1)
	second.Tags, second.Source, second.Asked, second.Team = nil, gateway.UsageEstimated, `=HYPERLINK("x")`, "team_x"
	if got := written(t, "table", first, second); !strings.Contains(got, "ci ") || !strings.Contains(got, "$0.00001234 est.") {
		t.Errorf("%s", got)
	}
	for form, none := range map[string]string{"json": "[]\n", "jsonl": ""} {
		if got := written(t, form); got != none {
			t.Errorf("%s of nothing: %q", form, got)
		}
	}
	var all []rowJSON
	if err := json.Unmarshal([]byte(written(t, "json", first, second)), &all); err != nil || len(all) != 2 || all[0].Tags["team"] != "a" || all[1].Cost != 1234 {
		t.Errorf("%v, %v", all, err)
	}
	if lines := strings.Split(strings.TrimSpace(written(t, "jsonl", first, second)), "\n"); len(lines) != 2 || !json.Valid([]byte(lines[1])) {
		t.Errorf("%q", lines)
	}
	got := records(t, written(t, "csv", first, second))
	if got[0]["cost_microcents"] != "1234" || got[0]["tags"] != "team=a" || got[1]["asked"] != `'=HYPERLINK("x")` || got[1]["usage_source"] != "estimated" {
		t.Errorf("%v", got)
	}
	if _, err := WriteRows(nil, "xml", nil); gateway.KindOf(err) != gateway.Invalid || !strings.Contains(err.Error(), "focus") {
		t.Errorf("%v", err)
	}
}

// The mandatory columns of FOCUS 1.2, none null that may not be, and sums that are exact.
func TestFocusHasItsMandatoryColumns(t *testing.T) {
	mandatory := []string{"BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory",
		"ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost",
		"PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName"}
	e := row("r1", 1)
	e.Begun = time.Date(2026, 12, 31, 23, 59, 59, 5, time.FixedZone("x", 3600))
	e.Cost = 123_456_789
	got := records(t, written(t, "focus", e))[0]
	for _, name := range mandatory {
		value, has := got[name]
		if !has || value == "" && name != "ChargeClass" {
			t.Errorf("%s: %q, %v", name, value, has)
		}
	}
	for name := range got {
		if !strings.HasPrefix(name, "x_") && !slices.Contains(mandatory, name) &&
			!slices.Contains([]string{"ChargeFrequency", "ConsumedQuantity", "ConsumedUnit", "SkuId", "SubAccountId", "SubAccountName", "Tags"}, name) {
			t.Errorf("%s is no column of the specification", name)
		}
	}
	for name, want := range map[string]string{"BilledCost": "1.23456789", "BillingPeriodStart": "2026-12-01T00:00:00Z", "BillingPeriodEnd": "2027-01-01T00:00:00Z",
		"ChargePeriodStart": "2026-12-31T22:00:00Z", "ChargePeriodEnd": "2026-12-31T23:00:00Z", "PricingQuantity": strconv.Itoa(10 + 4 + 3 + 2 + 7), "SubAccountName": "ci",
		"Tags": `{"team":"a"}`, "x_Estimated": "false"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}
