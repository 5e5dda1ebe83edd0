// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probetest"
)

// laterSeries are those that 0.23 does not have; see the list of meant differences.
var laterSeries = []string{"probe_failure_info", "probe_timeout_seconds", "probe_tls_cipher_info", "probe_failed_due_to_bytes"}

// TestPrometheus lets Debian's Prometheus scrape both exporters by the relabelling that README shows. The series must be the same.
func TestPrometheus(t *testing.T) {
	s := newScene(t)
	theirs, ours := exporters(t, s.modules(), serveNames(t))
	targets := map[string][]string{
		"https": {s.secureURL("/"), s.url("/redir/3"), s.url("/status/503"), "https://" + probetest.RefusedAddr(t), "http://nosuch.skywatch.test/"},
		"tcp":   {address(s.http), probetest.RefusedAddr(t), "127.0.0.1"},
		"dns_a": {address(s.dns), probetest.RefusedAddr(t)},
		"icmp":  {"127.0.0.1", "nosuch.skywatch.test"},
	}
	all := 0
	for _, list := range targets {
		all += len(list)
	}
	prometheus := s.prometheus(readme(t), targets, map[string]int{"skywatch": ours["fixed"].port, "blackbox": theirs.port})
	seen := map[string][]string{}
	for _, job := range []string{"skywatch/.*", "blackbox/.*"} {
		prometheus.awaitCount(t, fmt.Sprintf(`count(probe_success{job=~%q})`, job), all)
		prometheus.awaitCount(t, fmt.Sprintf(`count(up{job=~%q} == 1)`, job), all)
	}
	eventually(t, "the same series in Prometheus", func() (err error) { // a probe of a busy machine that had no time to succeed lacks some
		for _, exporter := range []string{"skywatch", "blackbox"} {
			if seen[exporter], err = prometheus.series(exporter); err != nil {
				return err
			}
		}
		if diff := cmp.Diff(seen["blackbox"], seen["skywatch"]); diff != "" {
			return fmt.Errorf("they differ (-blackbox_exporter +skywatch):\n%s", diff)
		}
		return nil
	})
	for module, list := range targets {
		for _, target := range list {
			r := probeRequest{name: module + " of " + target, module: module, target: target}
			expectClean(t, r.name, ours["fixed"].probe(r).body)
		}
	}
	if len(seen["skywatch"]) < 100 {
		t.Errorf("%d series, want those of %d targets", len(seen["skywatch"]), all)
	}
}

// readme gives the relabelling that README documents, as it stands there.
func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "relabel_configs:\n")
	var rules []string
	for line := range strings.Lines(rest) {
		rule := strings.TrimSpace(line)
		if !strings.HasPrefix(rule, "- {source_labels:") && !strings.HasPrefix(rule, "- {target_label:") {
			break
		}
		rules = append(rules, "    "+rule+"\n")
	}
	if !found || len(rules) != 3 {
		t.Fatalf("README.md has %d rules of relabelling, want 3:\n%s", len(rules), strings.Join(rules, ""))
	}
	return strings.Join(rules, "")
}

// scraper is a running Prometheus.
type scraper struct{ port int }

// prometheus starts one that scrapes every target through each exporter; a job is named exporter/module.
func (s *scene) prometheus(rules string, targets map[string][]string, exporters map[string]int) scraper {
	s.t.Helper()
	var config strings.Builder
	config.WriteString("global: {scrape_interval: 2s, scrape_timeout: 2s}\nscrape_configs:\n")
	for exporter, port := range exporters {
		for module, list := range targets {
			quoted, err := json.Marshal(list)
			if err != nil {
				s.t.Fatal(err)
			}
			fmt.Fprintf(&config, "- job_name: %s/%s\n  metrics_path: /probe\n  params: {module: [%s]}\n  static_configs: [{targets: %s}]\n  relabel_configs:\n%s",
				exporter, module, module, quoted, strings.ReplaceAll(rules, "localhost:9115", address(port)))
		}
	}
	path := filepath.Join(s.peers.dir, "prometheus.yml")
	writeFile(s.t, path, config.String())
	port := probetest.HoldPort()
	server := s.peers.server("prometheus", answers200("http://"+address(port)+"/-/ready"), port)
	server.more = []string{path}
	server.start()
	return scraper{port}
}

func (p scraper) get(path string, query url.Values, data any) error {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get("http://" + address(p.port) + path + "?" + query.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("asking Prometheus %s %v: %s", path, query, answer.Error)
	}
	return nil
}

// awaitCount waits until a query that counts gives n.
func (p scraper) awaitCount(t *testing.T, query string, n int) {
	t.Helper()
	eventually(t, query, func() error {
		var data struct{ Result []struct{ Value [2]any } }
		if err := p.get("/api/v1/query", url.Values{"query": {query}}, &data); err != nil {
			return err
		}
		if len(data.Result) != 1 || data.Result[0].Value[1] != strconv.Itoa(n) {
			return fmt.Errorf("%s is %v, want %d", query, data.Result, n)
		}
		return nil
	})
}

// series gives the label sets of an exporter's probes, without the exporter's name and without what 0.23 lacks.
func (p scraper) series(exporter string) (texts []string, err error) {
	var data []map[string]string
	query := url.Values{"match[]": {fmt.Sprintf(`{job=~"%s/.*",__name__=~"probe_.*"}`, exporter)}}
	if err := p.get("/api/v1/series", query, &data); err != nil {
		return nil, err
	}
	for _, labels := range data {
		failedLate := labels["__name__"] == "probe_failed_due_to_regex" && strings.HasSuffix(labels["job"], "/tcp")
		if slices.Contains(laterSeries, labels["__name__"]) || failedLate {
			continue
		}
		delete(labels, "serialnumber")
		labels["job"] = strings.TrimPrefix(labels["job"], exporter+"/")
		texts = append(texts, fmt.Sprint(labels)) // maps are printed sorted
	}
	slices.Sort(texts)
	return texts, nil
}
