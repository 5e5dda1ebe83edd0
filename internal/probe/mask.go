// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
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
// alignments it can have inside a longer encoded text (AUTH PLAIN, HTTP basic).
func maskForms(secret string) []string {
	if len(secret) < shortestMasked {
		return nil
	}
	hexed := hex.EncodeToString([]byte(secret))
	quoted := strconv.Quote(secret)
	forms := []string{secret, quoted[1 : len(quoted)-1], url.QueryEscape(secret), url.PathEscape(secret), hexed, strings.ToUpper(hexed)}
	for shift := range 3 {
		forms = append(forms, base64Core(secret, shift, base64.RawStdEncoding), base64Core(secret, shift, base64.RawURLEncoding))
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

func newMasker(secrets []Secret) *strings.Replacer {
	var pairs []string
	var forms []string
	for _, secret := range secrets {
		forms = append(forms, maskForms(secret.Reveal())...)
		forms = append(forms, maskLines(secret.Reveal())...)
	}
	slices.SortStableFunc(forms, func(a, b string) int { return len(b) - len(a) })
	for _, form := range forms {
		pairs = append(pairs, form, secretText)
	}
	if pairs == nil {
		return nil
	}
	return strings.NewReplacer(pairs...)
}

// Mask replaces every spelling of the secrets in s: for texts that come about outside of a run.
func Mask(s string, secrets ...Secret) string {
	masker := newMasker(secrets)
	if masker == nil {
		return s
	}
	return masker.Replace(s)
}
