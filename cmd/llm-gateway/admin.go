package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gateway/api"
	"gateway/internal/http1"
)

// adminSettings say where the administration listens.
type adminSettings struct {
	addr  string // "" is loopback and the port after the clients'; off is nowhere
	pprof bool
}

func adminFlags(cmd *cobra.Command, a *adminSettings) {
	f := cmd.Flags()
	f.StringVar(&a.addr, "admin-addr", "", "where /admin listens: host, :port or host:port; 127.0.0.1 and the port after the clients' without it; off for nowhere")
	f.BoolVar(&a.pprof, "pprof", false, "serve profiles of the running program under /debug/pprof beside /admin")
}

// adminTokenVariable names the token; without it one is made and kept in a file.
const adminTokenVariable = "LLM_GATEWAY_ADMIN_TOKEN"

// listenAdmin opens the port of the administration: nil where there is none.
func (p *program) listenAdmin(ctx context.Context, a adminSettings, clients string) (net.Listener, error) {
	if a.addr == "off" {
		return nil, nil
	}
	_, port, err := net.SplitHostPort(clients)
	if err != nil {
		return nil, err
	}
	if n, err := strconv.Atoi(port); err == nil && n > 0 { // 0 is any free one here too
		port = strconv.Itoa(n%65535 + 1)
	}
	addr, err := address(a.addr, port)
	if err != nil {
		return nil, fmt.Errorf("--admin-addr: %w", err)
	}
	if !isLoopback(addr) && p.env.get(adminTokenVariable) == "" {
		return nil, fmt.Errorf("--admin-addr %s can be reached from other machines: set %s, or listen on 127.0.0.1", addr, adminTokenVariable)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w (choose another for /admin with --admin-addr, or --admin-addr off)", err)
	}
	return listener, nil
}

// adminToken is the token of the environment, or one that is made at the first start and
// kept where only the owner can read it.
func (p *program) adminToken(dir string) (token, where string, err error) {
	if token := p.env.get(adminTokenVariable); token != "" {
		return token, adminTokenVariable, nil
	}
	path := filepath.Join(dir, "admin-token")
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), path, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", "", fmt.Errorf("reading the token of the administration: %w", err)
	}
	token = rand.Text() + rand.Text() // 256 bits
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return "", "", fmt.Errorf("keeping the token of the administration: %w", err)
	}
	return token, path, nil
}

// admin makes the server of the administration.
func (p *program) admin(gw *assembled, kept api.KeyStore, dir string, a adminSettings, log *slog.Logger) (server *http1.Server, where string, err error) {
	token, where, err := p.adminToken(dir)
	if err != nil {
		return nil, "", err
	}
	handler, err := gw.edge.Admin(api.AdminConfig{Token: token, Keys: kept, Account: gw.books.Accounts.State, Pprof: a.pprof})
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", where, err)
	}
	return newServer(handler, log), where, nil
}
