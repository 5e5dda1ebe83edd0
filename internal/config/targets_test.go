// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skywatch/probes"
)

const websites = `modules:
  web: {prober: http, timeout: 3s, http: {method: HEAD, valid_status_codes: [200]}}
checks:
  - name: Websites
    module: web
    targets:
      - target: "https://user:hunter22@a.example"
      - {target: "http://b.example", with: &moved {valid_status_codes: [301], follow_redirects: false}}
      - {target: "http://c.example", with: {<<: *moved, basic_auth: {username: watcher, password: hunter22}}}
      - {target: "http://d.example", with: }
      - {target: "http://e.example", with: {fail_if_not_ssl: false, valid_status_codes: [], body: ""}}
      - {target: "http://f.example", with: *moved}
`

func TestTargetsWithVariants(t *testing.T) {
	c := mustText(t, websites)
	check := c.Checks[0]
	if check.Target.String() != "" || check.Module != c.Modules["web"] || len(check.Parts) != 6 {
		t.Fatalf("check %+v, want the module as it is, and six parts", check)
	}
	var got []string
	for m, target := range check.Each() {
		p := m.Prober.(*probes.HTTP)
		got = append(got, fmt.Sprint(target, " ", m.Name, " ", m.Timeout, " ", p.Method, " ", p.ValidStatusCodes, " ", m == check.Module))
	}
	want := []string{
		"https://a.example web 3s HEAD [200] true", "http://b.example web 3s HEAD [301] false", "http://c.example web 3s HEAD [301] false",
		"http://d.example web 3s HEAD [200] true", "http://e.example web 3s HEAD [] false",
		"http://f.example web 3s HEAD [301] false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if secrets := check.Parts[2].Module.Secrets; len(secrets) != 1 || secrets[0].Reveal() != "hunter22" {
		t.Errorf("%d secrets of the variant are masked, want its own", len(secrets))
	}
}

// TestTargetsRendered: what was written comes back without its secrets.
func TestTargetsRendered(t *testing.T) {
	text, err := mustText(t, websites).YAML()
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(text), "\nchecks:\n")
	want := `    - name: Websites
      module: web
      targets:
        - target: https://a.example
        - target: http://b.example
          with:
            valid_status_codes:
                - 301
            follow_redirects: false
        - target: http://c.example
          with:
            valid_status_codes:
                - 301
            basic_auth:
                username: watcher
                password: <secret>
            follow_redirects: false
        - target: http://d.example
        - target: http://e.example
          with:
            fail_if_not_ssl: false
            valid_status_codes: []
            body: ""
        - target: http://f.example
          with:
            valid_status_codes:
                - 301
            follow_redirects: false
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rendered (-want +got):\n%s", diff)
	}
	if strings.Contains(string(text), "hunter22") {
		t.Error("a secret is shown")
	}
}

func TestMostTargets(t *testing.T) {
	file := func(n int) string {
		text := "modules: {tcp: {prober: tcp}}\nchecks:\n  - name: a\n    module: tcp\n    targets:\n"
		for i := range n {
			text += fmt.Sprintf("      - {target: 'host%d.example:443'}\n", i)
		}
		return text
	}
	if c := mustText(t, file(1000)); len(c.Checks[0].Parts) != 1000 {
		t.Errorf("%d parts, want 1000", len(c.Checks[0].Parts))
	}
	_, err := loadText(t, file(1001))
	if want := `line 3: check "a": targets: 1001 of them, want at most 1000`; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("1001 targets give %v, want %s", err, want)
	}
}

func mustText(t *testing.T, text string) *Config {
	t.Helper()
	c, err := loadText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
