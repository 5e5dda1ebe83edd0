// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"strings"
	"testing"

	"skywatch/probes"
)

// aims is a file with one check.
func aims(prober, target string) string {
	section := ""
	if prober == "dns" {
		section = ", dns: {query_name: example.org}"
	}
	if prober == "udp" {
		section = ", udp: {send: x}"
	}
	return "modules: {m: {prober: " + prober + section + "}}\nchecks: [{name: a, module: m, target: '" + target + "'}]\n"
}

func TestTargetsThatMakeSense(t *testing.T) {
	for prober, targets := range map[string][]string{
		"dns":       {"localhost", "localhost:53", "127.0.0.1", "::1", "[::1]:53", "[::1]", "fe80::1%eth0"},
		"grpc":      {"localhost:50051", "localhost", "http://localhost:50051"},
		"http":      {"localhost", "localhost:80", "127.0.0.1", "[::1]", "example.org/path", "https://user:pw@example.org:8443/a?b=c#d", "müller.example:80", "http://[::1]:80/"},
		"icmp":      {"localhost", "127.0.0.1", "::1", "fe80::1%eth0"},
		"tcp":       {"localhost:22", "127.0.0.1:22", "[::1]:22", "müller.example:80"},
		"udp":       {"localhost:123", "[::1]:123"},
		"unix":      {"/run/docker.sock", "./run.sock", "@name"},
		"websocket": {"ws://localhost", "wss://localhost:8443/path"},
	} {
		for _, target := range targets {
			if _, err := loadText(t, aims(prober, target)); err != nil {
				t.Errorf("%v", err)
			}
		}
	}
}

// TestTargetsOfNoUse to their prober: the error comes at the start, not from each probe for ever.
func TestTargetsOfNoUse(t *testing.T) {
	for _, test := range []struct{ prober, target, want string }{
		{"dns", "udp://localhost", `reading target "udp://localhost": unknown port "//localhost", want host:port`},
		{"grpc", "localhost:0x", `target: "localhost:0x": port "0x" is none of 1 to 65535, want a URL, a host, host:port or a path`},
		{"http", "/path", `fetching "/path": no host, want a URL with one`},
		{"http", "ftp://localhost/", `fetching "ftp://localhost/": scheme is neither http nor https, want one of them or none`},
		{"icmp", "http://localhost", `reading target "http://localhost": not a bare host, want a name or an address without scheme, port and brackets`},
		{"icmp", "localhost:7", `reading target "localhost:7": not a bare host, want a name or an address without scheme, port and brackets`},
		{"tcp", "localhost", `reading target "localhost": missing port in address, want host:port`},
		{"tcp", "http://localhost:80/", `reading target "http://localhost:80/": too many colons in address, want host:port`},
		{"tcp", ":22", `target: ":22": has no host, want a URL, a host, host:port or a path`},
		{"udp", "localhost", `reading target "localhost": missing port in address, want host:port`},
		{"unix", "localhost", `reading target "localhost": not a path, want the path of a socket such as /run/app.sock`},
		{"unix", "http://localhost/x", `reading target "http://localhost/x": not a path, want the path of a socket such as /run/app.sock`},
		{"websocket", "http://localhost", `reading target "http://localhost": want a ws or wss URL with a host and without user name`},
		{"websocket", "localhost", `reading target "localhost": want a ws or wss URL with a host and without user name`},
	} {
		_, err := loadText(t, aims(test.prober, test.target))
		if want := `line 2: check "a": ` + test.want; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s, %s:\n got %v\nwant ... %s", test.prober, test.target, err, want)
		}
	}
}

// TestErrorsShowNoPassword, not even a piece of one in an address that nobody can read.
func TestErrorsShowNoPassword(t *testing.T) {
	for _, target := range []string{
		"http://u:CANARY/x@h", "http:/u:CANARY@h", "u:CANARY/x@h:22", "http://u:x/CANARY@h", "http://u:CANARY@h:99999", "http://u:CANARY?x@h", "http://u:CAN ARY@h",
		"http://u:CANARY%zz@h", "http://[u:CANARY/x@h", "u:CANARY@h:x",
	} {
		for _, prober := range probes.Names() {
			_, err := loadText(t, aims(prober, target))
			if err != nil && (strings.Contains(err.Error(), "CAN") || !strings.Contains(err.Error(), ", want ") && !strings.Contains(err.Error(), ": want ")) {
				t.Errorf("%s: %v", prober, err)
			}
		}
	}
	_, err := loadText(t, aims("http", "http://u:CANARY/x@h"))
	if want := `target: "http://h": user name or password has / ? # @ or a space in it, want those percent-encoded`; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want ... %s", err, want)
	}
}
