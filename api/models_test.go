package api

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"slices"
	"testing"
)

// The list of models has the fields of OpenAI's, and no others.
func TestModelsHaveTheShapeOfTheFixture(t *testing.T) {
	want, err := os.ReadFile("testdata/models.response.json")
	if err != nil {
		t.Fatal(err)
	}
	srv := serve(t, answers(hello, io.EOF), nil)
	resp, err := http.Get(srv.URL + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := shape(t, got), shape(t, want); !reflect.DeepEqual(a, b) {
		t.Errorf("fields %v, want %v", a, b)
	}
}

// shape is the names of the list's fields and of its first model's.
func shape(t *testing.T, raw []byte) [2][]string {
	t.Helper()
	var list map[string]json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	var data []map[string]json.RawMessage
	if err := json.Unmarshal(list["data"], &data); err != nil || len(data) == 0 {
		t.Fatalf("%v in %s", err, raw)
	}
	return [2][]string{keysOf(list), keysOf(data[0])}
}

func keysOf(m map[string]json.RawMessage) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
