// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

func TestInvalidCredentials(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "huge"), make([]byte, maxSecretBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	many := "{name: a, password: x, allow: [" + strings.Repeat("'h:1', ", maxAllow+1) + "]}"
	for text, want := range map[string]string{
		"{password: x}":          `credential "": name: missing, want a unique name`,
		"{name: a}":              `credential "a": no secret, want one of password, password_file, private_key and private_key_file`,
		"{name: a, username: u}": `credential "a": no secret, want one of password, password_file, private_key and private_key_file`,
		"{name: a, password: x, password_file: y}":                               `credential "a": both password and password_file given, want at most one`,
		"{name: a, private_key: x, private_key_file: y}":                         `credential "a": both private_key and private_key_file given, want at most one`,
		"{name: a, private_key: x, passphrase: y, passphrase_file: z}":           `credential "a": both passphrase and passphrase_file given, want at most one`,
		"{name: a, password: x, passphrase: y}":                                  `credential "a": passphrase without private_key, want both or none`,
		"{name: a, password_file: nosuch}":                                       `credential "a": password_file: stat ` + dir + `/nosuch: no such file or directory, want a readable file`,
		"{name: a, private_key_file: nosuch}":                                    `credential "a": private_key_file: stat ` + dir + `/nosuch: no such file or directory, want a readable file`,
		"{name: a, password_file: .}":                                            `credential "a": password_file: read ` + dir + `: is a directory, want a readable file`,
		"{name: a, password_file: huge}":                                         `credential "a": password_file: 65537 bytes long, want at most 65536`,
		"{name: a, password: x, allow: [mail]}":                                  `credential "a": allow: "mail": missing port in address, want host:port, *.domain:port or host:*`,
		many:                                                                     `credential "a": allow: 101 patterns, want at most 100`,
		"{name: ' a', password: x}":                                              `credential " a": name: has unprintable characters or a space at an end, want printable ones only and none there`,
		`{name: "a\nb", password: x}`:                                            `credential "a\nb": name: has unprintable characters or a space at an end, want printable ones only and none there`,
		"{name: " + strings.Repeat("a", 201) + ", password: x}":                  `credential "` + strings.Repeat("a", 201) + `": name: 201 bytes long, want at most 200`,
		"{name: a, password: x}, {name: b, password: x}, {name: a, password: x}": `credential "a": name: given twice, want a unique name`,
		strings.TrimSuffix(strings.Repeat("{name: a%d, password: x}, ", maxCredentials+1), ", "): `1001 credentials, want at most 1000`,
	} {
		if strings.Contains(text, "%d") {
			text = withNumbers(text)
		}
		var c Credentials
		if err := yaml.Unmarshal([]byte("["+text+"]"), &c); err != nil {
			t.Fatal(err)
		}
		if at, err := c.Validate(dir); err == nil || err.Error() != want || at != len(c)-1 {
			t.Errorf("%.80s: entry %d: %v, want the last one and %s", text, at, err, want)
		}
	}
}

func withNumbers(text string) string {
	var numbers []any
	for i := range strings.Count(text, "%d") {
		numbers = append(numbers, i)
	}
	return fmt.Sprintf(text, numbers...)
}

// TestCredentialsAreNeverParameters: a request picks a credential by the parameter that is judged, and by no key of a section.
func TestCredentialsAreNeverParameters(t *testing.T) {
	register("linked", func(o Options) probe.Prober { return &linkProber{newServiceConfig(o, 143, 993)} }, serviceDescs...)
	defer delete(registered, "linked")
	for key, want := range map[string]string{
		"credential":       `module "m": line 1: params: "credential": has a meaning in every request, want a key of the prober's section`,
		"password":         `module "m": line 1: params: "password": cannot be set by a request, want a key with a plain value, neither secret nor file`,
		"password_file":    `module "m": line 1: params: "password_file": cannot be set by a request, want a key with a plain value, neither secret nor file`,
		"private_key_file": `module "m": line 1: params: "private_key_file": unknown field, want a key of the prober's section`,
	} {
		_, err := buildModules(t, Options{}, "modules: {m: {prober: linked, params: ["+key+"]}}")
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", key, err, want)
		}
	}
}

// TestRefusedAtOneAddressIsEnough: of a name with several addresses the others do not get a secret that the first one refused.
func TestRefusedAtOneAddressIsEnough(t *testing.T) {
	for _, several := range []string{addressesAny, addressesAll} {
		d, err := IPConfig{PreferredIPProtocol: "ip4", IPProtocolFallback: true, Addresses: several}.dialer(Options{Resolver: testResolver{"two": {"127.0.0.1", "127.0.0.2"}}})
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		module := &probe.Module{Name: "m", Kind: "k", Prober: funcProber(func(ctx context.Context, r *probe.Recorder) error {
			return d.each(ctx, r, func(ctx context.Context, r *probe.Recorder) error {
				addr, err := d.resolve(ctx, "two", r)
				if err != nil {
					return err
				}
				asked = append(asked, addr.String())
				return probe.Failf(probe.ReasonAuth, "refused")
			})
		})}
		res := probe.Run(t.Context(), probe.Check{Module: module, Timeout: long, Attempts: 3}, probe.Env{})
		if len(asked) != 1 || res.Reason != probe.ReasonAuth {
			t.Errorf("%s: asked %q: %s %s, want one", several, asked, res.Reason, res.Err)
		}
	}
}
