// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

// section is a part of the configuration that is decoded later, when the type it belongs into is known. It keeps the decoder's own
// unmarshal function, since decoding a yaml.Node again would forget that unknown fields are errors. The zero value is a null.
type section struct {
	unmarshal func(any) error
	node      place
}

// UnmarshalYAML keeps the section for later.
func (s *section) UnmarshalYAML(unmarshal func(any) error) error {
	s.unmarshal = unmarshal
	return unmarshal(&s.node)
}

// place is where a value stands in the file: the decoder gives its node to this form of the method only.
type place struct{ yaml.Node }

// UnmarshalYAML notes the node.
func (p *place) UnmarshalYAML(node *yaml.Node) error {
	p.Node = *node
	return nil
}

func (s *section) line() int { return s.node.Line }

// keyLine gives the line of a key of the section, or that of the section when the key came by a merge.
func (s *section) keyLine(key string) int {
	for i := 0; i+1 < len(s.node.Content); i += 2 {
		if s.node.Content[i].Value == key {
			return s.node.Content[i].Line
		}
	}
	return s.node.Line
}

// bare is a prober for which a module without a section of it differs from one whose section is empty.
type bare interface {
	bare() // takes the defaults of a module without section
}

// decode reads the section into v; a null leaves v as it is, but for what bare does.
func (s *section) decode(v any) error {
	if s.unmarshal == nil {
		if b, ok := v.(bare); ok {
			b.bare()
		}
		return nil
	}
	err := s.unmarshal(v)
	if types := new(yaml.TypeError); err != nil && !errors.As(err, &types) {
		return fmt.Errorf("line %d: %w", s.line(), readable(err))
	}
	return readable(err)
}

// tagNames are words for the YAML tags as the decoder prints them.
var tagNames = map[string]string{"seq": "list", "map": "mapping", "str": "string", "int": "number", "float": "number"}

var (
	unknownField = regexp.MustCompile(`field (.*) not found in type \S+`)
	wrongType    = regexp.MustCompile("cannot unmarshal !!(\\w+) (`.*` )?into (\\S+)")
	urlUserinfo  = regexp.MustCompile(`://[^/\s"]*@`)
)

// readable turns the decoder's findings into product text, on one line and without the names of Go types and the passwords of URLs.
func readable(err error) error {
	types, address := new(yaml.TypeError), new(url.Error)
	if errors.As(err, &address) {
		return readableURL(address)
	}
	if !errors.As(err, &types) {
		if err != nil && urlUserinfo.MatchString(err.Error()) {
			return errors.New(urlUserinfo.ReplaceAllString(err.Error(), "://<secret>@"))
		}
		return err
	}
	var said []string
	for _, text := range types.Errors {
		text = unknownField.ReplaceAllString(text, `unknown field "$1"`)
		text = wrongType.ReplaceAllStringFunc(text, sayWrongType)
		said = append(said, urlUserinfo.ReplaceAllString(text, "://<secret>@"))
	}
	return errors.New(strings.Join(said, "; "))
}

// readableURL is readable for a URL that cannot be read. What is said of it may be a piece of its password.
func readableURL(err *url.Error) error {
	shown := probe.NewTarget(err.URL)
	if shown.Secrets() == nil {
		return err
	}
	if _, err := url.Parse(shown.String()); err != nil {
		return err
	}
	return fmt.Errorf("%q: user name or password has / ? # @ or a space in it, want those percent-encoded", shown)
}

// sayWrongType says what was found in place of what. A text in place of a mapping, or of a list of texts, may be a secret, as in
// basic_auth: nora:password.
func sayWrongType(text string) string {
	found := wrongType.FindStringSubmatch(text)
	what := found[1]
	if name := tagNames[what]; name != "" {
		what = name
	}
	wanted := wantedKind(found[3])
	hidden := found[1] == "str" && (wanted == "mapping" || strings.HasSuffix(found[3], "string") || strings.HasSuffix(found[3], "Secret"))
	if found[2] != "" && !hidden {
		what += " " + strings.Trim(found[2], "` ")
	}
	return "found the " + what + ", want a " + wanted
}

// wantedKind names the YAML form of a Go type as the decoder prints it.
func wantedKind(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "list"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "whole number"
	case strings.HasPrefix(goType, "float"):
		return "number"
	case strings.HasPrefix(goType, "bool"), strings.HasPrefix(goType, "*bool"):
		return "bool"
	case strings.HasPrefix(goType, "string"), strings.HasSuffix(goType, ".Secret"):
		return "string"
	}
	return "mapping"
}

// lineError puts the line of the value being decoded in front of an error of an UnmarshalYAML.
func lineError(unmarshal func(any) error, err error) error {
	var at place
	if err == nil || unmarshal(&at) != nil {
		return err
	}
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", at.Line, err)}}
}
