// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

var quiet = slog.New(slog.DiscardHandler)

func TestPEMCacheParsesOncePerContent(t *testing.T) {
	first, second := probetest.NewCA(t), probetest.NewCA(t)
	path := first.File()
	o := Options{pems: new(pemCache)}
	load := func() *pemText {
		t.Helper()
		text, err := o.pems.load(o, path, quiet)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	write := func(data []byte, stamp int64) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Unix(stamp, 0)); err != nil {
			t.Fatal(err)
		}
	}
	one := load()
	if load() != one {
		t.Error("an unchanged file was read again")
	}
	write(first.PEM, 1)
	if load() != one {
		t.Error("a touched file with the same content was parsed again")
	}
	write(second.PEM, 2)
	changed := load()
	if changed == one {
		t.Error("a changed file was not read")
	}
	pool, err := changed.pool()
	again, _ := changed.pool()
	if err != nil || pool != again || !pool.Equal(second.Pool()) {
		t.Errorf("pool of the changed file: %v", err)
	}
}

func TestPEMPairParsesOnce(t *testing.T) {
	ca := probetest.NewCA(t)
	certPEM, keyPEM := probetest.PairPEM(t, ca.Good())
	_, otherKey := probetest.PairPEM(t, ca.Good())
	cert, key := newPEM(certPEM), newPEM(keyPEM)
	one, err := cert.withKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if two, _ := cert.withKey(key); two.PrivateKey != one.PrivateKey {
		t.Error("the pair was parsed again")
	}
	if _, err := cert.withKey(newPEM(otherKey)); err == nil {
		t.Error("a foreign key was accepted")
	}
}

// TestFilesAreFound looks beside the configuration for what the working directory does not have, and says in the trace what was used.
func TestFilesAreFound(t *testing.T) {
	ca := probetest.NewCA(t)
	path := ca.File()
	res, _ := handshake(t, TLSConfig{CAFile: "ca.pem"}, "localhost", Options{ConfigDir: filepath.Dir(path)}, probetest.Config(ca.Good()))
	if !res.Success() || !strings.Contains(res.Trace.String(), "using file path="+path) {
		t.Errorf("%s\n%s", res.Err, res.Trace)
	}
	t.Chdir(filepath.Dir(path))
	res, _ = handshake(t, TLSConfig{CAFile: "ca.pem"}, "localhost", Options{ConfigDir: t.TempDir()}, probetest.Config(ca.Good()))
	if !res.Success() || !strings.Contains(res.Trace.String(), "using file path=ca.pem") {
		t.Errorf("%s\n%s", res.Err, res.Trace)
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	empty := probetest.WriteFile(t, "empty.pem", nil)
	for want, conf := range map[string]TLSConfig{
		`opening "nosuch.pem": no such file or directory, want a readable file`:                                                                 {CAFile: "nosuch.pem"},
		`reading the CA "` + empty + `": no certificate found, want PEM text`:                                                                   {CAFile: empty},
		`opening "nokey.pem": no such file or directory, want a readable file`:                                                                  {CertFile: empty, KeyFile: "nokey.pem"},
		`reading the client certificate "` + empty + `": tls: failed to find any PEM data in certificate input, want a certificate and its key`: {CertFile: empty, KeyFile: empty},
	} {
		if err := conf.validate(); err != nil {
			t.Errorf("a file is opened at load: %v", err)
		}
		_, err := conf.client("x", Options{ConfigDir: t.TempDir()}, quiet)
		if err == nil || err.Error() != want || probe.ReasonOf(err) != probe.ReasonConfig {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
