// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !nocel

package probes

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"skywatch/internal/probe"
)

// answer serves a text.
func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

func celKeys(key, expression string) string { return fmt.Sprintf("%s: %q\n", key, expression) }

const (
	celBad  = "fail_if_body_json_matches_cel"
	celGood = "fail_if_body_json_not_matches_cel"
)

func TestHTTPCEL(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{
		"/":     answer(`{"status": "ok", "count": 5, "tags": ["a", "b"], "deep": {"x": null}}`),
		"/list": answer(`[1, 2, 3]`), "/text": answer("plain"), "/down": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
	})
	for _, test := range []struct{ path, keys, want, cel, regex string }{
		{"/", celKeys(celGood, `body.status == "ok" && body.count == 5 && body.count > 4 && "a" in body.tags && body.deep.x == null`), "", "0", "0"},
		{"/", celKeys(celBad, `body.status != "ok"`), "", "0", "0"},
		{"/", celKeys(celBad, `body.count > 4`), `the body fulfils "body.count > 4", want that it does not; the body begins `, "1", "0"},
		{"/", celKeys(celGood, `body.count > 5`), `the body does not fulfil "body.count > 5", want that it does; the body begins `, "1", "0"},
		{"/", celKeys(celGood, `body.gone == 1`), `evaluating "body.gone == 1": "no such key: gone", want a bool; the body begins `, "1", "0"},
		{"/", celKeys(celGood, `body.count`), `evaluating "body.count": found a float64, want a bool`, "1", "0"},
		{"/", celKeys(celGood, `has(body.status)`) + celKeys(celBad, `has(body.error)`), "", "0", "0"},
		{"/", celKeys(celGood, `headers["Content-Type"][0].startsWith("text/plain")`), "", "0", "0"},
		{"/list", celKeys(celGood, `body.size() == 3 && body.all(x, x > 0)`), "", "0", "0"},
		{"/text", celKeys(celGood, `true`), `decoding the body: invalid character 'p' looking for beginning of value, want JSON; the body begins "plain"`, "1", "0"},
		{"/down", celKeys(celGood, `true`), "status 503, want 200 to 299", "0", "0"},
		{"/", celKeys(celGood, `body.status == "ok"`) + `fail_if_body_not_matches_regexp: ['"count": 5']`, "", "0", "0"},
		{"/", celKeys(celGood, `body.status == "no"`) + `fail_if_body_matches_regexp: [count]`, `the body has "count", want nothing that matches "count"`, "0", "1"},
		{"/", celKeys(celGood, `body.status == "no"`) + `fail_if_body_matches_regexp: [nothing]`, `the body does not fulfil `, "1", "0"},
		{"/", celKeys(celGood, `true`) + "body_size_limit: 10B", "reading the body: it is longer than 10B, want at most body_size_limit", "1", "0"},
		{"/", "{}", "", "absent", "0"},
	} {
		res := fetch(t, httpModule(t, test.keys, Options{}), s.URL+test.path)
		if want := fmt.Sprintf("fetching %q: %s", s.URL+test.path, test.want); (test.want == "") != res.Success() || test.want != "" && !strings.HasPrefix(res.Err, want) {
			t.Errorf("%s: %s: %s, want %s", test.keys, res.Reason, res.Err, test.want)
		}
		wantSeries(t, res, map[string]string{"failed_due_to_cel": test.cel, "failed_due_to_regex": test.regex})
	}
}

func TestHTTPCELInvalid(t *testing.T) {
	for expression, want := range map[string]string{
		"body.":           `compiling the CEL program "body.": 1:6: Syntax error: `,
		"":                `compiling the CEL program "": `,
		"nosuch == 1":     `compiling the CEL program "nosuch == 1": 1:1: undeclared reference to 'nosuch'`,
		"1 + 'a' == body": `compiling the CEL program "1 + 'a' == body": 1:3: found no matching overload`,
	} {
		for _, key := range []string{celBad, celGood} {
			_, err := buildHTTP(t, celKeys(key, expression), Options{})
			if err == nil || !strings.HasPrefix(err.Error(), `module "m": line 4: http: `+key+": "+want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %v, want %s", expression, err, want)
			}
		}
	}
	if _, err := buildHTTP(t, celBad+": [a]", Options{}); err == nil || err.Error() != `module "m": http: line 5: fail_if_body_json_matches_cel: found the list, want a string` {
		t.Errorf("a list: %v", err)
	}
}

// TestHTTPCELBounds: neither a long body nor a long evaluation gets out of hand.
func TestHTTPCELBounds(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{
		"/": answer("[" + strings.Repeat("0,", 3000) + "0]"), "/long": answer("[" + strings.Repeat("0,", httpJSONBytes/2) + "0]"),
	})
	cube := celKeys(celGood, "body.all(a, body.all(b, body.all(c, a + b + c == 0.0)))")
	res := fetch(t, httpModule(t, cube, Options{}), s.URL)
	if want := `": "it takes longer than 2s", want a bool`; res.Reason != probe.ReasonResponse || !strings.Contains(res.Err, want) {
		t.Errorf("%s: %s, want %s", res.Reason, res.Err, want)
	}
	for end := time.Now().Add(long); ; { // where the deadline comes first; with much more time it would be the bound of evaluation
		res = fetchWithin(t, httpModule(t, cube, Options{}), probe.NewTarget(s.URL), short)
		if strings.Contains(res.Err, "not done in time") || time.Now().After(end) {
			break
		}
	}
	if res.Reason != probe.ReasonTimeout || !strings.Contains(res.Err, "not done in time") {
		t.Errorf("%s: %s, want a timeout", res.Reason, res.Err)
	}
	res = fetch(t, httpModule(t, celKeys(celGood, "body.size() > 0"), Options{}), s.URL+"/long")
	if want := "decoding the body: it is longer than 4MiB, want less to decode it"; !strings.Contains(res.Err, want) {
		t.Errorf("%s: %s, want %s", res.Reason, res.Err, want)
	}
	wantSeries(t, res, map[string]string{"failed_due_to_cel": "1"})
}

func TestHTTPExtractCEL(t *testing.T) {
	s := web(t, map[string]http.HandlerFunc{"/": queue(200), "/text": answer("plain"), "/list": answer(`{"users": [{"n": 1.5}, {"n": 2}], "ok": true}`)})
	m := httpModule(t, `extract:
  - {name: users, cel: 'body.users.size()'}
  - {name: first, cel: 'body.users[0].n'}
  - {name: ok, cel: 'body.ok'}
  - {name: kind, cel: 'headers["Content-Type"][0]', as: info}
  - {name: none, cel: 'body.users'}`, Options{})
	for path, want := range map[string]map[string]string{
		"/list": {"users": "2", "first": "1.5", "ok": "1", "kind": "text/plain; charset=utf-8"},
		"/text": {"kind": "text/plain; charset=utf-8"},
	} {
		res := fetch(t, m, s.URL+path)
		wantOutcome(t, res, probe.ReasonNone, "", "")
		if diff := cmp.Diff(want, extracted(res)); diff != "" {
			t.Errorf("%s: extracted values differ (-want +got):\n%s\n%s", path, diff, res.Trace)
		}
	}
	_, err := buildHTTP(t, "extract: [{name: a, cel: 'body.'}]", Options{})
	if want := `module "m": line 4: http: extract: entry 1: cel: compiling the CEL program "body.": `; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
