// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"skywatch/internal/probe"
)

// funcProber is a prober made of a function.
type funcProber func(ctx context.Context, t probe.Target, r *probe.Recorder) error

func (f funcProber) Validate() error { return nil }

func (f funcProber) Probe(ctx context.Context, t probe.Target, r *probe.Recorder) error {
	return f(ctx, t, r)
}

var (
	phaseDesc = &probe.Desc{Name: "probe_http_duration_seconds", Help: "Phases.", Labels: []string{"phase"}}
	codeDesc  = &probe.Desc{Name: "probe_http_status_code", Help: "Status."}
	infoDesc  = &probe.Desc{Name: "probe_tls_info", Help: "Line one\nand \\two.", Labels: []string{"version", "cipher"}}
)

func succeed(_ context.Context, _ probe.Target, r *probe.Recorder) error {
	r.Set(phaseDesc, 0.25, "resolve")
	r.Set(phaseDesc, 1e-7, "connect")
	r.Set(codeDesc, 200)
	r.Set(infoDesc, 1, "TLS 1.3", `odd "\`+"\n")
	r.Log.Info("spoke with the server", "code", 200)
	return nil
}

func refuse(context.Context, probe.Target, *probe.Recorder) error {
	return probe.Failf(probe.ReasonConnect, "connecting to %q: refused, want a connection", "x")
}

// pickyProber knows a Host header of its own.
type pickyProber struct{ funcProber }

func (pickyProber) CheckHostname(hostname string) error {
	if hostname == "" || hostname == "mine" {
		return nil
	}
	return errors.New("host header defined both in module configuration (mine) and with URL-parameter 'hostname' (" + hostname + ")")
}

// namelessProber needs a name of the request.
type namelessProber struct{ funcProber }

func (namelessProber) CheckHostname(hostname string) error {
	if hostname == "" {
		return errors.New("query name missing")
	}
	return nil
}

func runProbe(ctx context.Context, c probe.Check) (probe.Result, error) {
	return probe.Run(ctx, c, probe.Env{}), nil
}

// vary knows one parameter, which makes the probe succeed.
func vary(parameters url.Values) (*probe.Module, error) {
	if len(parameters) != 3 || parameters.Get("works") == "" {
		return nil, fmt.Errorf("parameter %q is not allowed", parameters.Encode())
	}
	return &probe.Module{Name: "varied", Kind: "dns", Prober: namelessProber{succeed}}, nil
}

// testOptions has one module per behaviour.
func testOptions() Options {
	modules := map[string]*probe.Module{
		"http_2xx": {Name: "http_2xx", Kind: "http", Prober: funcProber(succeed)},
		"refuse":   {Name: "refuse", Kind: "tcp", Prober: funcProber(refuse)},
		"picky":    {Name: "picky", Kind: "http", Prober: pickyProber{succeed}},
		"nameless": {Name: "nameless", Kind: "dns", Prober: namelessProber{succeed}},
		"varied":   {Name: "varied", Kind: "dns", Prober: funcProber(refuse), Vary: vary},
		"short":    {Name: "short", Kind: "tcp", Prober: funcProber(succeed), Timeout: time.Minute},
	}
	return Options{
		Module:        func(name string) (*probe.Module, bool) { m, ok := modules[name]; return m, ok },
		Run:           runProbe,
		TimeoutOffset: 500 * time.Millisecond,
	}
}

func get(t *testing.T, h http.Handler, url string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, url, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// gathered is what a registry exposes as text.
func gathered(t *testing.T, g prometheus.Gatherer) string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := encode(&text, expfmt.NewFormat(expfmt.TypeTextPlain), families); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
