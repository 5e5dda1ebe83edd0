// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

// extracted lists what extract set.
func extracted(res probe.Result) map[string]string {
	all := map[string]string{}
	for _, s := range res.Samples {
		switch s.Desc {
		case httpExtract:
			all[s.Labels[0]] = fmt.Sprint(s.Value)
		case httpExtractInfo:
			all[s.Labels[0]] = s.Labels[1]
		}
	}
	return all
}

// queue answers with numbers in body and header.
func queue(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "nginx/1.24 (Debian)")
		w.Header().Add("X-Load", "idle")
		w.Header().Add("X-Load", "load=0.5")
		w.WriteHeader(status)
		io.WriteString(w, `{"queued": 17, "state": "`+strings.Repeat("ä", 100)+`", "big": 1e999}`)
	}
}

func TestHTTPExtract(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": queue(200), "/down": queue(503), "/long": chunked(strings.Repeat("queued\": 1 ", httpMatchBytes/8))})
	keys := `extract:
  - {name: queued, regexp: '"queued": (\d+)'}
  - {name: server, header: server, regexp: 'nginx/[0-9.]+', as: info}
  - {name: load, header: X-Load, regexp: 'load=(.*)'}
  - {name: state, regexp: '"state": "(.*?)"', as: info}
  - {name: no_number, regexp: state}
  - {name: infinite, regexp: '1e999'}
  - {name: missing, regexp: nothing}
  - {name: no_header, header: X-None, regexp: a}`
	want := map[string]string{"queued": "17", "server": "nginx/1.24", "load": "0.5", "state": strings.Repeat("ä", 64)}
	m := httpModule(t, keys, Options{})
	res := fetch(t, m, s.URL)
	wantOutcome(t, res, probe.ReasonNone, "", "")
	if diff := cmp.Diff(want, extracted(res)); diff != "" {
		t.Errorf("extracted values differ (-want +got):\n%s\n%s", diff, res.Trace)
	}
	if res = fetch(t, m, s.URL+"/down"); res.Reason != probe.ReasonResponse {
		t.Errorf("%s: %s, want response", res.Reason, res.Err)
	}
	if diff := cmp.Diff(want, extracted(res)); diff != "" {
		t.Errorf("values of a failed probe differ (-want +got):\n%s", diff)
	}
	res = fetch(t, m, s.URL+"/long")
	wantOutcome(t, res, probe.ReasonNone, "", "")
	if diff := cmp.Diff(map[string]string{}, extracted(res)); diff != "" {
		t.Errorf("values of a body too long to keep differ (-want +got):\n%s", diff)
	}
	res = fetch(t, httpModule(t, keys+"\nbody_size_limit: 10B", Options{}), s.URL)
	wantOutcome(t, res, probe.ReasonResponse, `fetching "%s": reading the body: it is longer than 10B, want at most body_size_limit`, s.URL)
	res = fetch(t, httpModule(t, "extract: [{name: server, header: Server, regexp: '^[a-z]+', as: info}]", Options{}), s.URL)
	if diff := cmp.Diff(map[string]string{"server": "nginx"}, extracted(res)); diff != "" {
		t.Errorf("values of headers alone differ (-want +got):\n%s", diff)
	}
}

// TestHTTPExtractMasks: what a server echoes of our secrets does not become a label.
func TestHTTPExtractMasks(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("Authorization")) }})
	res := fetch(t, httpModule(t, "bearer_token: s3cret\nextract: [{name: echo, regexp: '.*', as: info}]", Options{}), s.URL)
	if diff := cmp.Diff(map[string]string{"echo": "Bearer <secret>"}, extracted(res)); diff != "" {
		t.Errorf("values differ (-want +got):\n%s", diff)
	}
}

func TestHTTPExtractInvalid(t *testing.T) {
	many := strings.Repeat("{name: a, regexp: a}, ", maxExtracts+1)
	for entries, want := range map[string]string{
		many:                             "17 entries, want at most 16",
		"{name: 1a, regexp: a}":          `entry 1: name: found "1a", want up to 64 letters, digits and underscores, not beginning with a digit`,
		"{regexp: a}":                    `entry 1: name: found "", want up to 64 letters, digits and underscores, not beginning with a digit`,
		"{name: a}":                      "entry 1: want exactly one of regexp and cel",
		"{name: a, regexp: a, cel: '1'}": "entry 1: want exactly one of regexp and cel",
		"{name: a, regexp: a, as: text}": `entry 1: as: found "text", want gauge or info`,
		"{name: a, cel: '1', header: b}": "entry 1: header given with cel, want it with regexp only; cel has the variable headers",
		"{name: a, regexp: a}, {name: a, regexp: b}": `entry 2: name "a" given twice, want each name once`,
		"{name: " + strings.Repeat("a", 65) + ", regexp: a}": `entry 1: name: found "` + strings.Repeat("a", 65) + `", want up to 64 ` +
			"letters, digits and underscores, not beginning with a digit",
	} {
		_, err := buildHTTP(t, "extract: ["+entries+"]", Options{})
		if want = `module "m": line 4: http: extract: ` + want; err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", entries, err, want)
		}
	}
}

func TestExtractedValues(t *testing.T) {
	for _, test := range []struct {
		found  any
		number float64 // NaN = none
		text   string
	}{
		{true, 1, "true"}, {false, 0, "false"}, {int64(-3), -3, "-3"}, {uint64(3), 3, "3"}, {2.5, 2.5, "2.5"}, {" 7 ", 7, " 7 "},
		{"inf", math.NaN(), "inf"}, {"", math.NaN(), ""}, {90 * time.Second, 90, "1m30s"}, {nil, math.NaN(), "-"}, {[]any{}, math.NaN(), "-"},
	} {
		number, err := extractedNumber(test.found)
		if (err != nil) != math.IsNaN(test.number) || err == nil && number != test.number {
			t.Errorf("number of %v: %v, %v", test.found, number, err)
		}
		if text, err := extractedText(test.found); (err != nil) != (test.text == "-") || err == nil && text != test.text {
			t.Errorf("text of %v: %q, %v", test.found, text, err)
		}
	}
}
