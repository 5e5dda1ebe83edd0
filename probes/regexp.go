// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"fmt"
	"regexp"
)

// Regexp is a regular expression (RE2) of a configuration, compiled at load.
type Regexp struct{ *regexp.Regexp }

// UnmarshalYAML compiles the expression.
func (r *Regexp) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	compiled, err := regexp.Compile(text)
	if err != nil {
		return lineError(unmarshal, fmt.Errorf("regular expression %q: %w", text, err))
	}
	r.Regexp = compiled
	return nil
}

// MarshalYAML gives the text as written.
func (r Regexp) MarshalYAML() (any, error) {
	if r.Regexp == nil {
		return nil, nil
	}
	return r.Regexp.String(), nil
}
