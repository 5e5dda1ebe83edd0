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

// render writes one section after the other, each straight into the text, long lists in parts.
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
			err = renderSection(out, key, sections.Field(i))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxAtOnce is how many entries of a list are encoded at once: the encoder keeps all that it has written.
const maxAtOnce = 100

func renderSection(out *bytes.Buffer, key string, section reflect.Value) error {
	if section.Kind() != reflect.Slice {
		return encode(out, key, section)
	}
	for from := 0; from == 0 || from < section.Len(); from += maxAtOnce {
		var part bytes.Buffer
		if err := encode(&part, key, section.Slice(from, min(from+maxAtOnce, section.Len()))); err != nil {
			return err
		}
		if from > 0 {
			part.Next(len(key) + len(":\n"))
		}
		part.WriteTo(out)
	}
	return nil
}

func encode(out *bytes.Buffer, key string, section reflect.Value) error {
	encoder := yaml.NewEncoder(out)
	encoder.SetIndent(4)
	if err := encoder.Encode(map[string]any{key: section.Interface()}); err != nil {
		return err
	}
	return encoder.Close()
}
