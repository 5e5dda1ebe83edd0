// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/crypto/bcrypt"

	"skywatch/internal/probetest"
)

// patience is how long a test waits for what must happen; it passes only when the test is about to fail.
const patience = time.Minute

// held is an address that nobody else gets when the server on it has gone.
func held() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(probetest.HoldPort())) }

// addresses is a log handler that hears where the server listens.
type addresses struct {
	slog.Handler
	heard chan string
}

func (a addresses) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "Listening on" {
		r.Attrs(func(attr slog.Attr) bool { a.heard <- attr.Value.String(); return true })
	}
	return nil
}

func (addresses) Enabled(context.Context, slog.Level) bool { return true }

// started is a server under test.
type started struct {
	at    []string // addresses
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, h http.Handler, configFile string, listen ...string) *started {
	t.Helper()
	return startWith(t, h, shutdownTimeout, configFile, listen...)
}

func startWith(t *testing.T, h http.Handler, grace time.Duration, configFile string, listen ...string) *started {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &started{stop: stop, ended: make(chan error, 1)}
	heard := make(chan string, len(listen))
	no := false
	flags := &web.FlagConfig{WebListenAddresses: &listen, WebSystemdSocket: &no, WebConfigFile: &configFile}
	listeners, err := Listen(flags)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		s.ended <- serveAll(ctx, h, listeners, flags, slog.New(addresses{slog.DiscardHandler, heard}), grace)
	}()
	for range listen {
		select {
		case address := <-heard:
			s.at = append(s.at, address)
		case err := <-s.ended:
			stop()
			t.Fatalf("server ended: %v", err)
		}
	}
	return s
}

func (s *started) end(t *testing.T) {
	t.Helper()
	s.stop()
	if err := <-s.ended; err != nil {
		t.Errorf("server ended with %v, want nil", err)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestServeSeveralAddresses(t *testing.T) {
	defer probetest.NoneLeft(t)
	s := start(t, NewHandler(someOptions(t)), "", held(), "127.0.0.1:0", "[::1]:0")
	for _, address := range s.at {
		if got := fetch(t, "http://"+address+"/-/healthy", http.StatusOK); got != "Healthy" {
			t.Errorf("%s: %q", address, got)
		}
	}
	s.end(t)
	if _, err := http.Get("http://" + s.at[0]); err == nil {
		t.Error("the server still answers")
	}
}

func TestServeBasicAuth(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("open sesame"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, NewHandler(someOptions(t)), configFile(t, "basic_auth_users:\n  admin: "+string(hash)+"\n"), "127.0.0.1:0", "127.0.0.1:0")
	defer s.end(t)
	for _, address := range s.at {
		for password, want := range map[string]int{"open sesame": http.StatusOK, "wrong": http.StatusUnauthorized, "": http.StatusUnauthorized} {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
			if password != "" {
				r.SetBasicAuth("admin", password)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("password %q: status %d, want %d", password, answer.StatusCode, want)
			}
		}
	}
}

func TestServeTLS(t *testing.T) {
	lender := httptest.NewTLSServer(nil) // lends its certificate and a client that trusts it
	defer lender.Close()
	pair := lender.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	path := configFile(t, "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\nhttp_server_config:\n  headers:\n    Strict-Transport-Security: max-age=60\n")
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, NewHandler(someOptions(t)), path, "127.0.0.1:0")
	defer s.end(t)
	client := lender.Client()
	defer client.CloseIdleConnections()
	answer, err := client.Get("https://" + s.at[0] + "/")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.TLS == nil || answer.Header.Get("Strict-Transport-Security") != "max-age=60" {
		t.Errorf("status %d, TLS %v, headers %v", answer.StatusCode, answer.TLS != nil, answer.Header)
	}
}

// TestShutdownLetsRequestsEnd ends the server while one answer is being made.
func TestShutdownLetsRequestsEnd(t *testing.T) {
	arrived, goOn := make(chan struct{}), make(chan struct{})
	s := startWith(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-goOn
		io.WriteString(w, "done")
	}), patience, "", held())
	answered := make(chan error, 1)
	go func() {
		answer, err := http.Get("http://" + s.at[0])
		if err == nil {
			var body []byte
			if body, err = io.ReadAll(answer.Body); string(body) != "done" {
				err = errors.Join(err, errors.New("the answer was cut"))
			}
			answer.Body.Close()
		}
		answered <- err
	}()
	<-arrived
	s.stop()
	for {
		conn, err := net.Dial("tcp", s.at[0])
		if err != nil {
			break // the listener is closed: the shutdown has begun
		}
		conn.Close()
	}
	close(goOn)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	s.end(t)
}

// TestShutdownIsBounded ends the server under a request that goes on until it is told to stop.
func TestShutdownIsBounded(t *testing.T) {
	defer probetest.NoneLeft(t)
	arrived, left := make(chan struct{}), make(chan struct{})
	s := startWith(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		defer close(left)
		close(arrived)
		<-r.Context().Done()
	}), time.Millisecond, "", "127.0.0.1:0")
	answered := make(chan error, 1)
	go func() {
		answer, err := http.Get("http://" + s.at[0])
		if err == nil {
			answer.Body.Close()
		}
		answered <- err
	}()
	<-arrived
	s.end(t)
	select {
	case <-left:
	default:
		t.Error("the server returned before its request had ended")
	}
	if err := <-answered; err == nil {
		t.Error("the request was answered, want it cut")
	}
}
