// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Target is the address a probe aims at, with what a request adds to it. The zero value aims at nothing.
type Target struct {
	raw        string
	text       string
	Hostname   string // the hostname parameter of /probe; "" when not given
	Credential string // name of the credential that the request or check picks; "" = that of the module
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
	found := findUserinfo(t.raw)
	if _, password, ok := strings.Cut(t.raw[found.start:found.end], ":"); ok {
		return Secret(strings.TrimSuffix(password, "@"))
	}
	return ""
}

// Secrets gives what must not show: the password as written and decoded, or, without one, the user, which may be a token. Where the
// address cannot be read the parts of the password are secret too: they may turn up alone, in the words of who tries to read it.
func (t Target) Secrets() []Secret {
	found := findUserinfo(t.raw)
	if found.start == found.end {
		return nil
	}
	text := t.raw[found.start : found.end-1]
	if _, password, ok := strings.Cut(text, ":"); ok {
		text = password
	}
	texts := []string{text}
	if decoded, err := url.PathUnescape(text); err == nil {
		texts = append(texts, decoded)
	}
	if found.broken {
		texts = append(texts, strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("/?#:@", r) })...)
	}
	slices.Sort(texts)
	var secrets []Secret
	for _, text := range slices.Compact(texts) {
		secrets = append(secrets, Secret(text))
	}
	return secrets
}

func withoutUserinfo(address string) string {
	found := findUserinfo(address)
	return address[:found.start] + address[found.end:]
}

// userinfo is where "user:password@" stands in an address; start equals end when there is none.
type userinfo struct {
	start, end int
	broken     bool // it is not where a URL has it
}

// scheme is what stands before an authority, also when a slash is missing or too many.
var scheme = regexp.MustCompile(`^[^/?#@:]*:/+|^//+`)

// findUserinfo takes what is before the last @ of the authority. A password with an unescaped / ? or # ends the authority early: then host
// and port make no sense, and everything up to the last @ is taken. A path alone has no authority.
func findUserinfo(address string) userinfo {
	if !strings.Contains(address, "@") {
		return userinfo{} // as in nearly all, and looking closer costs time and stack
	}
	start := len(scheme.FindString(address))
	rest := address[start:]
	if start == 0 && strings.HasPrefix(address, "/") {
		return userinfo{}
	}
	authority := before(rest, "/?#")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return userinfo{start: start, end: start + at + 1}
	}
	if isHostPort(authority) {
		return userinfo{start: start, end: start}
	}
	at := strings.LastIndexByte(before(rest, "?#"), '@')
	if at < 0 {
		at = strings.LastIndexByte(rest, '@')
	}
	if at < 0 || !strings.Contains(rest[:at], ":") {
		return userinfo{start: start, end: start}
	}
	return userinfo{start: start, end: start + at + 1, broken: true}
}

// before gives what comes before the first of the characters.
func before(text, characters string) string {
	if i := strings.IndexAny(text, characters); i >= 0 {
		return text[:i]
	}
	return text
}

// isHostPort tells whether a text is a host, or a host and the number of a port.
func isHostPort(text string) bool {
	if _, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return true
	}
	host, port := text, "1"
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		host, port = text[:i], text[i+1:]
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	} else if strings.Contains(host, ":") {
		return false
	}
	_, err := strconv.ParseUint(port, 10, 64)
	return host != "" && err == nil
}
