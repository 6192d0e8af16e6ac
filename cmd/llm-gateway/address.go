package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

const defaultPort = "8090"

// address makes host:port of a flag that may be a host, a port with a colon, or both.
// A missing host is loopback, a missing port is the given one.
func address(flag, port string) (string, error) {
	host := flag
	if h, p, err := net.SplitHostPort(flag); err == nil {
		host, port = h, p
	}
	host = strings.Trim(host, "[]")
	if host == "" {
		host = "127.0.0.1"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("%q is not a port: a number from 0 to 65535 is wanted", port)
	}
	return net.JoinHostPort(host, port), nil
}

// isLoopback says whether only this machine can reach the address.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// mayBind refuses an address that others can reach when nobody is asked for a key:
// whoever finds the port would spend our money.
func mayBind(addr string, keys, insecure bool) error {
	if keys || insecure || isLoopback(addr) {
		return nil
	}
	return fmt.Errorf("%s can be reached from other machines and no client key is set: "+
		"make one with `llm-gateway keys create` or set GATEWAY_API_KEYS, listen on 127.0.0.1, or pass --insecure-public-without-keys", addr)
}
