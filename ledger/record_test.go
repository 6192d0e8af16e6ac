package ledger

import (
	"fmt"
	"math/rand"
	"reflect"
	"testing"
	"time"

	"gateway"
)

// Every field of a row is in its record: one that is added to Entry and forgotten here
// fails.
func TestRowsKeepEveryFieldInTheJournal(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	for range 500 {
		b := Booking{Charges: []Charge{{"k", -5, 1 << 60, 7}, {"team", 9, 0, -1}}}
		fill(t, random, reflect.ValueOf(&b.Entry).Elem())
		b.Entry.Begun = time.Unix(0, random.Int63()).UTC()
		b.Entry.Usage.PromptUnknown = false // never of a row: it is estimated before
		kind, fields, rest, ok := unframe(new(pen).booking(&b))
		got, err := readBooking(fields)
		if !ok || kind != settleRecord || len(rest) > 0 || err != nil || !reflect.DeepEqual(got, b) {
			t.Fatalf("%v %v\n got %+v\nwant %+v", ok, err, got, b)
		}
	}
}

// fill sets every field to something.
func fill(t *testing.T, random *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint(random.Int()))
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int63n(1<<40) - 1<<20)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"a": fmt.Sprint(random.Int()), "b": ""}))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			fill(t, random, v.Field(i))
		}
	default:
		t.Fatalf("a row has a field of a kind that is not known here: %v", v.Type())
	}
}

func TestOutsetsReadBack(t *testing.T) {
	o := gateway.Outset{Entry: row("r", 3), Hold: gateway.Hold{Request: "r", Attempt: 3, Amount: 99, Places: []gateway.Place{{Account: "k", Quarter: 4}}},
		First: time.Second, Takes: time.Minute, Input: 5, Output: 6, Bills: gateway.BillsSeen, Most: 7}
	_, fields, _, _ := unframe(new(pen).outset(&o))
	if got, err := readOutset(fields); err != nil || !reflect.DeepEqual(got, o) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, o)
	}
}

// Whatever is in a journal, reading it neither panics nor takes much memory, and a whole
// record that is read is written the same.
func FuzzJournal(f *testing.F) {
	o := gateway.Outset{Entry: row("r", 3), Hold: gateway.Hold{Places: []gateway.Place{{Account: "k", Quarter: 4}}}}
	b := Booking{Entry: row("r", 1), Charges: []Charge{{"k", 1, 2, 3}}}
	run, repeat := Run{Key: "k"}, Repeat{Key: "k"}
	for _, seed := range [][]byte{new(pen).outset(&o), new(pen).booking(&b), run.frame(), repeat.frame(), append(new(pen).booking(&b), 1, 2, 3), {}} {
		f.Add(seed, uint8(2))
	}
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		for rest, ok := data, true; ok; {
			_, _, rest, ok = unframe(rest)
		}
		readOutset(page{b: data})
		readRun(page{b: data})
		readRepeat(page{b: data})
		if b, err := readBooking(page{b: data}); err == nil {
			_, fields, _, ok := unframe(new(pen).booking(&b))
			again, err := readBooking(fields)
			if !ok || err != nil || !reflect.DeepEqual(again, b) {
				t.Errorf("%v %v\n got %+v\nwant %+v", ok, err, again, b)
			}
		}
	})
}
