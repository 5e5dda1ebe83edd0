// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

var now = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)

const hostile = `<script>alert("x")</script>'"&`

// past is a history in memory.
type past struct {
	results     []record.Stored
	transitions []record.Transition
	outages     []record.Outage
	err         error
}

func (p past) Results(_ context.Context, check string, limit int) (found []record.Stored, err error) {
	for _, s := range p.results {
		if s.Check == check && len(found) < limit {
			found = append(found, s)
		}
	}
	return found, p.err
}

func (p past) Recent(_ context.Context, limit int) ([]record.Stored, error) {
	return p.results[:min(limit, len(p.results))], p.err
}

func (p past) Transitions(context.Context, string, int) ([]record.Transition, error) {
	return p.transitions, p.err
}

func (p past) Outages(_ context.Context, from, _ time.Time, _ int) (found []record.Outage, err error) {
	for _, o := range p.outages {
		if o.From.After(from) {
			found = append(found, o)
		}
	}
	return found, p.err
}

func (p past) Trace(_ context.Context, id int64) (string, error) {
	switch id {
	case 7:
		return "   0.001s connected <b>\n", nil
	case 8:
		return "", errors.New("disk on fire")
	case 9:
		return "", fs.ErrNotExist
	}
	return "", nil
}

// stuck is a history that answers nothing in time.
type stuck struct{ past }

func (stuck) Recent(ctx context.Context, _ int) ([]record.Stored, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func says(word string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, word) })
}

func ago(d time.Duration) time.Time { return now.Add(-d) }

func somePast() past {
	var p past
	p.results = append(p.results,
		record.Stored{Target: hostile, Module: "tcp_connect", Origin: probe.OriginRequest, At: ago(5 * time.Second), Took: 1200 * time.Microsecond, Verdict: probe.Up},
		record.Stored{Check: hostile, At: ago(9 * time.Second), Took: 4 * time.Second, Attempts: 5, Verdict: probe.Down, Reason: probe.ReasonTLS, Err: hostile, Trace: 7},
	)
	for i := range 60 {
		s := record.Stored{Check: "Webmail", At: ago(time.Duration(i+1) * time.Minute), Took: time.Duration(80+i*i%90) * time.Millisecond, Attempts: 1, Verdict: probe.Up}
		if i > 20 && i < 26 {
			s.Verdict, s.Reason, s.Attempts, s.Trace = probe.Down, probe.ReasonResponse, 5, int64(i)
			s.Err = `fetching "https://mail.example.org/": status 502, want 200`
		}
		p.results = append(p.results, s)
	}
	p.transitions = []record.Transition{
		{ID: 2, Check: "Webmail", From: record.Down, To: record.Up, At: ago(21 * time.Minute)},
		{ID: 1, Check: "Webmail", From: record.Up, To: record.Down, At: ago(26 * time.Minute), Reason: probe.ReasonResponse, Err: "status 502, want 200", Note: "the target was changed",
			Changes: []record.Change{{Key: "address", Was: "192.0.2.7", Is: "192.0.2.8"}, {Key: hostile, Was: "a"}}},
	}
	p.outages = []record.Outage{
		{Check: "Webmail", From: ago(26 * time.Minute), To: ago(21 * time.Minute), Reason: probe.ReasonResponse, Err: "status 502, want 200", Trace: 7},
		{Check: hostile, From: ago(90 * time.Minute), Reason: probe.ReasonTLS, Err: hostile},
		{Check: "Gone", From: ago(40 * 24 * time.Hour), To: ago(39 * 24 * time.Hour)},
	}
	return p
}

func someChecks() []probe.Check {
	check := func(name, group, module, kind, target string) probe.Check {
		return probe.Check{
			Name: name, Group: group, Module: &probe.Module{Name: module, Kind: kind}, Target: probe.NewTarget(target),
			Every: time.Minute, Attempts: 5, Timeout: 4 * time.Second, Labels: map[string]string{"team": "ops"},
		}
	}
	return []probe.Check{
		check("Webmail", "Mail", "http_2xx", "http", "https://user:s3cr3tword@mail.example.org/"),
		check(hostile, hostile, "imap_tls", "imap", hostile),
		check("a/b?c#d", "", "tcp_connect", "tcp", "localhost:22"),
		check("New", "", "tcp_connect", "tcp", "localhost:23"),
		check("Slow", "Web", "http_2xx", "http", "https://slow.example.org/"),
	}
}

func someStates() []record.CheckState {
	return []record.CheckState{
		{Check: hostile, State: record.Down, Since: ago(90 * time.Minute), Reason: probe.ReasonTLS, Err: hostile},
		{Check: "Slow", State: record.Degraded, Since: ago(3 * time.Hour), LastSuccess: ago(time.Minute), Reason: probe.ReasonTimeout, Err: "no answer within 4s"},
		{Check: "Webmail", State: record.Up, Since: ago(21 * time.Minute), LastSuccess: ago(time.Minute), Facts: []probe.Fact{{Key: "address", Value: "192.0.2.7"}}},
		{Check: "a/b?c#d", State: record.Up, Since: ago(50 * time.Hour), LastSuccess: ago(time.Second)},
	}
}

func someOptions(t testing.TB) Options {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Probe: says("probe"), Metrics: says("metrics"), Measured: says("measured"), Config: func() ([]byte, error) { return []byte("modules: {}\n"), nil },
		Checks: someChecks, States: someStates, History: somePast(), Version: "1.2.3",
		Now: func() time.Time { return now }, Location: func() *time.Location { return berlin },
	}
}

func request(h http.Handler, method, url string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, url, nil))
	return w
}
