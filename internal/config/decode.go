// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"bytes"
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// decode reads the first document of data strictly. The node is the same document, for its line numbers.
func decode(data []byte) (document, *yaml.Node, error) {
	doc, root := defaults(), new(yaml.Node)
	err := yaml.NewDecoder(bytes.NewReader(data)).Decode(root)
	switch {
	case errors.Is(err, io.EOF), err == nil && root.Content[0].Tag == nullTag:
		return doc, nil, errors.New("empty, want at least one section such as modules")
	case err != nil:
		return doc, nil, cmp.Or(anchorless(err, data), say(err, nil))
	}
	root = root.Content[0]
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	err = decoder.Decode(&doc)
	var typed *yaml.TypeError
	if err != nil && !errors.As(err, &typed) {
		if located := misspelt(root); located != nil {
			return doc, nil, located
		}
	}
	return doc, root, cmp.Or(say(err, root), hollow(root))
}

// anchorless says where an alias has no anchor, in place of the decoder, which shows its name. That is a password where one begins with *;
// nil for other errors.
func anchorless(err error, data []byte) error {
	found := noAnchor.FindStringSubmatch(err.Error())
	if found == nil {
		return nil
	}
	before, _, _ := bytes.Cut(data, []byte("*"+found[1]))
	return fmt.Errorf("line %d: an alias of an anchor that is not there, want quotes around a text that begins with *", bytes.Count(before, []byte("\n"))+1)
}

// nullTag is that of a value that is not there.
const nullTag = "!!null"

// hollow finds an entry of a list that is not there; the decoder would leave it out.
func hollow(root *yaml.Node) error {
	for p := range places(root) {
		for _, entry := range p.node.Content {
			if p.node.Kind == yaml.SequenceNode && entry.Tag == nullTag {
				return fmt.Errorf("line %d: %s: empty entry, want none or a whole one", entry.Line, p.key)
			}
		}
	}
	return nil
}

// misspelt finds the first scalar that its own type refuses, since the decoder does not say where that was.
func misspelt(root *yaml.Node) error {
	for p := range places(root) {
		u, ok := p.value().(encoding.TextUnmarshaler)
		if !ok || p.node.Kind != yaml.ScalarNode {
			continue
		}
		if err := u.UnmarshalText([]byte(p.node.Value)); err != nil {
			return fmt.Errorf("line %d: %s: %w", p.node.Line, p.key, err)
		}
	}
	return nil
}
