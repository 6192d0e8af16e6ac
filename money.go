package gateway

import "time"

// Microcents is an amount of money: 1 microcent = 10⁻⁶ cent = 10⁻⁸ USD.
type Microcents int64

// Picodollars is a price per token: 10⁻¹² USD. $1 per million tokens is 1,000,000.
type Picodollars int64

// PicosPerMicrocent converts an exact sum of tokens × price into Microcents.
const PicosPerMicrocent = 10_000

// Rates are the prices of one token of each kind. A price that a provider does not
// list apart has already been set to the price that is billed instead (a cached or
// written token without a rate of its own costs Input).
type Rates struct {
	Input, CachedRead, CacheWrite5m, CacheWrite1h, Output Picodollars
}

// Tariff is the price list of one model. The zero Tariff is free of charge; a model
// whose price is not known has a nil *Tariff instead.
type Tariff struct {
	Base      Rates
	Tiers     []Tier      // by prompt length, ascending; the highest that applies reprices the whole request
	Windows   []Window    // by time of day; the first that matches replaces Base
	Scheduled []Scheduled // announced changes, ascending by date; the last that has begun replaces Base
	Date      string      // when the price was read, YYYY-MM-DD; goes into the ledger row

	// ID names the price list by its content; "" until Identify gave it one. The books
	// keep each list that was ever used under its ID, so that every row can be priced again.
	ID string `json:"-"`
}

// Tier holds the rates of a request whose whole prompt is above PromptAbove tokens.
type Tier struct {
	PromptAbove int
	Rates       Rates
}

// Window holds the rates of certain hours. Hours are of UTC, From inclusive and To
// exclusive, in minutes since midnight.
type Window struct {
	Days     []time.Weekday // empty: every day; of the zone given by DayShift
	DayShift time.Duration  // added to UTC before the weekday is read (8h for Beijing)
	Except   []string       // dates YYYY-MM-DD in the same zone on which the window is off (public holidays)
	Spans    []Span
	Rates    Rates
}

// Span is a part of a day in minutes of UTC, From inclusive, To exclusive.
type Span struct{ From, To int }

// Scheduled holds the rates that apply from a moment on.
type Scheduled struct {
	From  time.Time
	Rates Rates
}
