// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

// keep adds a result of each verdict: + is a success, - a failure.
func keep(r *Recent, verdicts string) {
	for _, v := range verdicts {
		p := probed{Result: probe.Result{Verdict: probe.Up}, module: new(probe.Module)}
		if v == '-' {
			p.Verdict = probe.Down
		}
		r.add(p)
	}
}

func ids(r *Recent) string {
	var all []string
	for id := range r.All() {
		all = append(all, fmt.Sprint(id))
	}
	return strings.Join(all, " ")
}

func TestRecentKeepsTheNewestAndOldFailures(t *testing.T) {
	for _, test := range []struct {
		limit          int
		verdicts, want string
	}{
		{3, "", ""},
		{3, "+-+", "2 1 0"},
		{3, "-+-+++", "5 4 3 2 0"},
		{3, "----+++", "6 5 4 3 2 1"},
		{3, "-------", "6 5 4 3 2 1"},
		{1, "-+-+", "3 2"},
		{0, "-+-", ""},
		{-1, "-+-", ""},
	} {
		r := NewRecent(test.limit, Debug{})
		keep(r, test.verdicts)
		if got := ids(r); got != test.want {
			t.Errorf("limit %d of %q: %q, want %q", test.limit, test.verdicts, got, test.want)
		}
	}
}

func TestInconclusiveIsAFailure(t *testing.T) {
	r := NewRecent(1, Debug{})
	r.add(probed{Result: probe.Result{Verdict: probe.Inconclusive}})
	keep(r, "+")
	if got := ids(r); got != "1 0" {
		t.Errorf("kept %q, want the old one too: blackbox_exporter calls it a failure", got)
	}
}

func TestAllCanStop(t *testing.T) {
	r := NewRecent(5, Debug{})
	keep(r, "+++")
	for id := range r.All() {
		if id != 2 {
			t.Errorf("first is %d, want 2", id)
		}
		break
	}
}

func TestRecentIsSafe(t *testing.T) {
	r := NewRecent(10, Debug{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				keep(r, "-")
				ids(r)
			}
		})
	}
	all.Wait()
	if got := len(r.list()); got != 20 {
		t.Errorf("%d kept, want 20", got)
	}
}

// TestLogs asks for what five probes have left.
func TestLogs(t *testing.T) {
	const (
		bothGiven  = "Probe id and target can't be defined at the same time\n"
		noneGiven  = "Probe id or target must be defined as http query parameters\n"
		moduleOnly = "Probe module filter only works in conjunction with target parameter\n"
		noID       = "Probe id not found\n"
		noTarget   = "Probe target not found\n"
	)
	o := testOptions()
	o.Recent = NewRecent(10, Debug{})
	h := NewHandler(o)
	for i, url := range []string{
		"/probe?target=a", "/probe?target=http://me:hunter22@b/&module=refuse", "/probe?target=a&module=short", "/probe?target=a&module=refuse", "/probe?target=c&debug=true",
	} {
		if w := get(t, h, url); w.Code != http.StatusOK {
			t.Fatalf("probe %d: status %d", i, w.Code)
		}
	}
	get(t, h, "/probe?module=nope&target=a") // no probe, no id
	for _, test := range []struct {
		query  string
		status int
		want   string // the text, or the module and target of the text
	}{
		{"", 400, noneGiven},
		{"?id=x", 400, noneGiven},
		{"?module=short", 400, noneGiven},
		{"?id=1&target=a", 400, bothGiven},
		{"?id=1&target=a&module=short", 400, bothGiven},
		{"?id=1&module=short", 400, moduleOnly},
		{"?id=5", 404, noID},
		{"?id=-1", 404, noID},
		{"?id=99999999999999999999", 400, noneGiven},
		{"?target=nope", 404, noTarget},
		{"?target=a&module=nope", 404, noTarget},
		{"?id=0", 200, "module=http_2xx target=a"},
		{"?id=4", 200, "module=http_2xx target=c"},
		{"?id=x&target=c", 200, "module=http_2xx target=c"},
		{"?target=a", 200, "module=refuse target=a"}, // the newest
		{"?target=a&module=short", 200, "module=short target=a"},
		{"?target=http%3A%2F%2Fb%2F", 200, "module=refuse target=http://b/"},
		{"?target=http://me:hunter22@b/", 200, "module=refuse target=http://b/"},
	} {
		w := get(t, o.Recent, "/logs"+test.query)
		body := w.Body.String()
		if w.Code != test.status || test.status != 200 && body != test.want || !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %q, want %d %q", test.query, w.Code, body, test.status, test.want)
		}
		if strings.Contains(body, "hunter") {
			t.Errorf("%s shows a password:\n%s", test.query, body)
		}
		if got := w.Header().Get("Content-Type"); test.status == 200 && got != "text/plain" {
			t.Errorf("%s: content type %q", test.query, got)
		}
	}
}

// TestLogsShowTheDebugPage again, word for word, also when the modules are others by then.
func TestLogsShowTheDebugPage(t *testing.T) {
	d := Debug{Module: func(m *probe.Module, hostname string) ([]byte, error) {
		return fmt.Appendf(nil, "prober: %s for %s\n", m.Kind, hostname), nil
	}}
	o := testOptions()
	o.Debug, o.Recent = d, NewRecent(10, d)
	page := get(t, NewHandler(o), "/probe?target=x&debug=true&module=picky&hostname=mine").Body.String()
	if !strings.HasSuffix(page, "\n\n\nModule configuration:\nprober: http for mine\n") {
		t.Errorf("page %q", page)
	}
	if diff := cmp.Diff(page, get(t, o.Recent, "/logs?id=0").Body.String()); diff != "" {
		t.Errorf("the text has changed (-page +logs):\n%s", diff)
	}
}

func TestLongParametersAreNotKept(t *testing.T) {
	o := testOptions()
	o.Recent = NewRecent(10, Debug{})
	long := strings.Repeat("x", 60_000)
	get(t, NewHandler(o), "/probe?target="+long+"&hostname="+long)
	if kept := o.Recent.list()[0]; len(kept.Target)+len(kept.hostname) > 3000 {
		t.Errorf("%d bytes of target and %d of hostname kept", len(kept.Target), len(kept.hostname))
	}
}
