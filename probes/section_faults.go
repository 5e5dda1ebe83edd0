// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

// fault is where a value stands that the decoder refuses.
type fault struct {
	line int
	keys []string // from the section down
}

// faults finds the values of the section that a decoder into the type of v refuses, by what it says of them. The decoder itself tells
// the line at best, and never the key.
func (s *section) faults(v any) map[string]fault {
	found := make(map[string]fault)
	decode := func(node *yaml.Node) error { return node.Decode(reflect.New(reflect.TypeOf(v).Elem()).Interface()) }
	findFaults(&s.node.Node, nil, decode, found)
	return found
}

// findFaults notes what is refused at and below a node. decode decodes what stands in its place with nothing beside it, so that
// nothing else can be meant. An alias is not followed: it may lead back to where it stands.
func findFaults(node *yaml.Node, keys []string, decode func(*yaml.Node) error, found map[string]fault) {
	err := decode(node)
	if err == nil {
		return
	}
	alone := func(content ...*yaml.Node) error {
		one := *node
		one.Content = content
		return decode(&one)
	}
	known := len(found)
	if wholly := alone(); wholly == nil || !slices.Equal(decoderTexts(wholly), decoderTexts(err)) {
		for i, below := range node.Content {
			switch {
			case node.Kind == yaml.SequenceNode:
				findFaults(below, under(keys, fmt.Sprintf("entry %d", i+1)), func(n *yaml.Node) error { return alone(n) }, found)
			case i%2 == 1:
				key := node.Content[i-1]
				findFaults(below, under(keys, key.Value), func(n *yaml.Node) error { return alone(key, n) }, found)
			}
		}
	}
	if len(found) > known {
		return
	}
	for _, text := range decoderTexts(err) {
		if _, ok := found[text]; !ok {
			found[text] = fault{node.Line, keys}
		}
	}
}

// under gives the keys with one more, which that of a merge is not.
func under(keys []string, key string) []string {
	if key == "<<" {
		return keys
	}
	return append(keys[:len(keys):len(keys)], key)
}

// decoderTexts gives each thing that the decoder found, without the passwords of URLs.
func decoderTexts(err error) []string {
	if types := new(yaml.TypeError); errors.As(err, &types) {
		return slices.Clone(types.Errors)
	}
	return []string{readableURL(err).Error()}
}

// readableURL hides the password of a URL that cannot be read. What is said of the URL may be a piece of its password.
func readableURL(err error) error {
	refused := new(url.Error)
	if !errors.As(err, &refused) {
		return err
	}
	shown := probe.NewTarget(refused.URL)
	if shown.Secrets() == nil {
		return refused
	}
	if _, err := url.Parse(shown.String()); err != nil {
		return err
	}
	return fmt.Errorf("%q: user name or password has / ? # @ or a space in it, want those percent-encoded", shown)
}

var lineFirst = regexp.MustCompile(`^(line \d+: )(?s:.*)`)

// name puts the line and the keys of the value in front of what is said of it.
func (f fault) name(text string) string {
	line := fmt.Sprintf("line %d: ", f.line)
	if said := lineFirst.FindStringSubmatch(text); said != nil {
		line, text = said[1], text[len(said[1]):]
	}
	for _, key := range f.keys {
		line += key + ": "
	}
	return line + text
}
