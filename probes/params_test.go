// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

// Gauge is a prober of this test with a key of every kind.
type Gauge struct {
	IPConfig `yaml:",inline"`
	Word     string            `yaml:"word,omitempty"`
	Number   int               `yaml:"number,omitempty"`
	Share    *float64          `yaml:"share,omitempty"`
	Loud     bool              `yaml:"loud,omitempty"`
	Pause    probe.Duration    `yaml:"pause,omitempty"`
	Size     probe.Bytes       `yaml:"size,omitempty"`
	Pattern  *Regexp           `yaml:"pattern,omitempty"`
	Numbers  []int             `yaml:"numbers,omitempty"`
	Patterns []Regexp          `yaml:"patterns,omitempty"`
	Key      probe.Secret      `yaml:"key,omitempty"`
	Keys     []probe.Secret    `yaml:"keys,omitempty"`
	BodyFile string            `yaml:"body_file,omitempty"`
	TLS      TLSConfig         `yaml:"tls_config,omitempty"`
	Headers  map[string]string `yaml:"headers,omitempty"`

	funcProber
	checked bool
}

// Validate has one rule.
func (g *Gauge) Validate() error {
	if g.Number > 9 {
		return fmt.Errorf("number: found %d, want at most 9", g.Number)
	}
	g.checked = true
	return nil
}

func gauges(t *testing.T, module string) (*probe.Module, error) {
	t.Helper()
	register("gauge", func(Options) probe.Prober { return &Gauge{Word: "default"} })
	t.Cleanup(func() { delete(registered, "gauge") })
	modules, err := buildModules(t, Options{}, module)
	if err != nil {
		return nil, err
	}
	return modules.All()["m"], nil
}

const allParams = "params: [word, number, share, loud, pause, size, pattern, numbers, patterns, preferred_ip_protocol]"

func TestParamsSet(t *testing.T) {
	m, err := gauges(t, "modules: {m: {prober: gauge, timeout: 3s, "+allParams+", gauge: {number: 1, word: own, numbers: [1, 2], key: k}}}")
	if err != nil {
		t.Fatal(err)
	}
	base := *m.Prober.(*Gauge)
	half := 0.5
	for query, want := range map[string]func(g *Gauge){
		"word=other":                func(g *Gauge) { g.Word = "other" },
		"word=":                     func(g *Gauge) { g.Word = "" },
		"word=~":                    func(g *Gauge) { g.Word = "~" },
		"word=1&number=007":         func(g *Gauge) { g.Word, g.Number = "1", 7 },
		"word=%26x%0a!!int":         func(g *Gauge) { g.Word = "&x\n!!int" },
		"share=0.5":                 func(g *Gauge) { g.Share = &half },
		"share=5e-1":                func(g *Gauge) { g.Share = &half },
		"loud=true":                 func(g *Gauge) { g.Loud = true },
		"pause=1m30s":               func(g *Gauge) { g.Pause = probe.Duration(90 * time.Second) },
		"size=1KB":                  func(g *Gauge) { g.Size = 1024 },
		"numbers=3&numbers=4":       func(g *Gauge) { g.Numbers = []int{3, 4} },
		"numbers=3":                 func(g *Gauge) { g.Numbers = []int{3} },
		"preferred_ip_protocol=ip4": func(g *Gauge) { g.PreferredIPProtocol = "ip4" },
		"number=2&module=m&target=x&hostname=y&debug=true": func(g *Gauge) { g.Number = 2 },
	} {
		values, _ := url.ParseQuery(query)
		variant, err := m.Vary(values)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		wanted := base
		want(&wanted)
		if got := variant.Prober.(*Gauge); !reflect.DeepEqual(*got, wanted) {
			t.Errorf("%s gives %+v, want %+v", query, got, wanted)
		}
		if variant.Timeout != m.Timeout || variant.Name != "m" || len(variant.Secrets) != 1 || !reflect.DeepEqual(*m.Prober.(*Gauge), base) {
			t.Errorf("%s: variant %+v of %+v, want the same but the prober", query, variant, m)
		}
	}
	variant, err := m.Vary(url.Values{"pattern": {"^a"}, "patterns": {"b", "c$"}})
	if g := variant.Prober.(*Gauge); err != nil || g.Pattern.String() != "^a" || len(g.Patterns) != 2 || g.Patterns[1].String() != "c$" {
		t.Errorf("%+v, %v, want the expressions", variant.Prober, err)
	}
	if same, err := m.Vary(url.Values{"target": {"x"}}); err != nil || same != m {
		t.Errorf("%v, %v, want the module itself without parameters of its own", same, err)
	}
}

func TestParamsRefused(t *testing.T) {
	m, err := gauges(t, "modules: {m: {prober: gauge, params: [word, number, share, loud, pause, pattern, numbers]}}")
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"size=1KB":                          `parameter "size" is not allowed for module "m", want one of module, target, hostname, credential, debug, word, number, share, loud, pause, pattern, numbers`,
		"key=x":                             `parameter "key" is not allowed for module "m", want `,
		"tls_config=x":                      `parameter "tls_config" is not allowed for module "m", want `,
		"=x":                                `parameter "" is not allowed for module "m", want `,
		"Word=x":                            `parameter "Word" is not allowed for module "m", want `,
		"word=a&word=b":                     `parameter "word": given 2 times, want it once`,
		"number=":                           `parameter "number": found "", want a whole number`,
		"number=1.5":                        `parameter "number": found "1.5", want a whole number`,
		"number=null":                       `parameter "number": found "null", want a whole number`,
		"number=99999999999999999999":       `parameter "number": found "99999999999999999999", want a whole number`,
		"number=10":                         `parameters for module "m": number: found 10, want at most 9`,
		"share=NaN":                         `parameter "share": found "NaN", want a number`,
		"share=.inf":                        `parameter "share": found ".inf", want a number`,
		"loud=yes":                          `parameter "loud": found "yes", want true or false`,
		"pause=5":                           `parameter "pause": duration "5": not understood, want a number with a unit such as 500ms, 4s, 1m30s or 7d`,
		"pattern=(":                         "parameter \"pattern\": regular expression \"(\": error parsing regexp: missing closing ): `(`",
		"numbers=1&numbers=x":               `parameter "numbers": found "x", want a whole number`,
		strings.Repeat("numbers=1&", 21):    `parameter "numbers": given 21 times, want it at most 20 times`,
		"word=" + strings.Repeat("a", 1001): `parameter "word": found 1001 bytes, want at most 1000`,
	} {
		values, _ := url.ParseQuery(query)
		if len(values) == 0 {
			t.Fatalf("%s has no parameters", query)
		}
		if variant, err := m.Vary(values); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40s gives %v, %v, want %s", query, variant, err, want)
		}
	}
}

// TestParamsOfTrust: no request decides which server a name is, or how little a login is protected.
func TestParamsOfTrust(t *testing.T) {
	const ssh = `host_key: any`
	for _, test := range []struct{ prober, section, key string }{
		{"imap", "", "resolver"}, {"imap", "", "tls"}, {"imap", "", "username"}, {"imap", "", "auth"}, {"smtp", "", "auth"}, {"pop3", "", "tls"}, {"ftp", "", "resolver"},
		{"mysql", "mode: ping", "allow_cleartext_passwords"}, {"ssh", ssh, "host_key"}, {"ssh", ssh, "known_hosts"}, {"ssh", ssh, "resolver"},
	} {
		if !slices.Contains(Names(), test.prober) {
			continue
		}
		wantTrust(t, test.prober, test.section, test.key)
	}
	for _, text := range []string{"{prober: http, params: [resolver]}", "{prober: tcp, params: [resolver, tls]}", "{prober: imap, params: [preferred_ip_protocol]}"} {
		if _, err := buildModules(t, Options{}, "modules: {m: "+text+"}"); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// wantTrust wants that a module cannot let requests set a key that decides where or how secrets are sent.
func wantTrust(t *testing.T, prober, section, key string) {
	t.Helper()
	_, err := buildModules(t, Options{}, fmt.Sprintf("modules: {m: {prober: %s, params: [%s], %s: {%s}}}", prober, key, prober, section))
	want := fmt.Sprintf(`module "m": line 1: params: %q: cannot be set by a request, as it decides where or how secrets are sent, want it in the module alone`, key)
	if err == nil || err.Error() != want {
		t.Errorf("%s of %s: %v, want %s", key, prober, err, want)
	}
}

func TestParamsRefusedAtLoad(t *testing.T) {
	for params, want := range map[string]string{
		"[words]":      `"words": unknown field, want a key of the prober's section`,
		"['']":         `"": unknown field, want a key of the prober's section`,
		"[checked]":    `"checked": unknown field, want a key of the prober's section`,
		"[hostname]":   `"hostname": has a meaning in every request, want a key of the prober's section`,
		"[word, word]": `"word": given twice, want it once`,
		"[key]":        `"key": cannot be set by a request, want a key with a plain value, neither secret nor file`,
		"[keys]":       `"keys": cannot be set by a request, want a key with a plain value, neither secret nor file`,
		"[body_file]":  `"body_file": cannot be set by a request, want a key with a plain value, neither secret nor file`,
		"[tls_config]": `"tls_config": cannot be set by a request, want a key with a plain value, neither secret nor file`,
		"[headers]":    `"headers": cannot be set by a request, want a key with a plain value, neither secret nor file`,
	} {
		t.Run(params, func(t *testing.T) {
			if _, err := gauges(t, "modules: {m: {prober: gauge, params: "+params+"}}"); err == nil || err.Error() != `module "m": line 1: params: `+want {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
	if _, err := gauges(t, "modules: {m: {prober: gauge, params: word}}"); err == nil || err.Error() != `module "m": params: line 1: found the string, want a list` {
		t.Errorf("%v, want a list", err)
	}
}

// TestParamsWithoutList: by default nothing can be set.
func TestParamsWithoutList(t *testing.T) {
	for _, params := range []string{"", ", params: []", ", params: null"} {
		modules, err := buildModules(t, Options{}, "modules: {m: {prober: tcp"+params+"}}")
		if err != nil || modules.All()["m"].Vary != nil {
			t.Errorf("%q: %v, can be set: %v, want nothing that can", params, err, modules.All()["m"].Vary != nil)
		}
	}
}

// TestParamsOfAliasedSection asks often and at the same time for a section that YAML counts as aliased.
func TestParamsOfAliasedSection(t *testing.T) {
	modules, err := buildModules(t, Options{}, `
modules:
  one: {prober: tcp, tcp: &talk {query_response: [{expect: a, send: b}, {expect: c}]}}
  two: {prober: tcp, params: [preferred_ip_protocol, tls], tcp: {<<: *talk, tls: false}}
  three: {prober: tcp, params: [tls], tcp: *talk}
`)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 300 {
				for _, name := range []string{"two", "three"} {
					variant, err := modules.All()[name].Vary(url.Values{"tls": {"true"}})
					if err != nil || len(variant.Prober.(*TCP).QueryResponse) != 2 || !variant.Prober.(*TCP).TLS {
						t.Errorf("%s: %v, %v, want the dialogue, with TLS", name, variant, err)
						return
					}
				}
			}
		})
	}
	group.Wait()
}

func TestParamsShown(t *testing.T) {
	modules, err := buildModules(t, Options{}, "modules: {m: {prober: tcp, params: [tls, preferred_ip_protocol], tcp: {}}}")
	if err != nil {
		t.Fatal(err)
	}
	variant, err := modules.All()["m"].Vary(url.Values{"preferred_ip_protocol": {"ip4"}})
	if err != nil {
		t.Fatal(err)
	}
	all, err := yaml.Marshal(map[string]any{"modules": *modules})
	if err != nil || !strings.Contains(string(all), "params: [tls, preferred_ip_protocol]\n") || !strings.Contains(string(all), "preferred_ip_protocol: ip6\n") {
		t.Errorf("%v, want the list and the section as configured\n%s", err, all)
	}
	if _, err := buildModules(t, Options{}, string(all)); err != nil {
		t.Errorf("loading it again: %v", err)
	}
	one, err := ModuleYAML(variant, "")
	if err != nil || !strings.Contains(string(one), "preferred_ip_protocol: ip4\n") {
		t.Errorf("%v, want the section as the request made it\n%s", err, one)
	}
}

// TestParamsOfProbers shows which keys of real probers can be listed.
func TestParamsOfProbers(t *testing.T) {
	for prober, keys := range map[string]map[string]bool{
		"dns": {"query_name": true, "query_type": true, "valid_rcodes": true, "recursion_desired": true, "validate_answer_rrs": false, "tls_config": false},
		"http": {"method": true, "body": true, "valid_status_codes": true, "fail_if_body_matches_regexp": true, "body_size_limit": true, "follow_redirects": true,
			"body_file": false, "basic_auth": false, "bearer_token": false, "bearer_token_file": false, "headers": false, "proxy_url": false, "http_headers": false},
		"icmp":      {"count": true, "interval": true, "max_loss": true, "ttl": true, "dont_fragment": true},
		"udp":       {"send": true, "expect": true, "resend": true, "labels": false},
		"grpc":      {"service": true, "metadata": false},
		"websocket": {"preferred_ip_protocol": true, "headers": false, "query_response": false},
	} {
		r, ok := registered[prober]
		if !ok {
			continue // left out of this build
		}
		for key, want := range keys {
			if _, err := settable(reflect.TypeOf(r.factory(Options{})).Elem(), key); (err == nil) != want {
				t.Errorf("%s: %s can be set by a request: %v, want %v", prober, key, err, want)
			}
		}
	}
}
