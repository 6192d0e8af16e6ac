package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// freePort is a port of loopback that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// call speaks to the administration.
func call(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// field is a string or number of a JSON object.
func jsonField(t *testing.T, text, name string) string {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return strings.Trim(string(all[name]), `"`)
}

func TestAdministration(t *testing.T) {
	dir, at := t.TempDir(), freePort(t)
	up := newUpstream(t, says("An answer."))
	base := serveGateway(t, configFile(t, entry{name: "one", url: up.URL, price: 1}), nil, "--data-dir", dir, "--admin-addr", at)
	file := filepath.Join(dir, "admin-token")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	token, admin := strings.TrimSpace(string(text)), "http://"+at+"/admin"
	want := func(method, path, body string, status int, parts ...string) string {
		t.Helper()
		code, got := call(t, method, admin+path, token, body)
		if code != status {
			t.Fatalf("%s %s: %d %s", method, path, code, got)
		}
		for _, part := range parts {
			if !strings.Contains(got, part) {
				t.Errorf("%s %s: %s, want %s", method, path, got, part)
			}
		}
		return got
	}
	want("GET", "/keys", "", 200, `{"keys":[]}`)
	want("POST", "/keys", `{"team":true,"alias":"red","budget":{"limit_usd":500,"every":"month","zone":"Europe/Vienna"}}`, 200, `"limit_microcents":50000000000`)
	made := want("POST", "/keys", `{"alias":"ci","parent":"red","rpm":100,"models":["one/*"],"tags":{"env":"test"}}`, 200, `"secret":"lgw_`, `"state":"active"`)
	id, secret := jsonField(t, made, "id"), jsonField(t, made, "secret")
	client := newClient(t)
	within(t, "a key that was made", func() bool {
		code, _ := chatStatus(t, client, base, "", plainAsk)
		return code == 401
	})
	if code, body := chatStatus(t, client, base, secret, plainAsk); code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	if code, body := call(t, "GET", base+"/v1/providers", secret, ""); code != 200 || !strings.Contains(body, `"ttft_p50_ns":`) {
		t.Errorf("%d %s", code, body)
	}
	want("GET", "/spend?by=key,team&last=1d", "", 200, `"key":"`+id+`"`)
	want("GET", "/spend?by=tag", "", 200, `"tag":"env=test"`)
	want("GET", "/providers", "", 200, `"name":"one"`)
	want("GET", "/room", "", 200, `"budget_bytes"`)
	want("PATCH", "/keys/ci", `{"rpm":null,"models":["other/*"]}`, 200, `"models":["other/*"]`)
	within(t, "the list of models", func() bool {
		code, _ := chatStatus(t, client, base, secret, plainAsk)
		return code == 403
	})
	newer := jsonField(t, want("POST", "/keys/ci/rotate", `{"overlap":"0s"}`, 200, `"secret":"lgw_`), "secret")
	within(t, "the rotation", func() bool {
		code, _ := chatStatus(t, client, base, secret, plainAsk)
		return code == 401
	})
	list := want("GET", "/keys", "", 200, `"alias":"ci"`)
	if strings.Contains(list, secret[14:]) || strings.Contains(list, newer[14:]) {
		t.Errorf("a secret is shown again: %s", list)
	}
	want("DELETE", "/keys/"+id, "", 200, `"state":"revoked"`)
	within(t, "the revocation", func() bool {
		code, _ := chatStatus(t, client, base, newer, plainAsk)
		return code == 401
	})
	want("GET", "/keys/ci", "", 200, `"state":"revoked"`)
	want("GET", "/keys?all=1", "", 200, id)
	want("GET", "/keys/nobody", "", 404, "key_not_found")
	want("POST", "/keys", `{"alais":"x"}`, 400, `did you mean \"alias\"?`, `"param":"alais"`)
	want("POST", "/keys", `{"rpm":-1}`, 400, `"param":"rpm"`)
	want("PATCH", "/keys/red", `{"team":false}`, 400, `"param":"team"`)
	want("GET", "/spend?teams=x", "", 400, `did you mean \"team\"?`)
	want("GET", "/spend?by=colour", "", 400, "cannot group by")
	want("GET", "/nothing", "", 404)
	want("PUT", "/keys", "", 405)
	if code, _ := call(t, "GET", "http://"+at+"/debug/pprof/", token, ""); code != 404 {
		t.Errorf("pprof is on without its flag: %d", code)
	}
	// Nobody comes in without the token, and no client route leads here.
	for _, path := range []string{"/admin/keys", "/admin/spend", "/nothing", "/debug/pprof/"} {
		for _, wrong := range []string{"", newer, token + "x", token[:len(token)-1]} {
			if code, body := call(t, "GET", "http://"+at+path, wrong, ""); code != 401 || strings.Contains(body, token[:8]) {
				t.Errorf("%s with %q: %d %s", path, wrong, code, body)
			}
		}
		if code, _ := call(t, "GET", base+path, token, ""); code != 404 {
			t.Errorf("%s on the clients' port: %d", path, code)
		}
	}
}

func TestAdministrationKeepsToItself(t *testing.T) {
	up := newUpstream(t, says("An answer."))
	config := configFile(t, entry{name: "one", url: up.URL, price: 1})
	for name, c := range map[string]struct {
		env   map[string]string
		flags []string
		want  string
	}{
		"a public address without a token": {nil, []string{"--admin-addr", "0.0.0.0:0"}, "set LLM_GATEWAY_ADMIN_TOKEN"},
		"a short token":                    {map[string]string{"LLM_GATEWAY_ADMIN_TOKEN": "short"}, nil, "at least 16 characters"},
	} {
		vars := map[string]string{"TEST_API_KEY": "test"}
		for k, v := range c.env {
			vars[k] = v
		}
		var complaint strings.Builder
		args := append([]string{"serve", "--providers", config, "--addr", "127.0.0.1:0", "--data-dir", t.TempDir()}, c.flags...)
		if code := run(t.Context(), t.Context(), args, only(vars), io.Discard, &complaint); code != 1 || !strings.Contains(complaint.String(), c.want) {
			t.Errorf("%s: exit %d %s", name, code, complaint.String())
		}
	}
	at := freePort(t)
	serveGateway(t, config, map[string]string{"LLM_GATEWAY_ADMIN_TOKEN": "a-token-of-the-operator"}, "--admin-addr", at, "--pprof")
	if code, body := call(t, "GET", "http://"+at+"/debug/pprof/goroutine?debug=1", "a-token-of-the-operator", ""); code != 200 || !strings.Contains(body, "goroutine profile") {
		t.Errorf("%d %.80s", code, body)
	}
	serveGateway(t, config, nil, "--admin-addr", "off")
}
