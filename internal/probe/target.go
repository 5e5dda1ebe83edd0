// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"net/url"
	"strings"
)

// Target is the address a probe aims at, with what a request adds to it. The zero value aims at nothing.
type Target struct {
	raw      string
	text     string
	Hostname string // the hostname parameter of /probe; "" when not given
}

// maxTargetText is the most bytes of an address that are shown and stored; anybody may ask /probe for any length.
const maxTargetText = 2000

// NewTarget keeps the address as written. Whether it suits a prober is the prober's business.
func NewTarget(address string) Target {
	text := withoutUserinfo(address)
	if len(text) > maxTargetText {
		text = strings.ToValidUTF8(text[:maxTargetText], "") + "..."
	}
	return Target{raw: address, text: text}
}

// String gives the address without user name and password, cut after 2000 bytes: the form that is a label, a log attribute, and what is
// stored.
func (t Target) String() string { return t.text }

// Raw gives the address as written, userinfo included. Only probers and the dialer use it.
func (t Target) Raw() string { return t.raw }

// Password gives the password of the userinfo as written; "" without one.
func (t Target) Password() Secret {
	start, end := userinfo(t.raw)
	if _, password, ok := strings.Cut(t.raw[start:end], ":"); ok {
		return Secret(strings.TrimSuffix(password, "@"))
	}
	return ""
}

// secrets gives what must not show: the password as written and decoded, or, without one, the user, which may be a token.
func (t Target) secrets() []Secret {
	start, end := userinfo(t.raw)
	if start == end {
		return nil
	}
	text := t.raw[start : end-1]
	if _, password, ok := strings.Cut(text, ":"); ok {
		text = password
	}
	decoded, err := url.PathUnescape(text)
	if err != nil || decoded == text {
		return []Secret{Secret(text)}
	}
	return []Secret{Secret(text), Secret(decoded)}
}

func withoutUserinfo(address string) string {
	start, end := userinfo(address)
	return address[:start] + address[end:]
}

// userinfo finds "user:password@" in the authority of an address; start equals end when there is none.
func userinfo(address string) (start, end int) {
	if i := strings.Index(address, "://"); i >= 0 {
		start = i + len("://")
	}
	authority := address[start:]
	if i := strings.IndexAny(authority, "/?#"); i >= 0 {
		authority = authority[:i]
	}
	return start, start + strings.LastIndexByte(authority, '@') + 1
}
