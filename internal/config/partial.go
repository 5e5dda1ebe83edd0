// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

// partial is the part of a prober's section that is given for one target. It is decoded once the prober is known, with the decoder's own
// function, since decoding a yaml.Node again would forget that unknown fields are errors.
type partial struct {
	unmarshal func(any) error
	written   node
	prober    probe.Prober // made of it; nil before
}

// node is how something is written: the decoder gives it to this form of the method only.
type node struct{ yaml.Node }

// UnmarshalYAML notes the node.
func (n *node) UnmarshalYAML(found *yaml.Node) error {
	n.Node = *found
	return nil
}

// UnmarshalYAML keeps the section for later.
func (p *partial) UnmarshalYAML(unmarshal func(any) error) error {
	p.unmarshal = unmarshal
	return unmarshal(&p.written)
}

// MarshalYAML gives the keys that were written, with the values that the prober shows of them: it hides its secrets itself.
func (p *partial) MarshalYAML() (any, error) {
	if p.prober == nil {
		return nil, nil
	}
	var whole yaml.Node
	if err := whole.Encode(p.prober); err != nil {
		return nil, err
	}
	return picked(&whole, &p.written.Node), nil
}

// picked gives a copy of what is shown, less the keys that were not written, and with those that were written though they say nothing:
// the module itself may say otherwise.
func picked(shown, written *yaml.Node) *yaml.Node {
	written = unalias(written)
	if shown.Kind != yaml.MappingNode || written.Kind != yaml.MappingNode {
		return shown
	}
	copied := *shown
	copied.Content = nil
	for i := 0; i+1 < len(shown.Content); i += 2 {
		if value := valueOf(written, shown.Content[i].Value); value != nil {
			copied.Content = append(copied.Content, shown.Content[i], picked(shown.Content[i+1], value))
		}
	}
	for i := 0; i+1 < len(written.Content); i += 2 {
		if key, value := written.Content[i], unalias(written.Content[i+1]); isZero(value) && valueOf(shown, key.Value) == nil {
			copied.Content = append(copied.Content, key, value)
		}
	}
	return &copied
}

// isZero tells whether a value is one that probers leave out: false, 0, nothing.
func isZero(value *yaml.Node) bool {
	return len(value.Content) == 0 && (value.Kind != yaml.ScalarNode || value.Value == "false" || value.Value == "0" || value.Value == "")
}

// valueOf gives the value of a key of a mapping, also of one that is merged into it; nil if there is none.
func valueOf(mapping *yaml.Node, key string) *yaml.Node {
	var merged *yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		name, value := mapping.Content[i], unalias(mapping.Content[i+1])
		if name.Value == key {
			return value
		}
		if name.Tag != "!!merge" {
			continue
		}
		for _, from := range append([]*yaml.Node{value}, value.Content...) {
			if from = unalias(from); from.Kind == yaml.MappingNode && merged == nil {
				merged = valueOf(from, key)
			}
		}
	}
	return merged
}
