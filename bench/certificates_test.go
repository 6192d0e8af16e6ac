package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// The provider of a run over TLS is trusted by its authority alone, speaks HTTP/2, and
// gives the answers of the plain one.
func TestProviderOverTLS(t *testing.T) {
	made, err := newCertificates(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	said, say := io.Pipe()
	ended := make(chan error, 1)
	go func() { // ends with ctx
		ended <- runUpstream(ctx, []string{"-certificate", made.server, "-key", made.key, "-tokens", "3"}, say)
	}()
	line := make([]byte, 100)
	n, err := said.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	found := address.FindSubmatch(line[:n])
	if found == nil || !strings.HasPrefix(string(found[1]), "https://") {
		t.Fatalf("it said %q", line[:n])
	}
	authority, err := os.ReadFile(made.authority)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	target, err := newTarget(string(found[1]), "", "m", true, 10)
	if err != nil {
		t.Fatal(err)
	}
	if s := target.do(t.Context(), time.Now()); s.err == nil {
		t.Error("it is trusted by whoever asks")
	}
	trusting := newClient().Transport.(*http.Transport)
	trusting.TLSClientConfig = &tls.Config{RootCAs: roots}
	defer trusting.CloseIdleConnections()
	target.client.Transport = trusting
	res, err := target.post(t.Context(), target.body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.ProtoMajor != 2 || strings.Count(string(body), "token ") != 3 || !strings.Contains(string(body), "[DONE]") {
		t.Errorf("%s, %v: %s", res.Proto, err, body)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
