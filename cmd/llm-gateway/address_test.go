package main

import (
	"strings"
	"testing"
)

func TestAddressTakesHostPortOrBoth(t *testing.T) {
	for flag, want := range map[string]string{
		"":               "127.0.0.1:8090",
		"127.0.0.1":      "127.0.0.1:8090",
		"0.0.0.0":        "0.0.0.0:8090",
		":9000":          "127.0.0.1:9000",
		"localhost:9000": "localhost:9000",
		"[::1]":          "[::1]:8090",
		"[::1]:9000":     "[::1]:9000",
		"::1":            "[::1]:8090",
	} {
		if got, err := address(flag, defaultPort); err != nil || got != want {
			t.Errorf("address(%q) = %q, %v; want %q", flag, got, err, want)
		}
	}
	for _, flag := range []string{":http", ":70000", ":-1"} {
		if got, err := address(flag, defaultPort); err == nil {
			t.Errorf("address(%q) = %q, want an error", flag, got)
		}
	}
}

func TestNobodyElseIsLetInWithoutKeys(t *testing.T) {
	for _, c := range []struct {
		addr           string
		keys, insecure bool
		ok             bool
	}{
		{"127.0.0.1:1", false, false, true},
		{"[::1]:1", false, false, true},
		{"localhost:1", false, false, true},
		{"0.0.0.0:1", false, false, false},
		{"[::]:1", false, false, false},
		{"192.168.0.1:1", false, false, false},
		{"host.example:1", false, false, false},
		{"0.0.0.0:1", true, false, true},
		{"0.0.0.0:1", false, true, true},
	} {
		err := mayBind(c.addr, c.keys, c.insecure)
		if (err == nil) != c.ok {
			t.Errorf("mayBind(%q, keys %v, insecure %v) = %v, want allowed %v", c.addr, c.keys, c.insecure, err, c.ok)
		}
		if err != nil && !strings.Contains(err.Error(), "GATEWAY_API_KEYS") {
			t.Errorf("%v does not say what to set", err)
		}
	}
}
