package fakeupstream

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRequestsAboveTheLimitAreRefused(t *testing.T) {
	s := start(t, Config{MaxInFlight: 1, AllowMarkers: true})
	url := s.URL() + "/v1/chat/completions"
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _, _ = ask(t, ctx, url, openAIBody("[[id:a]] [[fault:black-hole]]", ""))
	}()
	if _, err := s.Await(t.Context(), "a", Holding); err != nil {
		t.Fatal(err)
	}
	res, _, err := ask(t, t.Context(), url, openAIBody("hi", ""))
	if err != nil || res.StatusCode != 429 || res.Header.Get("Retry-After") != "" {
		t.Errorf("%v, %v", res, err)
	}
	if c := s.Counts(); c != (Counts{Requests: 2, InFlight: 1, Peak: 2}) {
		t.Errorf("counts %+v", c)
	}
	leave()
	<-gone
}

func TestMinuteLimitIsAnnounced(t *testing.T) {
	s := start(t, Config{RPM: 1})
	for i, want := range []int{200, 429} {
		res, _, err := ask(t, t.Context(), s.URL()+"/v1/chat/completions", openAIBody("hi", ""))
		if err != nil || res.StatusCode != want || res.Header.Get("X-Ratelimit-Remaining-Requests") != "0" {
			t.Errorf("%d: %v, %v", i, res, err)
		}
		if _, err := time.ParseDuration(res.Header.Get("X-Ratelimit-Reset-Requests")); err != nil {
			t.Error(err)
		}
		if i == 1 && res.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var w window
		for i, want := range []bool{true, true, false} {
			if _, _, ok := w.take(2, time.Now()); ok != want {
				t.Errorf("%d: %v", i, ok)
			}
		}
		time.Sleep(time.Minute)
		if left, _, ok := w.take(2, time.Now()); !ok || left != 1 {
			t.Errorf("after a minute: %d, %v", left, ok)
		}
	})
}

func TestRawBytesGoOutAsTheyAre(t *testing.T) {
	s := start(t, Config{})
	url := s.URL() + "/v1/chat/completions"
	s.ServeRaw(418, http.Header{"X-Odd": {"yes"}}, []byte("data: é\n\n"), 0)
	res, body, err := ask(t, t.Context(), url, `not even JSON`)
	if err != nil || res.StatusCode != 418 || body != "data: é\n\n" || res.Header.Get("X-Odd") != "yes" {
		t.Errorf("%v, %v, %q", res, err, body)
	}
	s.ServeRaw(200, nil, []byte("data: é\n\n"), 7)
	if _, body, err = ask(t, t.Context(), url, `{}`); err == nil || body != "data: \xc3" {
		t.Errorf("%v, %q; want the half and an error", err, body)
	}
	s.ServeRaw(0, nil, nil, 0)
	if res, _, err = ask(t, t.Context(), url, openAIBody("hi", "")); err != nil || res.StatusCode != 200 {
		t.Errorf("%v, %v", res, err)
	}
}

func TestCannedAnswersAreProper(t *testing.T) {
	for _, d := range dialects() {
		s := start(t, Config{Kind: d.kind, Canned: true, Tokens: 5})
		status, body := d.post(t, s, false, d.body("hi", false, nil, nil, nil))
		if text, _, _ := d.read(t, body); status != 200 || text != Text("canned", 5) {
			t.Errorf("%v: %d %q", d.kind, status, text)
		}
		want := bytes.Join(func() (all [][]byte) {
			for _, f := range s.canned.frames {
				all = append(all, f.data)
			}
			return all
		}(), nil)
		if _, body = d.post(t, s, true, d.body("hi", true, nil, nil, nil)); body != string(want) || strings.Count(body, "\n") < 5 {
			t.Errorf("%v: %q", d.kind, body)
		}
	}
}
