// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/prometheus/exporter-toolkit/web"
)

// placed is a command line as far as place reads it.
func placed(external, prefix string, systemd bool, addresses ...string) *program {
	return &program{
		externalURL: external, routePrefix: prefix, web: &web.FlagConfig{WebListenAddresses: &addresses, WebSystemdSocket: &systemd},
	}
}

func TestPlace(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		external, route, address string
		wantURL, wantPrefix      string
	}{
		{"", "", ":9115", "http://" + host + ":9115", "/"},
		{"", "", "[::1]:80", "http://" + host + ":80", "/"},
		{"", "", "vsock://:9100", "http://" + host + ":9100", "/"},
		{"", "x", ":9115", "http://" + host + ":9115", "/x/"},
		{"https://w.example", "", ":9115", "https://w.example", "/"},
		{"https://w.example/", "", "nonsense", "https://w.example", "/"},
		{"https://w.example/a/b//", "", ":9115", "https://w.example/a/b", "/a/b/"},
		{"https://w.example/a", "/", ":9115", "https://w.example/a", "/"},
		{"https://w.example/a", "//b/c/", ":9115", "https://w.example/a", "/b/c/"},
		{"https://w.example/a", "b/../c", ":9115", "https://w.example/a", "/c/"},
		{"/only/path", "", ":9115", "/only/path", "/only/path/"},
	} {
		got, err := placed(test.external, test.route, false, test.address).place()
		if err != nil || got.external != test.wantURL || got.prefix != test.wantPrefix {
			t.Errorf("%q, %q, %q: %+v, %v, want %q below %q", test.external, test.route, test.address, got, err, test.wantURL, test.wantPrefix)
		}
	}
}

func TestPlaceRefused(t *testing.T) {
	for _, test := range []struct {
		external, route, address string
		systemd                  bool
		want                     string
	}{
		{`"https://w.example"`, "", ":1", false, "--web.external-url: URL must not begin or end with quotes"},
		{`https://w.example'`, "", ":1", false, "--web.external-url: URL must not begin or end with quotes"},
		{"https://w.example:x", "", ":1", false, `--web.external-url: parse "https://w.example:x": invalid port ":x" after host, want a URL such as`},
		{"", "", "localhost", false, `--web.external-url: not given, and --web.listen-address="localhost" has no port to make it of`},
		{"", "", ":1", true, "--web.external-url: missing, want it together with --web.systemd-socket"},
		{"", "/{a}", ":1", false, `--web.route-prefix: "/{a}/", want a path without any of {}%?# and white space`},
		{"https://w.example/a%20b", "", ":1", false, `--web.route-prefix: "/a b/"`},
	} {
		_, err := placed(test.external, test.route, test.systemd, test.address).place()
		if err == nil || !strings.HasPrefix(err.Error(), "reading the command line: "+test.want) {
			t.Errorf("%q, %q, %q: %v, want %s", test.external, test.route, test.address, err, test.want)
		}
	}
	if _, err := placed("https://w.example", "", true).place(); err != nil {
		t.Errorf("systemd socket with a URL: %v", err)
	}
}
