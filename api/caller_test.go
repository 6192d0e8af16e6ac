package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"gateway"
)

// ringOf makes keys of which each one's secret is "secret-" and its id.
func ringOf(t *testing.T, keys ...gateway.Key) *Keys {
	t.Helper()
	k, err := NewKeys("")
	if err != nil {
		t.Fatal(err)
	}
	k.Set(keys, secretsOf(keys...))
	return k
}

func secretsOf(keys ...gateway.Key) (out []gateway.Secret) {
	for _, k := range keys {
		if !k.Team {
			out = append(out, gateway.Secret{Hash: sha256.Sum256([]byte("secret-" + k.ID)), Key: k.ID})
		}
	}
	return out
}

// bearer is the header of a key's secret.
func bearer(id string) []string { return []string{"Authorization", "Bearer secret-" + id} }

func TestKeysThatLetNobodyIn(t *testing.T) {
	now := time.Now()
	keys := []gateway.Key{{ID: "good"}, {ID: "expired", Expires: now.Add(-time.Second)}, {ID: "soon", Expires: now.Add(time.Hour)},
		{ID: "revoked", Revoked: now}, {ID: "team", Team: true, Revoked: now}, {ID: "orphan", Parent: "team"}, {ID: "rotated"}}
	k := ringOf(t, keys...)
	secrets := append(secretsOf(keys...), gateway.Secret{Hash: sha256.Sum256([]byte("secret-old")), Key: "good", Until: now.Add(-time.Second)},
		gateway.Secret{Hash: sha256.Sum256([]byte("secret-overlap")), Key: "good", Until: now.Add(time.Hour)},
		gateway.Secret{Hash: sha256.Sum256([]byte("secret-lost")), Key: "no such key"})
	k.Set(keys, secrets)
	srv := serve(t, answers(hello, io.EOF), func(c *Config) { c.Keys = k })
	for id, want := range map[string]string{"good": "", "soon": "", "overlap": "", "expired": "has expired", "revoked": "was revoked", "orphan": "team of the API key was revoked",
		"old": "was replaced", "lost": "not known", "unknown": "not known", "team": "not known"} {
		resp, body := post(t, srv, "/v1/chat/completions", ask, bearer(id)...)
		if (resp.StatusCode == 200) != (want == "") || want != "" && (resp.StatusCode != 401 || !strings.Contains(body, want) || !strings.Contains(body, `"code":"invalid_api_key"`)) {
			t.Errorf("%s: %d %s", id, resp.StatusCode, body)
		}
	}
}

// Without any key nobody is asked for one; with the first that is made, everybody is.
func TestTheFirstKeyLocksTheDoor(t *testing.T) {
	k := ringOf(t)
	srv := serve(t, answers(hello, io.EOF), func(c *Config) { c.Keys = k })
	if resp, body := post(t, srv, "/v1/chat/completions", ask); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	k.Set([]gateway.Key{{ID: "a", Revoked: time.Now()}}, nil)
	if resp, _ := post(t, srv, "/v1/chat/completions", ask); resp.StatusCode != 401 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestLookUpsDoNotAllocate(t *testing.T) {
	k, now := ringOf(t, gateway.Key{ID: "a"}), time.Now()
	if n := testing.AllocsPerRun(100, func() {
		if who, err := k.find("secret-a", now); who == nil || err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLimitsPerMinute(t *testing.T) {
	keys := []gateway.Key{{ID: "rpm", RPM: 2}, {ID: "tpm", TPM: 1000}, {ID: "team", Team: true, RPM: 3}, {ID: "a", Parent: "team", RPM: 100}, {ID: "b", Parent: "team"}}
	k := ringOf(t, keys...)
	srv := serve(t, answers(hello, io.EOF), func(c *Config) { c.Keys = k })
	want := func(id string, status int, body string) *http.Response {
		t.Helper()
		resp, got := post(t, srv, "/v1/chat/completions", ask, bearer(id)...)
		if resp.StatusCode != status || !strings.Contains(got, body) {
			t.Fatalf("%s: %d %s", id, resp.StatusCode, got)
		}
		return resp
	}
	if h := want("rpm", 200, "").Header; h.Get("x-ratelimit-limit-requests") != "2" || h.Get("x-ratelimit-remaining-requests") != "1" || h.Get("x-ratelimit-reset-requests") != "30s" {
		t.Errorf("%v", h)
	}
	want("rpm", 200, "")
	if h := want("rpm", 429, "limit of 2 requests per minute").Header; h.Get("Retry-After") != "30" || h.Get("x-ratelimit-remaining-requests") != "0" || h.Get("x-should-retry") != "" {
		t.Errorf("%v", h)
	}
	// The request took its prompt at first and 12 tokens in the end.
	if h := want("tpm", 200, "").Header; h.Get("x-ratelimit-limit-tokens") != "1000" {
		t.Errorf("%v", h)
	}
	if h := want("tpm", 200, "").Header; h.Get("x-ratelimit-remaining-tokens") < "980" || h.Get("x-ratelimit-remaining-tokens") > "990" {
		t.Errorf("%v", h) // 1000 - 12 - this prompt
	}
	for _, id := range []string{"a", "b", "a"} {
		want(id, 200, "")
	}
	if h := want("b", 429, "The team of the API key is at its limit of 3 requests").Header; h.Get("x-ratelimit-limit-requests") != "3" {
		t.Errorf("%v", h)
	}
	want("a", 429, "The team")
	if left := k.ring.Load().byHash[sha256.Sum256([]byte("secret-a"))].caller.key.requests.take(time.Now(), 0, 100).left; left != 98 {
		t.Errorf("a request that the team refused was counted against the key: %d left", left)
	}
	// A raised limit acts at once.
	keys[0].RPM = 1000
	k.Set(keys, secretsOf(keys...))
	waitFor(t, func() bool { // a thousandth of a minute
		resp, _ := post(t, srv, "/v1/chat/completions", ask, bearer("rpm")...)
		return resp.StatusCode == 200
	})
}

// A long answer is paid for afterwards: the next request waits.
func TestTokensThatWereNotForeseen(t *testing.T) {
	k := ringOf(t, gateway.Key{ID: "a", TPM: 100})
	chunks := []gateway.Chunk{{Text: "x"}, {Finish: gateway.FinishStop, Usage: &gateway.Usage{Fresh: 10, Output: 240, Reported: true}}}
	srv := serve(t, answers(chunks, io.EOF), func(c *Config) { c.Keys = k })
	for _, stream := range []string{"", `"stream":true,`} {
		k.Set([]gateway.Key{{ID: "a" + stream, TPM: 100}}, []gateway.Secret{{Hash: sha256.Sum256([]byte("secret-a")), Key: "a" + stream}})
		body := "{" + stream + ask[1:]
		if resp, got := post(t, srv, "/v1/chat/completions", body, bearer("a")...); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, got)
		}
		resp, got := post(t, srv, "/v1/chat/completions", body, bearer("a")...)
		if retry := resp.Header.Get("Retry-After"); resp.StatusCode != 429 || !strings.Contains(got, "100 tokens per minute") || retry < "85" || retry > "91" {
			t.Errorf("%d %s %v", resp.StatusCode, got, resp.Header)
		}
	}
	// One that is larger than the whole minute is let through when all of the minute is there.
	k.Set([]gateway.Key{{ID: "b", TPM: 100}}, []gateway.Secret{{Hash: sha256.Sum256([]byte("secret-b")), Key: "b"}})
	if resp, got := post(t, srv, "/v1/chat/completions", `{"max_tokens":2147483648,`+ask[1:], bearer("b")...); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, got)
	}
}

// held are streams that stay open until their context ends, as the actors' do.
func held(begun chan<- context.Context) routed {
	return func(ctx context.Context, req *gateway.Request) (*gateway.Answer, error) {
		s := &openStream{ctx: ctx, first: make(chan struct{}, 1)}
		s.first <- struct{}{}
		begun <- ctx
		return &gateway.Answer{Provider: "deepseek", Model: "deepseek-flash", Attempts: 1, Stream: s}, nil
	}
}

type openStream struct {
	ctx   context.Context
	first chan struct{}
}

func (o *openStream) Next() (gateway.Chunk, error) {
	select {
	case <-o.first:
		return gateway.Chunk{Text: "half of it"}, nil
	case <-o.ctx.Done():
		return gateway.Chunk{}, gateway.Errorf(gateway.Canceled, "the client left")
	}
}
func (o *openStream) Close() error { return nil }

func TestRunningRequestsEndWithWhatAllowedThem(t *testing.T) {
	for name, c := range map[string]struct {
		change func(k *gateway.Key)
		ends   int // of three streams
		want   string
	}{
		"revoked":            {func(k *gateway.Key) { k.Revoked = time.Now() }, 3, "The API key was revoked."},
		"expired":            {func(k *gateway.Key) { k.Expires = time.Now().Add(-time.Second) }, 3, "The API key has expired."},
		"another model only": {func(k *gateway.Key) { k.Models = []string{"openai/*"} }, 3, "may no longer use this model"},
		"this model only":    {func(k *gateway.Key) { k.Models = []string{"deepseek/*"} }, 0, ""},
		"one at a time":      {func(k *gateway.Key) { k.Parallel = 1 }, 2, "may now have 1 requests"},
		"a lower rate":       {func(k *gateway.Key) { k.RPM = 1 }, 0, ""}, // of requests to come
	} {
		t.Run(name, func(t *testing.T) {
			key := gateway.Key{ID: "a"}
			k := ringOf(t, key)
			begun := make(chan context.Context, 3)
			srv := serve(t, held(begun), func(c *Config) { c.Keys = k })
			ctx, stop := context.WithCancel(t.Context())
			bodies := make(chan string, 3)
			for range 3 {
				go func() { // ends with its stream
					req, _ := http.NewRequestWithContext(ctx, "POST", srv.URL+"/v1/chat/completions", strings.NewReader(`{"stream":true,`+ask[1:]))
					req.Header.Set("Authorization", "Bearer secret-a")
					resp, err := http.DefaultClient.Do(req)
					if err != nil {
						bodies <- err.Error()
						return
					}
					defer resp.Body.Close()
					b, _ := io.ReadAll(resp.Body)
					bodies <- string(b)
				}()
			}
			for range 3 {
				<-begun
			}
			waitFor(t, func() bool { return answered(k) == 3 })
			c.change(&key)
			k.Set([]gateway.Key{key}, secretsOf(key))
			for range c.ends {
				if body := <-bodies; !strings.Contains(body, "half of it") || !strings.Contains(body, c.want) || strings.Contains(body, "[DONE]") || !strings.Contains(body, `"error"`) {
					t.Errorf("%s", body)
				}
			}
			waitFor(t, func() bool { return answered(k) == 3-c.ends })
			stop()
			for range 3 - c.ends {
				<-bodies
			}
			waitFor(t, func() bool { return answered(k) == 0 })
		})
	}
}

// answered are the running requests whose model is known.
func answered(k *Keys) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.meters["a"].newest() {
		if r.by.Load() != nil {
			n++
		}
	}
	return n
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("did not happen within 5s")
		}
	}
}

// A key that expires while it streams ends at the next sweep, before its content too.
func TestSweepEndsWhatExpires(t *testing.T) {
	k := ringOf(t, gateway.Key{ID: "a", Expires: time.Now().Add(200 * time.Millisecond), Parallel: 1})
	ended := make(chan error, 1)
	srv := serve(t, func(ctx context.Context, _ *gateway.Request) (*gateway.Answer, error) {
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil, gateway.Errorf(gateway.Canceled, "the client left")
	}, func(c *Config) { c.Keys = k })
	go func() { // ends with the test's request
		for len(ended) == 0 {
			k.Sweep(time.Now())
			time.Sleep(10 * time.Millisecond)
		}
	}()
	resp, body := post(t, srv, "/v1/chat/completions", ask, bearer("a")...)
	if resp.StatusCode != 401 || !strings.Contains(body, "has expired") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestParallelIsBounded(t *testing.T) {
	k := ringOf(t, gateway.Key{ID: "team", Team: true, Parallel: 2}, gateway.Key{ID: "a", Parent: "team", Parallel: 1}, gateway.Key{ID: "b", Parent: "team"})
	begun, release := make(chan struct{}, 9), make(chan struct{})
	srv := serve(t, func(ctx context.Context, req *gateway.Request) (*gateway.Answer, error) {
		begun <- struct{}{}
		<-release
		return answers(hello, io.EOF)(ctx, req)
	}, func(c *Config) { c.Keys = k })
	results := make(chan int, 2)
	for _, id := range []string{"a", "b"} {
		go func() { // ends when released
			resp, _ := post(t, srv, "/v1/chat/completions", ask, bearer(id)...)
			results <- resp.StatusCode
		}()
		<-begun
	}
	for id, want := range map[string]string{"a": "The API key is at its limit of 1 requests at one time", "b": "The team of the API key is at its limit of 2 requests"} {
		resp, body := post(t, srv, "/v1/chat/completions", ask, bearer(id)...)
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "1" || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", id, resp.StatusCode, body)
		}
	}
	close(release)
	for range 2 {
		if got := <-results; got != 200 {
			t.Errorf("%d", got)
		}
	}
	if resp, _ := post(t, srv, "/v1/chat/completions", ask, bearer("a")...); resp.StatusCode != 200 {
		t.Errorf("its place was not given back: %d", resp.StatusCode)
	}
}

func TestRequestsAreSignedByTheirKey(t *testing.T) {
	var got *gateway.Request
	k := ringOf(t, gateway.Key{ID: "team", Team: true, Models: []string{"deepseek/*"}, Tags: map[string]string{"cost": "7", "env": "dev"}, Clamp: true,
		Budget: gateway.Budget{Limited: true, Limit: 9}, ModelMap: map[string]string{"fast": "team-fast", "big": "deepseek/b"}},
		gateway.Key{ID: "a", Parent: "team", Tags: map[string]string{"env": "prod"}, ModelMap: map[string]string{"fast": "deepseek/deepseek-flash"},
			Budget: gateway.Budget{Limited: true, Limit: 5, Every: gateway.Daily}})
	srv := serve(t, func(ctx context.Context, req *gateway.Request) (*gateway.Answer, error) {
		got = req
		return answers(hello, io.EOF)(ctx, req)
	}, func(c *Config) { c.Keys = k })
	if resp, body := post(t, srv, "/v1/chat/completions", strings.Replace(ask, "auto", "fast", 1), append(bearer("a"), "x-gateway-tags", "env=mine, feature=search")...); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	if s := fmt.Sprint(got.Key, got.Team, got.Model, got.Allowed, got.Tags, got.Accounts, gateway.MapModel(got.Model, got.ModelMaps...)); s !=
		"ateamfast[[deepseek/*]] map[cost:7 env:prod feature:search] [{a {true 5 day } false 2} {team {true 9  } true 2}]deepseek/deepseek-flash" {
		t.Error(s)
	}
	for _, header := range []string{"env", "a=1,a=2", "a b=c", "x=" + strings.Repeat("y", 200)} {
		if resp, body := post(t, srv, "/v1/chat/completions", ask, append(bearer("a"), "x-gateway-tags", header)...); resp.StatusCode != 400 || !strings.Contains(body, "x-gateway-tags") {
			t.Errorf("%q: %d %s", header, resp.StatusCode, body)
		}
	}
	resp, body := get(t, srv.URL+"/v1/models", "a")
	if resp.StatusCode != 200 || !strings.Contains(body, "deepseek/deepseek-flash") || strings.Contains(body, "text-embedding") {
		t.Errorf("%s", body)
	}
	for id, want := range map[string]int{"deepseek/deepseek-flash": 200, "text-embedding-3-small": 404} {
		if resp, _ := get(t, srv.URL+"/v1/models/"+id, "a"); resp.StatusCode != want {
			t.Errorf("%s: %d", id, resp.StatusCode)
		}
	}
}

// What bounds a request is what its key says when the body has come, not when the head did.
func TestRequestsAreSignedWhenTheyAreWhole(t *testing.T) {
	var got *gateway.Request
	key := gateway.Key{ID: "a", Budget: gateway.Budget{Limited: true, Limit: 100}}
	team := gateway.Key{ID: "team", Team: true, Budget: gateway.Budget{Limited: true, Limit: 9}}
	k := ringOf(t, key)
	srv := serve(t, func(ctx context.Context, req *gateway.Request) (*gateway.Answer, error) {
		got = req
		return answers(hello, io.EOF)(ctx, req)
	}, func(c *Config) { c.Keys = k })
	body, write := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/v1/chat/completions", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(bearer("a")[0], bearer("a")[1])
	go func() { // ends with the request
		io.WriteString(write, ask[:10])
		for k.present(newCaller(&member{Key: &key}, nil, 0)).key.running() == 0 {
			time.Sleep(time.Millisecond)
		}
		key.Budget.Limit, key.Parent, key.Models = 5, "team", []string{"only/*"}
		k.Set([]gateway.Key{key, team}, secretsOf(key))
		io.WriteString(write, ask[10:])
		write.Close()
	}()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if s := fmt.Sprint(got.Team, got.Allowed, got.Accounts); s != "team[[only/*]] [{a {true 5  } false 3} {team {true 9  } false 3}]" {
		t.Error(s)
	}
}

func get(t *testing.T, url, id string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if id != "" {
		req.Header.Set("Authorization", "Bearer secret-"+id)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp, string(b)
}

// The refusals are those that OpenAI's own clients know.
func TestRealSDKKnowsTheRefusals(t *testing.T) {
	k := ringOf(t, gateway.Key{ID: "rpm", RPM: 1}, gateway.Key{ID: "dead", Revoked: time.Now()}, gateway.Key{ID: "model"})
	srv := serve(t, func(ctx context.Context, req *gateway.Request) (*gateway.Answer, error) {
		if req.Key == "model" {
			return nil, gateway.Errorf(gateway.Forbidden, "the API key may not use this model")
		}
		return answers(hello, io.EOF)(ctx, req)
	}, func(c *Config) { c.Keys = k })
	params := openai.ChatCompletionNewParams{Model: "auto", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Hi")}}
	ask := func(id string) *openai.Error {
		client := openai.NewClient(option.WithBaseURL(srv.URL+"/v1"), option.WithAPIKey("secret-"+id), option.WithMaxRetries(0))
		_, err := client.Chat.Completions.New(t.Context(), params)
		var e *openai.Error
		errors.As(err, &e)
		return e
	}
	ask("rpm")
	for id, want := range map[string]string{"rpm": "429 rate_limit_exceeded rate_limit_error", "dead": "401 invalid_api_key invalid_request_error",
		"model": "403 model_not_found invalid_request_error"} {
		if e := ask(id); e == nil || fmt.Sprint(e.StatusCode, " ", e.Code, " ", e.Type) != want {
			t.Errorf("%s: %v", id, e)
		}
	}
}
