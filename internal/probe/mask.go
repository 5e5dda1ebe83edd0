// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// shortestMasked is the shortest secret that is masked: a shorter one would blot out ordinary text.
const shortestMasked = 3

// shortestLine is the shortest line of a secret that is masked by itself.
const shortestLine = 8

// maskForms gives the spellings under which a secret may turn up: plain, quoted, percent-encoded, hexadecimal, base64 at each of the three
// alignments it can have inside a longer encoded text (AUTH PLAIN, HTTP basic). Each of them also in upper and lower case, in which the names of
// extensions and capabilities are shown.
func maskForms(secret string) []string {
	if len(secret) < shortestMasked {
		return nil
	}
	hexed := hex.EncodeToString([]byte(secret))
	quoted := strconv.Quote(secret)
	forms := []string{secret, quoted[1 : len(quoted)-1], url.QueryEscape(secret), url.PathEscape(secret), hexed}
	for shift := range 3 {
		forms = append(forms, base64Core(secret, shift, base64.RawStdEncoding), base64Core(secret, shift, base64.RawURLEncoding))
	}
	for _, form := range forms {
		forms = append(forms, strings.ToUpper(form), strings.ToLower(form))
	}
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	forms = slices.Compact(forms)
	return slices.DeleteFunc(forms, func(form string) bool { return len(form) < shortestMasked })
}

// base64Core gives those characters of the encoded text that depend on the secret alone when it starts at byte shift of a group.
func base64Core(secret string, shift int, encoding *base64.Encoding) string {
	encoded := encoding.EncodeToString(append(make([]byte, shift), secret...))
	first := (shift*8 + 5) / 6
	last := (shift + len(secret)) * 8 / 6
	return encoded[first:last]
}

// maskLines gives the spellings of each line of a secret of several, such as a private key: a line of it says enough.
func maskLines(secret string) (forms []string) {
	lines := strings.Split(strings.TrimSpace(secret), "\n")
	if len(lines) < 2 {
		return nil
	}
	for _, line := range lines {
		if line = strings.TrimSpace(line); len(line) >= shortestLine && !strings.HasPrefix(line, "-----") {
			forms = append(forms, maskForms(line)...)
		}
	}
	return forms
}

// masker replaces the spellings of secrets. It is made for each run, so it is cheap to make; strings.Replacer takes tens of KiB for one
// password.
type masker struct {
	forms []string    // by their first byte, and the longest first
	start [257]uint32 // where the forms with a first byte begin in forms; those with the next one end them
}

// newMasker knows the spellings of some secrets; nil = there are none.
func newMasker(secrets []Secret) *masker {
	m := new(masker)
	for _, secret := range secrets {
		m.forms = append(m.forms, maskForms(secret.Reveal())...)
		m.forms = append(m.forms, maskLines(secret.Reveal())...)
	}
	if len(m.forms) == 0 {
		return nil
	}
	slices.SortStableFunc(m.forms, func(a, b string) int { return cmp.Or(int(a[0])-int(b[0]), len(b)-len(a)) })
	for _, form := range m.forms {
		m.start[int(form[0])+1]++
	}
	for i := range 256 {
		m.start[i+1] += m.start[i]
	}
	return m
}

// at gives the length of the longest spelling that s begins with; 0 = none.
func (m *masker) at(s string) int {
	for _, form := range m.forms[m.start[s[0]]:m.start[int(s[0])+1]] {
		if strings.HasPrefix(s, form) {
			return len(form)
		}
	}
	return 0
}

// replace puts secretText in the place of every spelling, of the longest one where several begin.
func (m *masker) replace(s string) string {
	var out strings.Builder
	done := 0
	for i := 0; i < len(s); {
		n := m.at(s[i:])
		if n == 0 {
			i++
			continue
		}
		out.WriteString(s[done:i])
		out.WriteString(secretText)
		i += n
		done = i
	}
	if done == 0 {
		return s
	}
	out.WriteString(s[done:])
	return out.String()
}

// Mask replaces every spelling of the secrets in s: for texts that come about outside of a run.
func Mask(s string, secrets ...Secret) string {
	m := newMasker(secrets)
	if m == nil {
		return s
	}
	return m.replace(s)
}
