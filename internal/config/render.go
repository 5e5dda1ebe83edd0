// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML gives the sections of the file with their defaults filled in, and without secrets. They are rendered once, when first asked for:
// thousands of checks take far more memory to render than to keep. The caller must not change the text.
func (c *Config) YAML() ([]byte, error) { return c.rendered() }

// render writes one section after the other, each straight into the text.
func (c *Config) render() ([]byte, error) {
	var out bytes.Buffer
	if err := c.renderSections(&out, reflect.ValueOf(c.doc)); err != nil {
		return nil, fmt.Errorf("rendering configuration %q: %w", c.Path, err)
	}
	return bytes.Clone(out.Bytes()), nil
}

func (c *Config) renderSections(out *bytes.Buffer, sections reflect.Value) error {
	for i := range sections.NumField() {
		key, options, _ := strings.Cut(sections.Type().Field(i).Tag.Get("yaml"), ",")
		var err error
		switch {
		case options == "inline":
			err = c.renderSections(out, sections.Field(i))
		case c.given[key]:
			err = renderSection(out, key, sections.Field(i).Interface())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func renderSection(out *bytes.Buffer, key string, section any) error {
	encoder := yaml.NewEncoder(out)
	encoder.SetIndent(4)
	if err := encoder.Encode(map[string]any{key: section}); err != nil {
		return err
	}
	return encoder.Close()
}
