// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"skywatch/internal/probe"
)

func TestTimeout(t *testing.T) {
	const second = time.Second
	for _, test := range []struct {
		header       string
		offset       float64
		module       time.Duration
		exact, fixed time.Duration
	}{
		{"15", .5, 0, 14500 * time.Millisecond, 14500 * time.Millisecond},
		{"15", .5, 20 * second, 14500 * time.Millisecond, 14500 * time.Millisecond},
		{"15", .5, 5 * second, 5 * second, 5 * second},
		{"10", .5, 10 * second, 9500 * time.Millisecond, 9500 * time.Millisecond},
		{"0", .5, 3 * second, 3 * second, 3 * second},
		{"Inf", .5, 3 * second, 3 * second, 3 * second},
		{"Inf", .5, 0, 24 * time.Hour, 24 * time.Hour},
		{"1e300", .5, 0, 24 * time.Hour, 24 * time.Hour},
		{"-Inf", .5, 3 * second, 3 * second, 3 * second},
		{"", .5, 0, 119500 * time.Millisecond, 119500 * time.Millisecond},
		{"", 1, 9500 * time.Millisecond, 9500 * time.Millisecond, 9500 * time.Millisecond},
		{"0.5", .5, 3 * second, 0, 3 * second},
		{"0.5", .5, 0, 0, 100 * time.Millisecond},
		{"0.4", .5, 3 * second, 3 * second, 3 * second},
		{"0.4", .5, 0, 0, 100 * time.Millisecond},
		{"-5", .5, 3 * second, 3 * second, 3 * second},
		{"-5", .5, 0, 0, 100 * time.Millisecond},
		{"0.7", .5, 0, 200 * time.Millisecond, 200 * time.Millisecond},
	} {
		for exact, want := range map[bool]time.Duration{true: test.exact, false: test.fixed} {
			o := testOptions()
			o.Exact, o.TimeoutOffset = exact, time.Duration(test.offset*float64(second))
			h := NewHandler(o).(*handler)
			got, err := h.timeout(test.header, &probe.Module{Timeout: test.module})
			if err != nil || got != want {
				t.Errorf("header %q, offset %v, module %v, exact %v: %v, %v, want %v", test.header, test.offset, test.module, exact, got, err, want)
			}
		}
	}
}

func TestExactZeroTimeoutFailsAtOnce(t *testing.T) {
	o := testOptions()
	o.Exact = true
	o.Run = runProbe
	w := get(t, NewHandler(o), "/probe?target=x&module=short", "X-Prometheus-Scrape-Timeout-Seconds", "0.5")
	if !strings.Contains(w.Body.String(), "\nprobe_timeout_seconds 0\n") {
		t.Errorf("got %d\n%s", w.Code, w.Body)
	}
}

func TestDecodeTarget(t *testing.T) {
	for _, test := range []struct{ address, exact, fixed string }{
		{"a:1", "a:1", "a:1"},
		{"http://h/?a=b+c", "http://h/?a=b c", "http://h/?a=b+c"},
		{"http://h/?q=1%2B2&x=y%26z", "http://h/?q=1+2&x=y&z", "http://h/?q=1%2B2&x=y%26z"},
		{"http%3A%2F%2Fh%2Fp%3Fa=b+c", "http://h/p?a=b c", "http://h/p?a=b+c"},
		{"example.org%3A443", "example.org:443", "example.org:443"},
		{"%2Frun%2Fx.sock", "/run/x.sock", "/run/x.sock"},
		{"/run/a%20b", "/run/a b", "/run/a%20b"},
		{"fe80::1%eth0", "fe80::1%eth0", "fe80::1%eth0"},
		{"[fe80::1%25eth0]:1", "[fe80::1%eth0]:1", "[fe80::1%25eth0]:1"},
		{"100%", "100%", "100%"},
	} {
		for exact, want := range map[bool]string{true: test.exact, false: test.fixed} {
			if got := decodeTarget(test.address, exact); got != want {
				t.Errorf("target %q, exact %v: %q, want %q", test.address, exact, got, want)
			}
		}
	}
}

// TestParameter holds our reading of a query against the standard library's.
func TestParameter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		query := rapid.StringOf(rapid.SampledFrom([]rune("at&&==;%2+é%"))).Draw(t, "query")
		values, _ := url.ParseQuery(query)
		for _, name := range []string{"a", "t", "at", ""} {
			if got, want := parameter(query, name), values.Get(name); got != want {
				t.Fatalf("parameter(%q, %q) = %q, want %q", query, name, got, want)
			}
		}
	})
}
