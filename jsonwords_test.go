package gateway

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

func TestJSONWords(t *testing.T) {
	type object struct {
		A string  `json:"a,omitempty"`
		B *int    `json:"b"`
		C float64 `json:"c"`
		D []bool  `json:"d"`
		E struct{}
	}
	of := reflect.TypeFor[object]()
	if got := JSONNames(of); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("names %q", got)
	}
	var words []string
	for i := range of.NumField() {
		words = append(words, JSONWord(of.Field(i).Type))
	}
	if want := []string{"a string", "a whole number", "a number", "an array", "an object"}; !slices.Equal(words, want) {
		t.Errorf("%q, want %q", words, want)
	}
	if JSONWord(nil) != "" || JSONNames(nil) != nil {
		t.Error("no type has words")
	}
	inner := errors.New("inner")
	if got := Innermost(fmt.Errorf("a: %w", fmt.Errorf("b: %w", inner))); got != inner {
		t.Errorf("%v", got)
	}
}
