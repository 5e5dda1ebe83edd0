// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A /probe as a scraper sees it, through the handler of the daemon; the server on the other side is part of the figures.

func BenchmarkProbeTCP(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	benchmarkProbe(b, "tcp", l.Addr().String())
}

func BenchmarkProbeHTTP(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "OK body\n") }))
	defer server.Close()
	benchmarkProbe(b, "http", server.URL)
}

func benchmarkProbe(b *testing.B, module, target string) {
	config := filepath.Join(b.TempDir(), "skywatch.yml")
	text := "modules: {tcp: {prober: tcp}, http: {prober: http}}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	p := &program{configFile: config, timeoutOffset: 0.5, logProber: "off", stderr: io.Discard}
	d, err := p.newDaemon(slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	handler := d.handler()
	r := httptest.NewRequest(http.MethodGet, "/probe?"+url.Values{"module": {module}, "target": {target}}.Encode(), nil)
	w := &discard{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		w.text.Reset()
		handler.ServeHTTP(w, r)
	}
	if !strings.Contains(w.text.String(), "\nprobe_success 1\n") {
		b.Fatalf("the probe failed:\n%s", w.text.String())
	}
}

// discard is a response that costs nothing.
type discard struct {
	header http.Header
	text   strings.Builder
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return d.text.Write(p) }
func (d *discard) WriteHeader(int)             {}
