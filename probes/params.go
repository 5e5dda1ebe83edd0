// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

// The bounds of what a request may set.
const (
	maxParamBytes  = 1000
	maxParamValues = 20
)

// fixedParams are the parameters that every request may have; no key can be set by one of their names.
var fixedParams = []string{"module", "target", "hostname", "credential", "debug"}

// trustParams are the keys that decide to whom, as whom or how safely a prober that logs in sends its secrets. A request that could set one
// would get round the rule of where they may go.
var trustParams = []string{"resolver", "tls", "username", "auth", "allow_cleartext_passwords", "host_key", "known_hosts"}

// confidant is a Service that does not always send secrets.
type confidant interface{ sendsSecrets() bool }

// sendsSecrets tells whether a prober may have secrets to send, its own or those that a request picks.
func sendsSecrets(p probe.Prober) bool {
	if c, ok := p.(confidant); ok {
		return c.sendsSecrets()
	}
	_, ok := p.(Service)
	return ok
}

// paramKind says how the text of a parameter becomes the value of a key.
type paramKind struct {
	tag  string // of YAML
	want string
	list bool
}

// allow reads `params`: which keys of the section a request may set. Those are plain values or lists of such; never a secret or a file.
func (e *entry) allow(o Options) error {
	listed, params := e.keys["params"], []string(nil)
	if err := listed.decode(&params); err != nil {
		return fmt.Errorf("params: %w", err)
	}
	kinds := make(map[string]paramKind, len(params))
	for _, key := range params {
		kind, err := settable(reflect.TypeOf(e.module.Prober).Elem(), key)
		if _, twice := kinds[key]; twice {
			err = errors.New("given twice, want it once")
		}
		if err == nil && slices.Contains(trustParams, key) && sendsSecrets(e.module.Prober) {
			err = errors.New("cannot be set by a request, as it decides where or how secrets are sent, want it in the module alone")
		}
		if err != nil {
			return fmt.Errorf("line %d: params: %q: %w", e.keyLine("params"), key, err)
		}
		kinds[key] = kind
	}
	if len(params) > 0 {
		e.module.Params = params
		e.module.Vary = func(parameters url.Values) (*probe.Module, error) { return e.vary(o, kinds, parameters) }
	}
	return nil
}

// settable finds a key among those of a prober's section.
func settable(section reflect.Type, key string) (paramKind, error) {
	field, ok := fieldOf(section, key)
	switch {
	case slices.Contains(fixedParams, key):
		return paramKind{}, errors.New("has a meaning in every request, want a key of the prober's section")
	case !ok:
		return paramKind{}, errors.New("unknown field, want a key of the prober's section")
	}
	kind := kindOf(field)
	if kind.tag == "" || strings.HasSuffix(key, "_file") {
		return paramKind{}, errors.New("cannot be set by a request, want a key with a plain value, neither secret nor file")
	}
	return kind, nil
}

func fieldOf(section reflect.Type, key string) (reflect.Type, bool) {
	for i := range section.NumField() {
		field := section.Field(i)
		name, flags, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if flags == "inline" {
			if found, ok := fieldOf(field.Type, key); ok {
				return found, true
			}
		} else if name == key && key != "" && field.IsExported() {
			return field.Type, true
		}
	}
	return nil, false
}

func kindOf(t reflect.Type) paramKind {
	text := reflect.TypeFor[encoding.TextUnmarshaler]()
	switch {
	case t.Kind() == reflect.Pointer:
		return kindOf(t.Elem())
	case t.Name() == "Secret":
		return paramKind{}
	case t == reflect.TypeFor[Regexp](), t.Kind() == reflect.String, t.Kind() == reflect.Int64 && reflect.PointerTo(t).Implements(text):
		return paramKind{tag: "!!str", want: "text"}
	case t.Kind() == reflect.Bool:
		return paramKind{tag: "!!bool", want: "true or false"}
	case t.Kind() == reflect.Int:
		return paramKind{tag: "!!int", want: "a whole number"}
	case t.Kind() == reflect.Float64:
		return paramKind{tag: "!!float", want: "a number"}
	case t.Kind() == reflect.Slice:
		kind := kindOf(t.Elem())
		if kind.list {
			return paramKind{}
		}
		kind.list = true
		return kind
	}
	return paramKind{}
}

// vary makes the variant of a module that a request asks for: its section anew, the parameters over it, and all checked as at load.
func (e *entry) vary(o Options, kinds map[string]paramKind, parameters url.Values) (*probe.Module, error) {
	p, own := registered[e.module.Kind].factory(o), e.keys[e.module.Kind]
	if err := own.again(p); err != nil {
		return nil, fmt.Errorf("reading module %q again: %w", e.module.Name, err)
	}
	varied := false
	for _, key := range slices.Sorted(maps.Keys(parameters)) {
		if slices.Contains(fixedParams, key) {
			continue
		}
		kind, ok := kinds[key]
		if !ok {
			return nil, fmt.Errorf("parameter %s is not allowed for module %q, want one of %s", probe.Evidence(key), e.module.Name,
				strings.Join(slices.Concat(fixedParams, e.module.Params), ", "))
		}
		if err := kind.set(p, key, parameters[key]); err != nil {
			return nil, fmt.Errorf("parameter %q: %w", key, err)
		}
		varied = true
	}
	if !varied {
		return e.module, nil
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("parameters for module %q: %w", e.module.Name, err)
	}
	variant := *e.module
	variant.Prober, variant.Secrets = p, secretsOf(p)
	return &variant, nil
}

// again decodes the section as decode does, by a decoder of its own, so that requests do not share one. What it may have is known.
func (s *section) again(v any) error {
	if s.unmarshal == nil {
		return s.decode(v)
	}
	return s.node.Decode(v)
}

// set puts the values of a parameter into the key of a section.
func (k paramKind) set(p probe.Prober, key string, values []string) error {
	switch {
	case len(values) > 1 && !k.list:
		return fmt.Errorf("given %d times, want it once", len(values))
	case len(values) > maxParamValues:
		return fmt.Errorf("given %d times, want it at most %d times", len(values), maxParamValues)
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, text := range values {
		if len(text) > maxParamBytes {
			return fmt.Errorf("found %d bytes, want at most %d", len(text), maxParamBytes)
		}
		value, ok := k.read(text)
		if !ok {
			return fmt.Errorf("found %s, want %s", probe.Evidence(text), k.want)
		}
		list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: k.tag, Value: value})
	}
	value := list
	if !k.list {
		value = list.Content[0]
	}
	section := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value}}
	if err := section.Decode(p); err != nil {
		return errors.New(strings.ReplaceAll(readable(err).Error(), "line 0: ", ""))
	}
	return nil
}

// read gives the form that YAML has for a value; its own forms of numbers and booleans are too many for a request.
func (k paramKind) read(text string) (value string, ok bool) {
	switch k.tag {
	case "!!bool":
		return text, text == "true" || text == "false"
	case "!!int":
		n, err := strconv.Atoi(text)
		return strconv.Itoa(n), err == nil
	case "!!float":
		f, err := strconv.ParseFloat(text, 64)
		return strconv.FormatFloat(f, 'g', -1, 64), err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
	}
	return text, true
}
