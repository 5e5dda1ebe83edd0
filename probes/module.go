// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

// Modules is the `modules:` section of a configuration. Decoding keeps the sections of each module; Build decodes them into probers.
// The zero value has no modules.
type Modules struct {
	entries map[string]*entry
	options Options
}

// entry is one module: its keys as written, and what Build made of them.
type entry struct {
	section
	keys     map[string]section
	module   *probe.Module
	sections map[string]probe.Prober // every section that was given, its own included
}

// UnmarshalYAML takes the section apart as far as it can be without knowing the probers.
func (m *Modules) UnmarshalYAML(unmarshal func(any) error) error {
	var modules map[string]section
	if err := unmarshal(&modules); err != nil {
		return err
	}
	m.entries = make(map[string]*entry, len(modules))
	for name, s := range modules {
		e := &entry{section: s}
		if s.unmarshal != nil {
			if err := s.unmarshal(&e.keys); err != nil {
				return err
			}
		}
		m.entries[name] = e
	}
	return nil
}

// Build decodes every module into its prober. The error names the module, the line and the field; several modules give one joined error.
func (m *Modules) Build(o Options) error {
	if o.pems == nil {
		o.pems = new(pemCache)
	}
	m.options = o
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(m.entries)) {
		if err := m.entries[name].build(name, o); err != nil {
			errs = append(errs, fmt.Errorf("module %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// All gives the modules by name, after Build.
func (m *Modules) All() map[string]*probe.Module {
	all := make(map[string]*probe.Module, len(m.entries))
	for name, e := range m.entries {
		all[name] = e.module
	}
	return all
}

// Override makes a variant of a module for one target: the same section, then the partial one of the target (`with`) decoded over it
// as strictly. It is for use after Build.
func (m *Modules) Override(name string, with func(any) error) (*probe.Module, error) {
	e := m.entries[name]
	if e == nil {
		return nil, fmt.Errorf("module %q: not configured", name)
	}
	p, own := registered[e.module.Kind].factory(m.options), e.keys[e.module.Kind]
	if err := own.decode(p); err != nil {
		return nil, fmt.Errorf("module %q: %s: %w", name, e.module.Kind, err)
	}
	if err := readable(with(p)); err != nil {
		return nil, fmt.Errorf("module %q: %s: %w", name, e.module.Kind, err)
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("module %q: %s: %w", name, e.module.Kind, err)
	}
	if !slices.Equal(warnings(p), warnings(e.module.Prober)) {
		m.options.warn(name, p)
	}
	variant := *e.module
	variant.Prober, variant.Secrets = p, secretsOf(p)
	return &variant, nil
}

// redacted is a module as /config shows it; the types of the sections hide their secrets themselves.
type redacted struct {
	Prober   string                  `yaml:"prober"`
	Timeout  probe.Duration          `yaml:"timeout,omitempty"`
	Params   []string                `yaml:"params,omitempty,flow"`
	Sections map[string]probe.Prober `yaml:",inline"`
}

// MarshalYAML gives the modules as built: prober, timeout, the section of the prober with its defaults and any other that was given,
// without secrets.
func (m Modules) MarshalYAML() (any, error) {
	all := make(map[string]redacted, len(m.entries))
	for name, e := range m.entries {
		if e.module != nil {
			all[name] = redacted{e.module.Kind, probe.Duration(e.module.Timeout), e.module.Params, e.sections}
		}
	}
	return all, nil
}

var _ yaml.Marshaler = Modules{}

func (e *entry) build(name string, o Options) error {
	if e.unmarshal == nil {
		return errors.New("empty, want a mapping with at least the key prober")
	}
	kind, timeout, err := e.head()
	if err != nil {
		return err
	}
	e.sections = make(map[string]probe.Prober)
	for _, key := range slices.Sorted(maps.Keys(e.keys)) {
		if key == "prober" || key == "timeout" || key == "params" {
			continue
		}
		if err := e.buildSection(key, o); err != nil {
			return err
		}
	}
	if e.sections[kind] == nil {
		if err := e.buildSection(kind, o); err != nil {
			return err
		}
	}
	p, unused := e.sections[kind], maps.Clone(e.sections)
	delete(unused, kind)
	o.warn(name, p)
	e.module = &probe.Module{Name: name, Kind: kind, Timeout: timeout, Prober: p, Secrets: secretsOf(p), Unused: unused}
	return e.allow(o)
}

// head reads the keys that every module has.
func (e *entry) head() (kind string, timeout time.Duration, err error) {
	prober, limit := e.keys["prober"], e.keys["timeout"]
	if err := prober.decode(&kind); err != nil {
		return "", 0, fmt.Errorf("prober: %w", err)
	}
	if kind == "" {
		return "", 0, fmt.Errorf("line %d: no prober, want one of %s", e.line(), strings.Join(Names(), ", "))
	}
	if _, ok := registered[kind]; !ok {
		return "", 0, fmt.Errorf("line %d: %w", prober.line(), unavailable(kind))
	}
	var d probe.Duration
	if err := limit.decode(&d); err != nil {
		return "", 0, fmt.Errorf("timeout: %w", err)
	}
	return kind, max(time.Duration(d), 0), nil // a negative one is none, as in blackbox_exporter
}

func (e *entry) buildSection(key string, o Options) error {
	r, ok := registered[key]
	if !ok {
		if known(key) {
			return fmt.Errorf("line %d: %w", e.keyLine(key), unavailable(key))
		}
		return fmt.Errorf("line %d: unknown field %q", e.keyLine(key), key)
	}
	p, s := r.factory(o), e.keys[key]
	if err := s.decode(p); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	if err := p.Validate(); err != nil {
		return fmt.Errorf("line %d: %s: %w", e.keyLine(key), key, err)
	}
	e.sections[key] = p
	return nil
}

// unavailable says why a prober cannot be used.
func unavailable(kind string) error {
	if known(kind) {
		return fmt.Errorf("prober %q is not part of this build, want one of %s", kind, strings.Join(Names(), ", "))
	}
	return fmt.Errorf("prober %q is not valid, want one of %s", kind, strings.Join(Names(), ", "))
}
