// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package real

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sample = `# HELP probe_duration_seconds How long.
# TYPE probe_duration_seconds gauge
probe_duration_seconds 0.25
# HELP probe_http_duration_seconds How long, by phase.
# TYPE probe_http_duration_seconds gauge
probe_http_duration_seconds{phase="connect"} 0.1
probe_http_duration_seconds{phase="tls"} 0
# HELP probe_ssl_last_chain_info The leaf.
# TYPE probe_ssl_last_chain_info gauge
probe_ssl_last_chain_info{issuer="CN=CA",subject="CN=leaf"} 1
# HELP probe_success Whether.
# TYPE probe_success gauge
probe_success 1
`

// ok is an answer with metrics.
func ok(body string) answer { return answer{200, "text/plain; version=0.0.4; charset=utf-8", body} }

// TestComparisonNotices changes one thing at a time in an exposition: the comparison must name it, and nothing else.
func TestComparisonNotices(t *testing.T) {
	for _, test := range []struct{ name, was, is, want string }{
		{"nothing", "", "", ""},
		{"another duration", "probe_duration_seconds 0.25", "probe_duration_seconds 0.5", ""},
		{"another help text", "Whether.", "Whether it did.", ""},
		{"a dropped label", `{issuer="CN=CA",subject="CN=leaf"}`, `{subject="CN=leaf"}`, "probe_ssl_last_chain_info: label issuer missing"},
		{"an added label", `{issuer="CN=CA",`, `{colour="red",issuer="CN=CA",`, "probe_ssl_last_chain_info: label colour added"},
		{"a label's value", `issuer="CN=CA"`, `issuer="CN=Other"`, `probe_ssl_last_chain_info: series {issuer="CN=CA",subject="CN=leaf"} missing; ` +
			`probe_ssl_last_chain_info: series {issuer="CN=Other",subject="CN=leaf"} added`},
		{"a renamed metric", "probe_success", "probe_succeeded", "probe_succeeded: metric added; probe_success: metric missing"},
		{"a wrong type", "# TYPE probe_success gauge", "# TYPE probe_success counter", "probe_success: type COUNTER, want GAUGE"},
		{"a missing type", "# TYPE probe_success gauge\n", "", "probe_success: type UNTYPED, want GAUGE"},
		{"a missing help", "# HELP probe_success Whether.\n", "", `probe_success: help "", want presence as in "Whether."`},
		{"a changed value", "probe_success 1", "probe_success 0", "probe_success: value {} 0, want 1"},
		{"a missing series", `probe_http_duration_seconds{phase="tls"} 0` + "\n", "", `probe_http_duration_seconds: series {phase="tls"} missing`},
		{"a missing metric", "# HELP probe_success Whether.\n# TYPE probe_success gauge\nprobe_success 1\n", "", "probe_success: metric missing"},
		{"a duration that is none", `{phase="connect"} 0.1`, `{phase="connect"} 0`, `probe_http_duration_seconds: value {phase="connect"} zero, want positive`},
		{"a negative duration", "probe_duration_seconds 0.25", "probe_duration_seconds -1", "probe_duration_seconds: value {} negative, want positive"},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := strings.Replace(sample, test.was, test.is, -1)
			if test.was != test.is && changed == sample {
				t.Fatal("the sample does not have it")
			}
			expectDifferences(t, ok(sample), ok(changed), test.want)
		})
	}
}

// TestComparisonNoticesAnswers does the same with what is around the metrics.
func TestComparisonNoticesAnswers(t *testing.T) {
	refused := answer{400, "text/plain; charset=utf-8", "Unknown module \"x\"\n"}
	for _, test := range []struct {
		ours answer
		want string
	}{
		{refused, ""},
		{answer{400, refused.contentType, "No module\n"}, `: body "No module\n", want "Unknown module \"x\"\n"`},
		{answer{404, refused.contentType, refused.body}, ": status 404, want 400"},
		{answer{400, "text/html", refused.body}, `: content type "text/html", want "text/plain; charset=utf-8"`},
		{ok(sample), ": status 200, want 400"},
	} {
		expectDifferences(t, refused, test.ours, test.want)
	}
	escaped := ok(sample)
	escaped.contentType += "; escaping=underscores"
	expectDifferences(t, ok(sample), escaped, "")
	if _, err := compare(ok(sample), ok("probe_success one\n")); err == nil {
		t.Error("an exposition that nobody can read: no error, want one")
	}
}

func expectDifferences(t *testing.T, theirs, ours answer, want string) {
	t.Helper()
	found, err := compare(theirs, ours)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, d := range found {
		texts = append(texts, d.String())
	}
	if diff := cmp.Diff(want, strings.Join(texts, "; ")); diff != "" {
		t.Errorf("differences (-want +got):\n%s", diff)
	}
}

// TestLedger sees that an entry covers what it says and no more, and that one without use is told.
func TestLedger(t *testing.T) {
	l := newLedger([]acceptance{
		{request: "tls *", metric: "probe_a", what: "value", reason: "known"},
		{compat: "exact", metric: "probe_b", reason: "only there"},
		{metric: "probe_c", detail: "{*", reason: "never"},
	})
	found := []difference{{"probe_a", "value", "1"}, {"probe_a", "type", "1"}, {"probe_b", "metric", "added"}, {"probe_c", "metric", "added"}}
	got := fmt.Sprint(l.unexpected("fixed", "tls refused", found), len(l.idle()), l.unexpected("exact", "tcp", found), len(l.idle()))
	want := "[probe_a: type 1 probe_b: metric added probe_c: metric added] 2 [probe_a: value 1 probe_a: type 1 probe_c: metric added] 1"
	if got != want {
		t.Errorf("unexpected differences and idle entries:\n got %s\nwant %s", got, want)
	}
}
