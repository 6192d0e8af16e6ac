package providers

import (
	"bytes"
	"encoding/json"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"gateway"
)

// A body of many parts costs what its length does: ten times as many take ten times as
// much memory, and one edit of the whole body for each of them a hundred times as much.
// Reading the body anew for each takes none; here it would take hours.
func TestGeminiFitsManyPartsAtOnce(t *testing.T) {
	for _, c := range []struct {
		part     string
		sentinel bool
	}{
		{`{"text":"","thoughtSignature":"c2ln"}`, true},
		{`{"functionCall":{},"thoughtSignature":"s"}`, true},
		{`{"thoughtSignature":"s"}`, false},
		{`{}`, false},
	} {
		fit := func(parts int) (allocated uint64) {
			body := []byte(`{"contents":[{"parts":[{"text":"a"},` + strings.Repeat(c.part+",", parts) + `{"text":"b"}]}]}`)
			var got []byte
			allocated = allocates(func() { got = fittedContents(body, c.sentinel) })
			if !gjson.ValidBytes(got) {
				t.Errorf("%s: no JSON", c.part)
			}
			return allocated
		}
		few, many := fit(1000), fit(10_000)
		if many > 30*few {
			t.Fatalf("%s: 1,000 parts take %d bytes, 10,000 take %d", c.part, few, many)
		}
		if most := fit(300_000); most > 1000*few {
			t.Errorf("%s: 1,000 parts take %d bytes, 300,000 take %d", c.part, few, most)
		}
	}
}

// allocates is how many bytes a thing takes while it runs.
func allocates(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Whatever the parts are, one pass gives what editing them one by one does.
func FuzzGeminiFits(f *testing.F) {
	for _, seed := range []string{
		`[{"parts":[{"text":"a"},{"text":""},{"thought":true}]},{"parts":[{}]}]`,
		`[{"role":"model","parts":[{"thoughtSignature":"s"},{"functionCall":{"name":"f"},"thoughtSignature":"t"},{"text":"x","thought_signature":"u"}]}]`,
		`[{"parts":{"text":""}},{"parts":[]},{"x":1},{"parts":[{"text":"","thoughtSignature":"s"}],"role":"user"}]`,
		`[{"parts":[{"text":"a","thoughtSignature":"s"},{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}}]},{"parts":{"function_call":{}}}]`,
		`[ {"parts" : [ {"inlineData":{}} , {"text":""} ] , "role":"user"} , {"parts":[1,null,"a",[]]} ]`,
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, contents string, sentinel bool) {
		body := `{"a":[1],"contents":` + contents + `,"z":1e3}`
		if !jsontext.Value(body).IsValid() || strings.Contains(contents, `\`) { // duplicate names are refused at the door
			t.Skip("no body that gets this far")
		}
		got, want := fittedContents([]byte(body), sentinel), fittedOneByOne(t, body, sentinel)
		if !reflect.DeepEqual(decoded(t, got), decoded(t, []byte(want))) {
			t.Fatalf("of %s\n got %s\nwant %s", body, got, want)
		}
	})
}

// decoded is a body's value, its numbers as they are written: no float holds some of them.
func decoded(t *testing.T, body []byte) (value any) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return value
}

// fittedOneByOne is what fittedContents does, in as many edits of the whole as it takes.
func fittedOneByOne(t *testing.T, body string, sentinel bool) string {
	edit := func(out string, err error) {
		if err != nil {
			t.Fatal(err)
		}
		body = out
	}
	contents := gjson.Get(body, "contents")
	if !contents.IsArray() {
		return body
	}
	for i := len(contents.Array()) - 1; i >= 0; i-- {
		place := "contents." + strconv.Itoa(i)
		parts := gjson.Get(body, place+".parts")
		if !contents.Array()[i].IsObject() || !parts.IsArray() && !parts.IsObject() {
			continue
		}
		left := len(parts.Array())
		some := left > 0
		if first := firstCall(parts); sentinel && first >= 0 {
			part := place + ".parts"
			if parts.IsArray() {
				part += "." + strconv.Itoa(first)
			}
			if call := gjson.Get(body, part); !call.Get("thoughtSignature").Exists() && !call.Get("thought_signature").Exists() {
				edit(sjson.Set(body, part+".thoughtSignature", unsigned))
			}
		}
		for j := left - 1; j >= 0; j-- {
			part := place + ".parts"
			if parts.IsArray() {
				part += "." + strconv.Itoa(j)
			}
			if !gjson.Get(body, part).IsObject() {
				continue
			}
			for _, name := range []string{"thoughtSignature", "thought_signature"} {
				switch {
				case !sentinel || !gjson.Get(body, part+"."+name).Exists():
				case gjson.Get(body, part+".functionCall").Exists() || gjson.Get(body, part+".function_call").Exists():
					edit(sjson.Set(body, part+"."+name, unsigned))
				default:
					edit(sjson.Delete(body, part+"."+name))
				}
			}
			switch empty, signed := emptyPart(gjson.Get(body, part)); {
			case empty && !signed:
				left--
				if parts.IsArray() {
					edit(sjson.Delete(body, part))
				}
			case empty && !gjson.Get(body, part+".text").Exists():
				edit(sjson.Set(body, part+".text", ""))
			}
		}
		if some && left == 0 {
			edit(sjson.Delete(body, place))
		}
	}
	return body
}

// The id of a call is looked for once, even if the other ids of a request stand wherever
// the search goes.
func TestToolIDsAreSoughtOnce(t *testing.T) {
	const others = 20_000
	odd, taken := "an id with spaces", map[string]string{}
	for n := range others {
		seed := odd
		if n > 0 {
			seed += "#" + strconv.Itoa(n)
		}
		id := hashedID(seed, gateway.MaxClaudeToolID)
		if got := fitToolID(id, gateway.MaxClaudeToolID, false, taken); got != id {
			t.Fatalf("%s became %s", id, got)
		}
	}
	first := fitToolID(odd, gateway.MaxClaudeToolID, false, taken)
	// Each of the ids in the way is a hash with some allocations.
	if n := testing.AllocsPerRun(1000, func() {
		if got := fitToolID(odd, gateway.MaxClaudeToolID, false, taken); got != first {
			t.Fatalf("%s, then %s", first, got)
		}
	}); n > 5 {
		t.Errorf("it took %v allocations to find it again", n)
	}
}

// firstCall is where the first call of a content stands; -1 if it has none.
func firstCall(parts gjson.Result) int {
	for i, part := range parts.Array() {
		if part.Get("functionCall").Exists() || part.Get("function_call").Exists() {
			return i
		}
	}
	return -1
}
