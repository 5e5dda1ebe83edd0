// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// turn is what one exporter needed for its probes.
type turn struct {
	probes    int
	cpu, took time.Duration
	p99       time.Duration
}

// measure lets an exporter make probes, some at once, and looks at what that costs.
func measure(e *exporter, k kind, t *target, concurrency, probes int) (turn, error) {
	if err := e.succeeds(k, t); err != nil {
		return turn{}, err
	}
	before, err := e.cpu()
	if err != nil {
		return turn{}, err
	}
	begin := time.Now()
	latencies, err := e.scrape(k, t, concurrency, probes)
	if err != nil {
		return turn{}, err
	}
	took := time.Since(begin)
	after, err := e.cpu()
	if err != nil {
		return turn{}, err
	}
	if err := t.expect(probes + 1); err != nil {
		return turn{}, err
	}
	slices.Sort(latencies)
	return turn{probes: probes, cpu: after - before, took: took, p99: latencies[len(latencies)*99/100]}, nil
}

// request is a scrape as Prometheus makes it.
func (e *exporter) request(k kind, t *target, encoding string) string {
	query := url.Values{"module": {k.module}, "target": {t.address}}
	return "GET /probe?" + query.Encode() + " HTTP/1.1\r\nHost: " + e.address + "\r\nUser-Agent: Prometheus/2.42.0\r\n" +
		"Accept: application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n" +
		"Accept-Encoding: " + encoding + "\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"
}

// succeeds makes one probe and looks at its verdict.
func (e *exporter) succeeds(k kind, t *target) error {
	conn, err := net.Dial("tcp4", e.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, e.request(k, t, "identity")); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if lines.Text() == "probe_success 1" {
			return nil
		}
	}
	return errors.New("the probe failed, want success")
}

// scrape makes the probes over as many kept connections as there are scrapes at once.
func (e *exporter) scrape(k kind, t *target, concurrency, probes int) ([]time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(probes))
	all := make([][]time.Duration, concurrency)
	errs := make([]error, concurrency)
	var scrapers sync.WaitGroup
	for i := range concurrency {
		scrapers.Go(func() { all[i], errs[i] = e.scrapeSome(e.request(k, t, "gzip"), &left) })
	}
	scrapers.Wait()
	return slices.Concat(all...), errors.Join(errs...)
}

// scrapeSome makes one scrape after the other while any are left.
func (e *exporter) scrapeSome(request string, left *atomic.Int64) (latencies []time.Duration, err error) {
	conn, err := net.Dial("tcp4", e.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for left.Add(-1) >= 0 {
		begin := time.Now()
		if _, err := io.WriteString(conn, request); err != nil {
			return nil, err
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("scraping: status %d, want 200", resp.StatusCode)
		}
		latencies = append(latencies, time.Since(begin))
	}
	return latencies, nil
}
