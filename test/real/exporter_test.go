// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"skywatch/internal/probetest"
)

// exporter is skywatch or Debian's blackbox_exporter, running on a module file.
type exporter struct {
	*process
	name string
	port int
}

// probeRequest is one for a probe.
type probeRequest struct {
	name     string // says what is special about it
	module   string
	target   string
	hostname string
	timeout  string // the scraper's, as its header says it; "" = none
}

// exporters starts both with the same module file, and skywatch with each --compat. All look names up at the given server.
func exporters(t *testing.T, modules, nameserver string) (theirs *exporter, ours map[string]*exporter) {
	t.Helper()
	theirs = newExporter(t, "prometheus-blackbox-exporter", "blackbox", modules, nameserver)
	ours = map[string]*exporter{}
	for _, compat := range []string{"fixed", "exact"} {
		ours[compat] = newExporter(t, os.Getenv("SKYWATCH_BIN"), compat, modules, nameserver, "--compat="+compat)
	}
	return theirs, ours
}

func newExporter(t *testing.T, binary, name, modules, nameserver string, flags ...string) *exporter {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "blackbox.yml"), modules)
	writeFile(t, filepath.Join(dir, "resolv.conf"), "nameserver "+nameserver+"\noptions attempts:1\n")
	e := &exporter{name: name, port: probetest.HoldPort()}
	// A mount of its own keeps the names of the tests from the machine's resolver, and from the network.
	const own = `set -eu; mount --bind resolv.conf /etc/resolv.conf; exec "$@"`
	argv := append([]string{"--mount", "sh", "-c", own, "sh", binary, "--config.file=blackbox.yml", "--web.listen-address=" + address(e.port)}, flags...)
	cmd := exec.Command("unshare", argv...)
	cmd.Dir = dir
	e.process = launch(t, dir, name, cmd)
	eventually(t, name+" to be ready", answers200("http://"+address(e.port)+"/-/healthy"))
	return e
}

// probe asks for one.
func (e *exporter) probe(r probeRequest) answer {
	query := url.Values{}
	for key, value := range map[string]string{"module": r.module, "target": r.target, "hostname": r.hostname} {
		if value != "" {
			query.Set(key, value)
		}
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+address(e.port)+"/probe?"+query.Encode(), nil)
	if err != nil {
		return answer{body: err.Error()}
	}
	if r.timeout != "" {
		req.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", r.timeout)
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return answer{body: err.Error()} // a crash of one of them is a difference
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{body: err.Error()}
	}
	return answer{resp.StatusCode, resp.Header.Get("Content-Type"), string(body)}
}

// bothProbe asks two exporters at the same time, so that waiting is shared.
func bothProbe(theirs, ours *exporter, r probeRequest) (a, b answer, took time.Duration) {
	begin := time.Now()
	done := make(chan answer, 1)
	go func() { done <- theirs.probe(r) }()
	b = ours.probe(r)
	return <-done, b, time.Since(begin)
}
