// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	unknownField = regexp.MustCompile(`^(line \d+): field (.*) not found in type \S+$`)
	givenTwice   = regexp.MustCompile(`^(line \d+): mapping key (".*") already defined at line (\d+)$`)
	noAnchor     = regexp.MustCompile(`^yaml: unknown anchor '(?s:(.*))' referenced$`)
	wrongType    = regexp.MustCompile("^(line \\d+): cannot unmarshal !!(\\w+)( `.*`)? into (\\S+)$")
)

// say turns what the decoder found into product text: on one line, without the names of Go types.
func say(err error, root *yaml.Node) error {
	if err == nil {
		return nil
	}
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		return errors.New(strings.TrimPrefix(err.Error(), "yaml: ") + ", want valid YAML")
	}
	texts := make([]string, len(typed.Errors))
	for i, text := range typed.Errors {
		texts[i] = sayOne(text, root)
	}
	return errors.New(strings.Join(texts, "; "))
}

func sayOne(text string, root *yaml.Node) string {
	if m := unknownField.FindStringSubmatch(text); m != nil {
		return m[1] + `: unknown field "` + m[2] + `"` + wantKeys(root, m[1], m[2])
	}
	if m := givenTwice.FindStringSubmatch(text); m != nil {
		return m[1] + ": key " + m[2] + " is given twice, want it once: the first is at line " + m[3]
	}
	if m := wrongType.FindStringSubmatch(text); m != nil {
		return m[1] + ": found " + foundForm(m[2]) + m[3] + ", want " + wantedForm(m[4])
	}
	return text
}

// wantKeys lists the keys that stand where an unknown one was found; sections of probers speak for themselves.
func wantKeys(root *yaml.Node, line, key string) string {
	for p := range places(root) {
		if p.kind.Kind() != reflect.Struct || p.node.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i < len(p.node.Content); i += 2 {
			if found := p.node.Content[i]; found.Value == key && fmt.Sprint("line ", found.Line) == line {
				return ", want " + oneOf(slices.Sorted(maps.Keys(fields(p.kind))))
			}
		}
	}
	return ""
}

func oneOf(keys []string) string {
	if len(keys) == 0 {
		return "no field"
	}
	return "one of " + strings.Join(keys, ", ")
}

// foundForm names a YAML tag.
func foundForm(tag string) string {
	switch tag {
	case "seq":
		return "a list"
	case "map":
		return "a mapping"
	case "str":
		return "the text"
	case "int", "float":
		return "the number"
	}
	return "the " + tag
}

// wantedForm names the YAML form of a Go type.
func wantedForm(goType string) string {
	switch goType = strings.TrimLeft(goType, "*"); {
	case goType == "probe.Duration":
		return "a duration such as 60s"
	case goType == "probe.Bytes":
		return "a size such as 64MB"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "a whole number"
	case strings.HasPrefix(goType, "float"):
		return "a number"
	case goType == "bool":
		return "true or false"
	case goType == "string", goType == "probe.Secret", goType == "config.target":
		return "a text"
	case strings.HasPrefix(goType, "[]"), goType == "probes.Credentials":
		return "a list"
	}
	return "a mapping"
}
