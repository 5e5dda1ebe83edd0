// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"skywatch/internal/probe"
)

// tricks are targets of a prober whose standard port is 143, and whether trickPatterns let it log in there.
var tricks = map[string]bool{
	"mail.example.org":                true,
	"mail.example.org:143":            true,
	"MAIL.Example.ORG:143":            true,
	"mail.example.org.:143":           true,
	"mail.example.org.":               true,
	"mail.example.org:imap2":          true,
	"mail.example.org:IMAP2":          true,
	"mail.example.org:0143":           true,
	"127.0.0.1":                       true,
	"::ffff:127.0.0.1":                true,
	"[::ffff:127.0.0.1]:143":          true,
	"[::ffff:7f00:1]:143":             true,
	"::1":                             true,
	"[::1]":                           true,
	"[0:0:0:0:0:0:0:1]:143":           true,
	"a.inside.example:993":            true,
	"a.b.inside.example:993":          true,
	"any.example.org:1":               true,
	"any.example.org:65535":           true,
	"localhost.:25":                   true,
	"xn--mnchen-3ya.example:143":      true,
	"mail.example.org:993":            false,
	"mail.example.org:imaps":          false,
	"evil.example":                    false,
	"mail.example.org.evil:143":       false,
	"evilmail.example.org":            false,
	"evil-mail.example.org:143":       false,
	"mail.example.org@evil":           false,
	"mail.example.org@evil:143":       false,
	"mail.example.org:143@evil:143":   false,
	"nora:pw@mail.example.org:143":    false,
	"mail.example.org:143:143":        false,
	"mail.example.org:":               false,
	":143":                            false,
	"":                                false,
	" mail.example.org":               false,
	"mail.example.org ":               false,
	"mail.example.org\t:143":          false,
	"mail.example.org\n":              false,
	"mail.example.org\x00":            false,
	"mail.example.org\x00.evil":       false,
	"evil\x00.inside.example:993":     false,
	"evil/.inside.example:993":        false,
	"mail%2eexample.org":              false,
	"mail.example.org%00":             false,
	"mail.example.org#evil":           false,
	"mail.example.org?evil":           false,
	"mail.example.org/evil":           false,
	"mail.example.org\\evil":          false,
	"http://mail.example.org":         false,
	"imap://mail.example.org:143":     false,
	"mail.example.org:143 evil:143":   false,
	"mail.example.org,evil":           false,
	"mail.example.org..":              false,
	"mail..example.org":               false,
	".mail.example.org":               false,
	"mail.example.org:66079":          false, // 143 in 16 bits
	"mail.example.org:-143":           false,
	"mail.example.org:0":              false,
	"127.1":                           false,
	"127.0.0.2":                       false,
	"127.0.0.1.":                      false,
	"0177.0.0.1":                      false,
	"0x7f000001":                      false,
	"2130706433":                      false,
	"::2":                             false,
	"::1%lo":                          false,
	"[::1%lo]:143":                    false,
	"::ffff:127.0.0.1%lo":             false,
	"[::ffff:127.0.0.1%25lo]:143":     false,
	"::127.0.0.1":                     false,
	"[mail.example.org]:143":          true, // the brackets are no part of the name that is dialed
	"[mail.example.org":               false,
	"mail.example.org]":               false,
	"[[::1]]":                         false,
	"inside.example:993":              false,
	".inside.example:993":             false,
	"x.inside.example:143":            false,
	"evilinside.example:993":          false,
	"*.inside.example:993":            false,
	"*":                               false,
	"box:25":                          true,
	"box.:25":                         false, // of the root, where box alone is searched for in the local domain
	"m\u00fcnchen.example:143":        false,
	"mail.ex\u0430mple.org:143":       false, // Cyrillic
	"\uff4dail.example.org:143":       false, // full width
	"mail\u3002example\u3002org:143":  false, // ideographic full stops
	"linu\u212a.example:143":          false, // the sign of kelvin is k in lower case
	"mail.example.org\u200b:143":      false,
	strings.Repeat("a", 300) + ":143": false,
}

// trickPatterns are what is allowed in the tests of tricks.
var trickPatterns = []string{
	"mail.example.org:143", "127.0.0.1:imap2", "[::1]:143", "*.inside.example:993", "any.example.org:*", "LOCALHOST:25", "box:25",
	"xn--mnchen-3ya.example:143", "linuk.example:143",
}

func TestTricksWithTargets(t *testing.T) {
	for _, pattern := range trickPatterns {
		if err := checkPattern(pattern); err != nil {
			t.Error(err)
		}
	}
	p := &linkProber{newServiceConfig(Options{}, 143, 993)}
	p.Username, p.Password = "nora", "canary"
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	for text, want := range tricks {
		logins, err := p.Logins(probe.NewTarget(text))
		got := err == nil && len(logins) == 1 && Allowed(trickPatterns, logins[0].Address)
		if got != want {
			t.Errorf("target %q: allowed %v, want %v (%v, %v)", text, got, want, logins, err)
		}
	}
}

// needed are keys without which a prober that logs in is not valid.
var needed = map[string]string{"mailloop": "from: a@example.org, to: b@example.org", "mysql": "mode: ping", "ssh": "host_key: any"}

// TestTricksWithEveryService: all probers that log in read a target as the table says, wherever it has a port.
func TestTricksWithEveryService(t *testing.T) {
	for _, name := range Names() {
		p := registered[name].factory(Options{})
		service, ok := p.(Service)
		if !ok || name == "http" {
			continue // http reads URLs, and has tests of its own
		}
		if err := yaml.Unmarshal([]byte("{username: nora, password: canary, "+needed[name]+"}"), p); err != nil {
			t.Fatal(err)
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for text, want := range tricks {
			logins, err := service.Logins(probe.NewTarget(text))
			got := err == nil && len(logins) > 0 && Allowed(trickPatterns, logins[0].Address)
			if got && !want || want && !got && withPort.MatchString(text) {
				t.Errorf("%s: target %q: allowed %v, want %v (%v, %v)", name, text, got, want, logins, err)
			}
		}
	}
}

// withPort are targets with a port; each prober completes others with its own.
var withPort = regexp.MustCompile(`([^:]|]):\w+$`)

func TestPatterns(t *testing.T) {
	for pattern, want := range map[string]string{
		"mail.example.org":         `"mail.example.org": missing port in address, want host:port, *.domain:port or host:*`,
		"mail.example.org:":        `"mail.example.org:": unknown port "", want host:port, *.domain:port or host:*`,
		"mail.example.org:0":       `"mail.example.org:0": unknown port "0", want host:port, *.domain:port or host:*`,
		"mail.example.org:imapp":   `"mail.example.org:imapp": unknown port "imapp", want host:port, *.domain:port or host:*`,
		"*:143":                    `"*:143": "*" is no host name, want host:port, *.domain:port or host:*`,
		"*.*:143":                  `"*.*:143": "*" is no host name, want host:port, *.domain:port or host:*`,
		"mail.*.org:143":           `"mail.*.org:143": "mail.*.org" is no host name, want host:port, *.domain:port or host:*`,
		"*.127.0.0.1:143":          `"*.127.0.0.1:143": nothing is below an IP address, want host:port, *.domain:port or host:*`,
		"https://mail.example.org": `"https://mail.example.org": unknown port "//mail.example.org", want host:port, *.domain:port or host:*`,
		"m\u00fcnchen.example:143": `"münchen.example:143": "münchen.example" is no host name, want host:port, *.domain:port or host:*`,
		"127.1:143":                `"127.1:143": "127.1" is no host name, want host:port, *.domain:port or host:*`,
		"":                         `"": missing port in address, want host:port, *.domain:port or host:*`,
	} {
		if err := checkPattern(pattern); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// dialed is what a dialer makes of an address: the IP address, or the name that is looked up, and the port.
func dialed(t interface{ Fatalf(string, ...any) }, address string) (string, uint16) {
	host, port, err := splitOptionalPort(context.Background(), probe.NewTarget(address), address, 143)
	if err != nil {
		t.Fatalf("%q is allowed and cannot be dialed: %v", address, err)
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String(), port
	}
	if strings.Count(host, ".") > 1 || strings.EqualFold(host, "localhost.") {
		host = strings.TrimSuffix(host, ".")
	}
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, host), port
}

// TestAllowedIsDialedAlike: an address is allowed by another one only if both are dialed at the very same host and port.
func TestAllowedIsDialedAlike(t *testing.T) {
	hosts := rapid.OneOf(
		rapid.SampledFrom([]string{"mail.example.org", "MAIL.example.org", "mail.example.org.", "box", "box.", "127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "[::1%lo]", "[0::1]", "127.1", "localhost", "localhost.", "mail.example.org@evil", "\u212a.example"}),
		rapid.StringMatching(`[a-bA-B.]{1,4}`), rapid.StringN(0, 6, -1),
	)
	ports := rapid.OneOf(rapid.SampledFrom([]string{"143", "imap2", "0143", "+143", "993", "0", "", "65679", "*"}), rapid.StringN(0, 3, -1))
	rapid.Check(t, func(t *rapid.T) {
		pattern := hosts.Draw(t, "host") + ":" + strings.TrimSuffix(ports.Draw(t, "port"), "*")
		address := hosts.Draw(t, "other host") + ":" + strings.TrimSuffix(ports.Draw(t, "other port"), "*")
		if Allowed([]string{pattern}, address) != Allowed([]string{address}, pattern) {
			t.Fatalf("%q and %q are not treated alike", pattern, address)
		}
		if !Allowed([]string{pattern}, address) {
			return
		}
		host, port := dialed(t, pattern)
		if otherHost, otherPort := dialed(t, address); host != otherHost || port != otherPort || port == 0 {
			t.Fatalf("%q allows %q: dialed %s %d and %s %d", pattern, address, host, port, otherHost, otherPort)
		}
	})
}

func FuzzAllowed(f *testing.F) {
	for address := range tricks {
		f.Add("mail.example.org:143", address)
		f.Add(address, "mail.example.org:143")
		f.Add("*.inside.example:*", address)
	}
	f.Fuzz(func(t *testing.T, pattern, address string) {
		if !Allowed([]string{pattern}, address) {
			return
		}
		canonical, err := CanonicalAddress(address)
		if again, err := CanonicalAddress(canonical); err != nil || again != canonical {
			t.Errorf("%q is %q, and that %q (%v)", address, canonical, again, err)
		}
		host, port := dialed(t, address)
		if err != nil || canonical != net.JoinHostPort(host, strconv.Itoa(int(port))) {
			t.Errorf("%q is allowed as %q and dialed at %s %d", address, canonical, host, port)
		}
		if checkPattern(pattern) != nil {
			t.Errorf("%q allows %q and is no pattern", pattern, address)
		}
	})
}
