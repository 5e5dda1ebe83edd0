// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

func TestModulesLoad(t *testing.T) {
	modules, err := buildModules(t, Options{}, `
modules:
  bare: {prober: tcp, timeout: -1s}
  null_block:
    prober: tcp
    tcp:
  full:
    prober: tcp
    timeout: 1m30s
    tcp: &talk
      preferred_ip_protocol: ip4
      ip_protocol_fallback: no
      source_ip_address: 127.0.0.1
      query_response:
        - expect: "^SSH-(.*)$"
          labels: [{name: "a-b c", value: "$1"}]
        - {send: !!binary AAEC, starttls: true}
        - {expect_bytes: "+OK"}
      tls_config: {min_version: TLS12, max_version: TLS13, server_name: x, insecure_skip_verify: yes}
  merged:
    prober: tcp
    timeout: 1d
    tcp:
      <<: *talk
      preferred_ip_protocol: ip6
  aliased: {prober: tcp, tcp: *talk}
  "json": {"prober": "tcp", "timeout": "0s", "tcp": {"tls": true}}
`)
	if err != nil {
		t.Fatal(err)
	}
	all := modules.All()
	for _, name := range []string{"bare", "null_block"} {
		p := all[name].Prober.(*TCP)
		if p.PreferredIPProtocol != "ip6" || !p.IPProtocolFallback || all[name].Kind != "tcp" || all[name].Name != name || all[name].Timeout != 0 {
			t.Errorf("%s: %+v, want the defaults", name, p)
		}
	}
	full, merged := all["full"].Prober.(*TCP), all["merged"].Prober.(*TCP)
	if full.IPProtocolFallback || full.QueryResponse[1].Send != "\x00\x01\x02" || !full.TLSConfig.InsecureSkipVerify || all["full"].Timeout != 90*time.Second {
		t.Errorf("full: %+v", full)
	}
	if aliased := all["aliased"].Prober.(*TCP); aliased == full || aliased.SourceIPAddress != "127.0.0.1" || len(aliased.QueryResponse) != 3 {
		t.Errorf("aliased: %+v", aliased)
	}
	if merged.PreferredIPProtocol != "ip6" || merged.SourceIPAddress != "127.0.0.1" || len(merged.QueryResponse) != 3 || all["merged"].Timeout != 24*time.Hour {
		t.Errorf("merged: %+v", merged)
	}
}

func TestModulesEmpty(t *testing.T) {
	for _, text := range []string{"modules:", "modules: {}", "{}"} {
		modules, err := buildModules(t, Options{}, text)
		if err != nil || len(modules.All()) != 0 {
			t.Errorf("%q: %v, %v, want no modules", text, modules.All(), err)
		}
	}
}

func TestModulesRefused(t *testing.T) {
	names := strings.Join(Names(), ", ")
	for _, test := range []struct{ text, want string }{
		{"modules: {m: }", `module "m": empty, want a mapping with at least the key prober`},
		{"modules: {m: {}}", `module "m": line 1: no prober, want one of ` + names},
		{"modules:\n  m:\n    timeout: 1s", `module "m": line 3: no prober, want one of ` + names},
		{"modules: {m: {prober: TCP}}", `module "m": line 1: prober "TCP" is not valid, want one of ` + names},
		{"modules:\n  m:\n    prober: tcp\n    tpc:\n      x: 1", `module "m": line 4: unknown field "tpc"`},
		{"modules:\n  m:\n    prober: tcp\n    timeout: 5", `module "m": timeout: line 4: duration "5": not understood, want a number with a unit such as 500ms, 4s, 1m30s or 7d`},
		{"modules:\n  m:\n    prober: [tcp]", `module "m": prober: line 3: found the list, want a string`},
		{"modules:\n  m:\n    prober: tcp\n    tcp:\n      tls: true\n      tsl: x", `module "m": tcp: line 6: unknown field "tsl"`},
		{"modules:\n  m:\n    prober: tcp\n    tcp:\n      query_response:\n        - {send: a}\n        - sent: b", `module "m": tcp: line 7: unknown field "sent"`},
		{"modules:\n  m:\n    prober: tcp\n    tcp:\n      tls_config:\n        ca: a\n        cafile: b", `module "m": tcp: line 7: unknown field "cafile"`},
		{"modules:\n  m:\n    prober: tcp\n    tcp:\n      query_response:\n        - labels: [{nam: x}]", `module "m": tcp: line 6: unknown field "nam"`},
		{"modules:\n  m:\n    prober: tcp\n    tcp:\n      tls: maybe\n      query_response: x", `module "m": tcp: line 5: tls: found the string maybe, want a bool; line 6: query_response: found the string x, want a list`},
		{"modules:\n  m:\n    prober: tcp\n    tcp:\n      query_response:\n        - {expect: a}\n        - {expect: '('}", "module \"m\": tcp: line 7: query_response: entry 2: expect: regular expression \"(\": error parsing regexp: missing closing ): `(`"},
		{"modules:\n  a: {prober: x}\n  b: {prober: y}", "module \"a\": line 2: prober \"x\" is not valid, want one of " + names + "\nmodule \"b\": line 3: prober \"y\" is not valid, want one of " + names},
	} {
		if _, err := buildModules(t, Options{}, test.text); err == nil || err.Error() != test.want {
			t.Errorf("%s\ngives %v\nwant  %s", test.text, err, test.want)
		}
	}
}

// TestModulesLeftOut is about a prober whose file a build tag left out: the generated list still knows it.
func TestModulesLeftOut(t *testing.T) {
	left := registered["http"]
	delete(registered, "http")
	defer func() { registered["http"] = left }()
	want := `module "m": line 1: prober "http" is not part of this build, want one of ` + strings.Join(Names(), ", ")
	for _, text := range []string{"modules: {m: {prober: http}}", "modules: {m: {prober: tcp, http: {}}}"} {
		if _, err := buildModules(t, Options{}, text); err == nil || err.Error() != want {
			t.Errorf("%s gives %v, want %s", text, err, want)
		}
	}
}

// TestModulesDuplicateKeys are errors of the decoder itself, at the first stage or the second.
func TestModulesDuplicateKeys(t *testing.T) {
	for text, line := range map[string]string{
		"modules:\n  a: {prober: tcp}\n  a: {prober: tcp}":                         "line 3",
		"modules:\n  a:\n    prober: tcp\n    prober: tcp":                         "line 4",
		"modules:\n  a:\n    prober: tcp\n    tcp:\n      tls: yes\n      tls: no": "line 6",
	} {
		_, err := buildModules(t, Options{}, text)
		if err == nil || !strings.Contains(err.Error(), line) || !strings.Contains(err.Error(), "already defined") {
			t.Errorf("%s\ngives %v, want a duplicate at %s", text, err, line)
		}
	}
}

// TestModulesCheckForeignSections: a section of another prober than the module's own is unused, but not unchecked.
func TestModulesCheckForeignSections(t *testing.T) {
	_, err := buildModules(t, Options{}, "modules:\n  m:\n    prober: tcp\n    http:\n      valid_status_code: [1]")
	if want := `module "m": http: line 5: unknown field "valid_status_code"`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	modules, err := buildModules(t, Options{}, "modules: {m: {prober: tcp, http: {method: POST}}}")
	if err != nil || modules.All()["m"].Kind != "tcp" {
		t.Errorf("got %v, want a tcp module", err)
	}
}

func TestModulesSecretsAreCollectedAndRedacted(t *testing.T) {
	modules, err := buildModules(t, Options{}, `
modules:
  m:
    prober: tcp
    timeout: 90s
    tcp:
      query_response: [{expect: "^a"}]
      tls_config: {cert: CERT, key: planted}
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := modules.All()["m"].Secrets; !slices.Equal(got, []probe.Secret{"planted"}) {
		t.Errorf("%d secrets, want the key", len(got))
	}
	text, err := yaml.Marshal(map[string]Modules{"modules": *modules})
	if err != nil {
		t.Fatal(err)
	}
	want := `modules:
    m:
        prober: tcp
        timeout: 1m30s
        tcp:
            preferred_ip_protocol: ip6
            ip_protocol_fallback: true
            query_response:
                - expect: ^a
            tls: false
            tls_config:
                cert: CERT
                key: <secret>
                insecure_skip_verify: false
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestModulesOverride(t *testing.T) {
	modules, err := buildModules(t, Options{}, "modules: {m: {prober: tcp, timeout: 3s, tcp: {tls: true, preferred_ip_protocol: ip4}}}")
	if err != nil {
		t.Fatal(err)
	}
	override := func(text string) (*probe.Module, error) {
		var with section
		decoder := yaml.NewDecoder(strings.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(&with); err != nil {
			t.Fatal(err)
		}
		return modules.Override("m", with.unmarshal)
	}
	variant, err := override("{tls: false}")
	if err != nil {
		t.Fatal(err)
	}
	base := modules.All()["m"]
	if p := variant.Prober.(*TCP); p.TLS || p.PreferredIPProtocol != "ip4" || variant.Timeout != 3*time.Second || !base.Prober.(*TCP).TLS {
		t.Errorf("variant %+v of %+v", p, base.Prober)
	}
	for text, want := range map[string]string{
		"{tsl: false}":                  `module "m": tcp: line 1: unknown field "tsl"`,
		"{preferred_ip_protocol: ip10}": `module "m": tcp: preferred_ip_protocol: found "ip10", want ip4 or ip6`,
	} {
		if _, err := override(text); err == nil || err.Error() != want {
			t.Errorf("%s gives %v, want %s", text, err, want)
		}
	}
	if _, err := modules.Override("other", nil); err == nil || err.Error() != `module "other": not configured` {
		t.Errorf("unknown module: %v", err)
	}
}
