// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTargetThatCannotBeRead: a password with an unescaped / ? or # ends the authority early, but must not show.
func TestTargetThatCannotBeRead(t *testing.T) {
	for address, want := range map[string]string{
		"http://u:CANARY/x@h":           "http://h",
		"http://u:CANARY/x@h:80/p?q=1":  "http://h:80/p?q=1",
		"http://u:x/CANARY@h/a":         "http://h/a",
		"http:/u:CANARY@h":              "http:/h",
		"http:/u:CANARY/x@h":            "http:/h",
		"http:///u:CANARY@h":            "http:///h",
		"//u:CANARY@h":                  "//h",
		"http:u:CANARY@h":               "h",
		" http://u:CANARY@h":            " http://h",
		"u:CANARY/x@h:22":               "h:22",
		"u:CANARY@h/?next=http://other": "h/?next=http://other",
		"http://u:CANARY?x@h":           "http://h",
		"http://u:CANARY#x@h/":          "http://h/",
		"http://:CANARY/x@h":            "http://h",
		"http://u:1/CANARY:x/y@h":       "http://u:1/CANARY:x/y@h", // a URL as good as http://host:80/path@x
	} {
		if got := NewTarget(address).String(); got != want {
			t.Errorf("%s is shown as %s, want %s", address, got, want)
		}
	}
}

func TestTargetStaysWhole(t *testing.T) {
	for _, address := range []string{
		"http://host/path@x", "http://host:80/path@x", "http://host/mailto:a@b", "https://host/a:b@c?d=e@f#g@h", "http://[::1]:80/a:b@c", "http://[::1]/a:b@c",
		"host/path:a@b", "host:80/path:a@b", "::1", "fe80::1%eth0", "[::1]:22", "/run/x:y/a@b", "http://host?to=a:b@c", "host:port/path", "http://host/?u=http://a:b@c",
		"unix:///run/x@y", "/",
	} {
		if target := NewTarget(address); target.String() != address || target.Password() != "" || target.Secrets() != nil {
			t.Errorf("%s is shown as %s, with the secrets %q", address, target, target.Secrets())
		}
	}
}

// TestNoPasswordShows, wherever a URL that has a host shows or hides it.
func TestNoPasswordShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scheme := rapid.SampledFrom([]string{"", "http://", "https://", "http:/", "ws://", "//"}).Draw(t, "scheme")
		user := rapid.StringMatching(`[a-z]{0,3}`).Draw(t, "user")
		around := rapid.StringMatching(`[a-z/?#:%]{0,4}`)
		password := "pw" + around.Draw(t, "before") + "CANARY" + around.Draw(t, "after")
		path := rapid.SampledFrom([]string{"", "/", "/path", "?q=1"}).Draw(t, "path")
		target := NewTarget(scheme + user + ":" + password + "@host" + path)
		if strings.Contains(target.String(), "CANARY") {
			t.Errorf("%s is shown as %s", target.Raw(), target)
		}
		if masked := Mask("invalid port \":"+password+"\" after host, near "+password, target.Secrets()...); strings.Contains(masked, "CANARY") {
			t.Errorf("%s lets through %s", target.Raw(), masked)
		}
	})
}
