// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import "log/slog"

const secretText = "<secret>"

// Secret is a password, token, key or DSN. Every way of printing it gives "<secret>"; only Reveal gives the text.
// The zero value is the empty secret and prints as "".
type Secret string

// Reveal gives the text itself. It has few callers: those that send it to the service it belongs to.
func (s Secret) Reveal() string { return string(s) }

// String hides the text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return secretText
}

// GoString hides the text from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML hides the text.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// MarshalJSON hides the text.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// LogValue hides the text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
