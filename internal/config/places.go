// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"iter"
	"maps"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// place is a node of the file with the type it is decoded into and the key it stands under.
type place struct {
	node *yaml.Node
	kind reflect.Type // no pointer
	key  string
}

// value makes a new value for the place.
func (p place) value() any { return reflect.New(p.kind).Interface() }

// places goes through the file in its order, as far as the types of this and the sections' packages are known; what a section decodes
// by itself, as modules do, is left out. What an anchor names is looked at once: it may contain itself.
func places(root *yaml.Node) iter.Seq[place] {
	return func(yield func(place) bool) {
		walk(place{root, reflect.TypeFor[document](), ""}, make(map[*yaml.Node]bool), yield)
	}
}

func walk(p place, anchors map[*yaml.Node]bool, yield func(place) bool) bool {
	if p.node.Kind == yaml.AliasNode {
		p.node = p.node.Alias
	}
	if p.node.Anchor != "" {
		if anchors[p.node] {
			return true
		}
		anchors[p.node] = true
	}
	for p.kind.Kind() == reflect.Pointer {
		p.kind = p.kind.Elem()
	}
	if !yield(p) {
		return false
	}
	known := fields(p.kind)
	for i, child := range p.node.Content {
		below := place{node: child, key: p.key}
		switch {
		case p.node.Kind == yaml.SequenceNode && p.kind.Kind() == reflect.Slice:
			below.kind = p.kind.Elem()
		case p.node.Kind == yaml.MappingNode && i%2 == 1:
			below.key = p.node.Content[i-1].Value
			below.kind = known[below.key]
		}
		if below.kind != nil && !walk(below, anchors, yield) {
			return false
		}
	}
	return true
}

// fields gives the types of a struct by their keys; none for anything else.
func fields(t reflect.Type) map[string]reflect.Type {
	all := make(map[string]reflect.Type)
	if t.Kind() != reflect.Struct {
		return all
	}
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			maps.Copy(all, fields(f.Type))
		} else if key != "" {
			all[key] = f.Type
		}
	}
	return all
}
