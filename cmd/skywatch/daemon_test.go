// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"skywatch/internal/record"
)

// output takes what a program writes, from several goroutines.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// testDaemon is a daemon whose handler is called without a network.
type testDaemon struct {
	*daemon
	http.Handler
	stderr *output
}

// newTestDaemon makes the parts of a daemon as the command line says; none of them runs.
func newTestDaemon(t *testing.T, configuration string, args ...string) testDaemon {
	t.Helper()
	path := filepath.Join(t.TempDir(), "skywatch.yml")
	if err := os.WriteFile(path, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	return testDaemonAt(t, path, args...)
}

// testDaemonAt is newTestDaemon of a file that is there.
func testDaemonAt(t *testing.T, path string, args ...string) testDaemon {
	t.Helper()
	stderr := new(output)
	p := &program{stdout: io.Discard, stderr: stderr}
	if _, done, err := p.parse(append(args, "--config.file="+path)); err != nil || done {
		t.Fatalf("command line: %v, done %v", err, done)
	}
	d, err := p.newDaemon(p.logger())
	if err != nil {
		t.Fatal(err)
	}
	if d.place, err = p.place(); err != nil {
		t.Fatal(err)
	}
	return testDaemon{d, d.handler(), stderr}
}

// remembering runs history and alerting until the test ends.
func (d testDaemon) remembering(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- inOrder(ctx, d.alert, d.remember) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-d.opened
	if err := d.store.Err(); err != nil {
		t.Fatal(err)
	}
}

// steady asks the history until it answers: it gives up soon where the disk or the machine is busy, which is no fault here.
func steady[T any](t *testing.T, ask func() (T, error)) T {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		answer, err := ask()
		if err == nil {
			return answer
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// settle waits until the history has done what was asked of it. Whoever writes waits for the disk a second at most, and for its turn.
func (d testDaemon) settle(t *testing.T) {
	t.Helper()
	steady(t, func() ([]record.Stored, error) { return d.store.Recent(t.Context(), 1) })
}

// ask makes a request; headers come in pairs.
func (d testDaemon) ask(method, url string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, body)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

func (d testDaemon) get(url string, headers ...string) *httptest.ResponseRecorder {
	return d.ask(http.MethodGet, url, nil, headers...)
}

// metric gives the line of a series on our own /metrics, without its name; "" when it is not there.
func (d testDaemon) metric(series string) string {
	for line := range strings.Lines(d.get("/metrics").Body.String()) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSuffix(value, "\n")
		}
	}
	return ""
}
