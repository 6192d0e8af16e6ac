package api

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gateway"
)

// Ids are UUIDs of version 7 in the order of time, also within a millisecond, and no two of
// one moment are the same.
func TestIDsAreInTheOrderOfTime(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	before := ""
	for range 5000 {
		text := newID(at)
		id, err := uuid.Parse(text)
		if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 {
			t.Fatalf("%s: %v, version %d, %v", text, err, id.Version(), id.Variant())
		}
		seconds, ns := id.Time().UnixTime()
		if got := time.Unix(seconds, ns); got.UnixMilli() != at.UnixMilli() {
			t.Fatalf("%s is of %v, not %v", text, got, at)
		}
		if text <= before || newID(at) == text {
			t.Fatalf("%s follows %s", text, before)
		}
		before = text
		at = at.Add(time.Microsecond)
	}
}

func TestSaneIDs(t *testing.T) {
	for id, want := range map[string]bool{"": false, "a": true, "A.z_9-0": true, strings.Repeat("x", 128): true,
		strings.Repeat("x", 129): false, "a b": false, "a\n": false, "é": false, "a@": false, "[": false, "`": false, "{": false} {
		if saneID(id) != want {
			t.Errorf("%q: %v", id, !want)
		}
	}
}

// An answer that is whole tells its length, however long it is, and room that is used again
// for another leaves nothing of the one before.
func TestWholeAnswersTellTheirLength(t *testing.T) {
	for _, n := range []int{10, 5000, 300, 200_000, 1} {
		text := strings.Repeat("x", n)
		srv := serve(t, answers([]gateway.Chunk{{Text: text}, {Finish: gateway.FinishStop}}, io.EOF), nil)
		resp, body := post(t, srv, "/v1/chat/completions", ask)
		if resp.ContentLength != int64(len(body)) || !strings.Contains(body, `"content":"`+text+`"`) || !strings.HasSuffix(body, "}") {
			t.Errorf("%d bytes: length %d of %d", n, resp.ContentLength, len(body))
		}
	}
}

// The request's id has the header of the client's format too.
func TestIDHeaderOfTheFormat(t *testing.T) {
	srv := serve(t, answers([]gateway.Chunk{{Text: "x"}, {Finish: gateway.FinishStop}}, io.EOF), nil)
	resp, _ := post(t, srv, "/v1/messages", `{"model":"auto","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}`)
	if id := resp.Header.Get("request-id"); id == "" || id != resp.Header.Get("x-gateway-request-id") {
		t.Errorf("%v", resp.Header)
	}
}
