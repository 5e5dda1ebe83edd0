// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && !noopenstack

package probes

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestOpenStackInvalid names the field that is wrong, before any probe.
func TestOpenStackInvalid(t *testing.T) {
	credentials := Credentials{
		{Name: "named", Account: Account{Username: "a", Password: "p"}}, {Name: "bare", Account: Account{Password: "p"}},
		{Name: "key", Account: Account{Username: "a"}, PrivateKey: PrivateKey{PrivateKey: "k"}},
	}
	const url, user, application = "auth_url: 'http://k'", "username: a, password: p, user_domain_name: D", "application_credential_id: i, application_credential_secret: s"
	for keys, want := range map[string]string{
		"":                          `auth_url: missing, want the URL of Keystone`,
		"auth_url: k:5000, " + user: `auth_url: found "k:5000", want an http or https URL without user, query and fragment`,
		"auth_url: 'http://u:canary@k/', " + user:                      `auth_url: found "http://k/", want an http or https URL without user, query and fragment`,
		"auth_url: 'http://k/?a=b', " + user:                           `auth_url: found "http://k/?a=b", want an http or https URL without user, query and fragment`,
		"auth_url: 'http://[::1', " + user:                             `auth_url: found "http://[::1", want an http or https URL without user, query and fragment`,
		url + ", identity_api_version: 1, " + user:                     `identity_api_version: found 1, want 2 or 3`,
		"auth_url: 'http://k/v2.0/', identity_api_version: 3, " + user: `identity_api_version: found 3 with an auth_url that ends with v2.0, want the same version`,
		url:                               `username: missing, want it, user_id, credential or an application credential`,
		url + ", identity_api_version: 2": `username: missing, want it or credential`,
		url + ", username: a, user_domain_name: D":                                              `password: missing, want it, password_file or credential`,
		url + ", username: a, password: p":                                                      `user_domain_name: missing, want it or user_domain_id with username`,
		url + ", user_id: i, " + user:                                                           `both username and user_id given, want at most one`,
		url + ", user_domain_id: d, " + user:                                                    `both user_domain_name and user_domain_id given, want at most one`,
		url + ", password_file: f, " + user:                                                     `both password and password_file given, want at most one`,
		url + ", credential: named, username: a":                                                `both credential and username given, want at most one`,
		url + ", credential: named, password: p":                                                `both credential and password given, want at most one`,
		url + ", credential: none":                                                              `credential: "none" is not configured, want it under credentials`,
		url + ", credential: named":                                                             `credential: "named" has a username, want user_domain_name or user_domain_id in the module`,
		url + ", credential: named, user_id: i":                                                 `credential: "named" has a username and the module has user_id, want one of them`,
		url + ", credential: bare, user_domain_id: d":                                           `credential: "bare" has no username, want one, or user_id in the module`,
		url + ", credential: key, user_domain_id: d":                                            `credential: "key" has no password, want one`,
		url + ", project_name: p, project_id: i, " + user:                                       `both project_name and project_id given, want at most one`,
		url + ", project_name: p, " + user:                                                      `project_domain_name: missing, want it or project_domain_id with project_name`,
		url + ", project_domain_id: p, " + user:                                                 `project_name: missing, want it with the domain of a project`,
		url + ", tenant_name: t, " + user:                                                       `tenant_name: not part of version 3 of Keystone's API, want the keys of that version`,
		"auth_url: 'http://k/v2.0', " + user:                                                    `user_domain_name: not part of version 2 of Keystone's API, want the keys of that version`,
		"auth_url: 'http://k/v2.0', username: a, password: p, project_name: p":                  `project_name: not part of version 2 of Keystone's API, want the keys of that version`,
		"auth_url: 'http://k/v2.0', " + application:                                             `application_credential_id: not part of version 2 of Keystone's API, want the keys of that version`,
		url + ", application_credential_id: i":                                                  `application_credential_secret: missing, want it or application_credential_secret_file`,
		url + ", application_credential_secret: s":                                              `application_credential_id: missing, want it or application_credential_name`,
		url + ", application_credential_name: n, " + application:                                `both application_credential_id and application_credential_name given, want at most one`,
		url + ", application_credential_secret_file: f, " + application:                         `both application_credential_secret and application_credential_secret_file given, want at most one`,
		url + ", password: p, " + application:                                                   `password: given with an application credential, which is bound to a user and a project, want none`,
		url + ", credential: named, " + application:                                             `credential: given with an application credential, which is bound to a user and a project, want none`,
		url + ", project_id: p, " + application:                                                 `project_id: given with an application credential, which is bound to a user and a project, want none`,
		url + ", application_credential_name: n, application_credential_secret: s":              `application_credential_name: given without its user, want username or user_id too`,
		url + ", application_credential_name: n, application_credential_secret: s, username: a": `user_domain_name: missing, want it or user_domain_id with username`,
		url + ", tls_config: {min_version: TLS9}, " + user:                                      `tls_config: min_version: unknown TLS version "TLS9", want TLS10, TLS11, TLS12 or TLS13`,
		url + ", tls_config: {cert_metrics: [chain]}, " + user:                                  `tls_config: cert_metrics: given for Keystone, want it in the tls_config of the module, which is that of the target`,
	} {
		_, err := buildHTTP(t, "openstack: {"+keys+"}", Options{Credentials: credentials})
		if want := `module "m": line 4: http: openstack: ` + want; err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", keys, err, want)
		}
	}
}

// TestLoginsThatContradict are refused too, as is BASIC without anything to log in with.
func TestLoginsThatContradict(t *testing.T) {
	const section = "\nopenstack: {auth_url: 'http://k', username: a, password: p, user_domain_name: D}"
	for keys, want := range map[string]string{
		"basic_auth: {username: a, password: b}" + section:         `both basic_auth and openstack given, want at most one`,
		"authorization: {credentials: x}" + section:                `both authorization and openstack given, want at most one`,
		"oauth2: {client_id: a, token_url: 'http://t/'}" + section: `both oauth2 and openstack given, want at most one`,
		"headers: {x-auth-token: x}" + section:                     `headers: X-Auth-Token given, which openstack sets, want one of them`,
		"http_headers: {x-auth-token: {secrets: [x]}}" + section:   `http_headers: X-Auth-Token given, which openstack sets, want one of them`,
		"basic_auth: {}": `basic_auth: username: missing, and password too, want them`,
		"openstack: {auth_url: 'http://k', authurl: 'http://k'}": "",
	} {
		_, err := buildHTTP(t, keys, Options{})
		if want == "" {
			if err == nil {
				t.Errorf("%s loads, want an error", keys)
			}
			continue
		}
		if want := `module "m": line 4: http: ` + want; err == nil || err.Error() != want {
			t.Errorf("%s:\n got %v\nwant %s", keys, err, want)
		}
	}
	if _, err := buildHTTP(t, "basic_auth: {}", Options{Compat: Exact}); err != nil {
		t.Errorf("blackbox_exporter takes an empty basic_auth, we say %v", err)
	}
	h := httpModule(t, "basic_auth: {password: b}", Options{}).Prober.(*HTTP)
	if got := fmt.Sprint(h.Warnings()); got != "[basic_auth: username: missing, an empty one is sent]" {
		t.Errorf("warnings %s", got)
	}
}

// TestFiveFailures are told apart: the target is out of reach, the answer is wrong, the keys of BASIC or those of Keystone make no sense,
// Keystone refuses.
func TestFiveFailures(t *testing.T) {
	k := newKeystone(t)
	s := web(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }})
	gone := "http://" + probetest.RefusedAddr(t)
	load := func(keys string) string {
		_, err := buildHTTP(t, keys, Options{})
		return fmt.Sprint(err)
	}
	run := func(keys, target string) string {
		res := fetch(t, httpModule(t, keys, Options{}), target)
		part := ""
		for key, value := range series(res) {
			if strings.HasPrefix(key, "http_openstack_failure_info") && value == "1" {
				part = strings.TrimPrefix(key, "http_openstack_failure_info")
			}
		}
		return res.Reason.String() + part + ": " + res.Err
	}
	for _, test := range []struct{ got, want string }{
		{run(k.keys(), gone), fmt.Sprintf(`connect{service}: fetching %q: connecting to %q: connect: connection refused, want a connection`, gone, gone[len("http://"):])},
		{run(k.keys(), s.URL), fmt.Sprintf(`response{service}: fetching %q: status 418 from the service, want 200 to 299`, s.URL)},
		{load("basic_auth: {}"), `module "m": line 4: http: basic_auth: username: missing, and password too, want them`},
		{load("openstack: {username: a}"), `module "m": line 4: http: openstack: auth_url: missing, want the URL of Keystone`},
		{run(strings.Replace(k.keys(), "s3cret", "wrong", 1), s.URL), fmt.Sprintf(`auth{keystone}: fetching %q: authenticating at %q as "admin": `+
			`Keystone refused with status 401 and "The request you have made requires authentication.", want a token`, s.URL, k.URL)},
	} {
		if test.got != test.want {
			t.Errorf(" got %s\nwant %s", test.got, test.want)
		}
	}
}

// TestOpenStackSecretFiles fails a probe with the name of the key whose file cannot be used.
func TestOpenStackSecretFiles(t *testing.T) {
	s, empty := web(t, map[string]http.HandlerFunc{"/": okBody}), probetest.WriteFile(t, "empty", []byte("\n"))
	credentials := Credentials{{Name: "ops", Account: Account{Username: "a", Password: "p"}}}
	for _, test := range []struct{ keys, credential, want string }{
		{"user_id: i, password_file: /nonexistent", "", "reading openstack: password_file: stat /nonexistent: no such file or directory, want a readable file"},
		{"user_id: i, password_file: " + empty, "", "reading openstack: password_file: it is empty, want a secret"},
		{"application_credential_id: i, application_credential_secret_file: /nonexistent", "",
			"reading openstack: application_credential_secret_file: stat /nonexistent: no such file or directory, want a readable file"},
		{"user_id: i, password: p", "ops", `openstack: credential: "ops" has a username and the module has user_id, want one of them`},
		{"application_credential_id: i, application_credential_secret: s", "ops",
			`openstack: credential: "ops" picked for an application credential, which has its own secret, want none`},
		{"user_id: i, password: p, tls_config: {ca_file: /nonexistent}", "", `openstack: opening "/nonexistent": no such file or directory, want a readable file`},
	} {
		target := probe.NewTarget(s.URL)
		target.Credential = test.credential
		res := remember(t, httpModule(t, "openstack: {auth_url: 'http://k', "+test.keys+"}", Options{Credentials: credentials}), target, nil)
		wantOutcome(t, res, probe.ReasonConfig, `fetching "%s": `+test.want, s.URL)
		wantSeries(t, res, map[string]string{"http_openstack_failure_info{keystone}": "1"})
	}
}

func TestOpenStackRedacted(t *testing.T) {
	for _, keys := range []string{
		"openstack: {auth_url: 'http://k', username: admin, password: canary1, user_domain_name: D}",
		"openstack: {auth_url: 'http://k', application_credential_id: i, application_credential_secret: canary2}",
	} {
		m := httpModule(t, keys, Options{})
		text := yamlOf(t, m, "")
		if strings.Contains(text, "canary") || !strings.Contains(text, "<secret>") || !strings.Contains(text, "auth_url: http://k\n") {
			t.Errorf("shown is\n%s", text)
		}
		if len(m.Secrets) != 1 {
			t.Errorf("%d secrets are known, want one", len(m.Secrets))
		}
	}
}
