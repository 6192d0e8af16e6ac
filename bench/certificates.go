package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificates are the files of an authority that lives as long as a run, and of the one
// server that it vouches for, on loopback.
type certificates struct{ authority, server, key string }

// newCertificates makes them in a folder.
func newCertificates(folder string) (*certificates, error) {
	c := &certificates{
		authority: filepath.Join(folder, "authority.pem"),
		server:    filepath.Join(folder, "server.pem"),
		key:       filepath.Join(folder, "server-key.pem"),
	}
	signing, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serving, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "llm-gateway bench"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, one := range []struct {
		file      string
		made      *x509.Certificate
		publicKey *ecdsa.PublicKey
	}{{c.authority, authority, &signing.PublicKey}, {c.server, server, &serving.PublicKey}} {
		der, err := x509.CreateCertificate(rand.Reader, one.made, authority, one.publicKey, signing)
		if err != nil {
			return nil, err
		}
		if err := writePEM(one.file, "CERTIFICATE", der); err != nil {
			return nil, err
		}
	}
	der, err := x509.MarshalPKCS8PrivateKey(serving)
	if err != nil {
		return nil, err
	}
	return c, writePEM(c.key, "PRIVATE KEY", der)
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// trust has this process and those that it starts trust the authority, by the variable
// that Go's programs read, once, with their first call over TLS.
func (c *certificates) trust() error { return os.Setenv("SSL_CERT_FILE", c.authority) }
