// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"skywatch/alerting"
	"skywatch/history"
	"skywatch/internal/lockout"
	"skywatch/internal/probe"
	"skywatch/probes"
)

// Config is a configuration that was found good. It is read-only.
type Config struct {
	Path        string
	Location    *time.Location
	Modules     map[string]*probe.Module
	Checks      []probe.Check // in the order of the file
	Alerting    alerting.Config
	History     history.Config
	LoginGuard  lockout.Config
	Concurrency int

	doc      document
	reach    reach
	given    map[string]bool // sections of the file
	rendered func() ([]byte, error)
}

// Load reads a configuration file. The error names the file, the line or field, what was found there and what is wanted.
func Load(path string, o probes.Options) (*Config, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	return parse(path, data, o)
}

func read(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	var at *fs.PathError
	if errors.As(err, &at) {
		err = fmt.Errorf("%w, want a readable file", at.Err)
	}
	return data, failure(path, err)
}

// failure is how every error of this package begins.
func failure(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reading configuration %q: %w", path, err)
}

func parse(path string, data []byte, o probes.Options) (*Config, error) {
	doc, root, err := decode(data)
	if err != nil {
		return nil, failure(path, err)
	}
	c := &Config{Path: path, doc: doc, given: make(map[string]bool)}
	for i := 0; i+1 < len(root.Content); i += 2 {
		c.given[root.Content[i].Value] = true
	}
	c.rendered = sync.OnceValues(c.render)
	return c, failure(path, c.complete(root, o))
}

// complete derives everything from the document.
func (c *Config) complete(root *yaml.Node, o probes.Options) (err error) {
	dir := filepath.Dir(c.Path)
	o.ConfigDir = dir
	if c.Location, err = location(c.doc.TimeZone); err != nil {
		return err
	}
	if at, err := c.doc.Credentials.Validate(dir); err != nil {
		return fmt.Errorf("line %d: %w", listEntry(root, "credentials", at).Line, err)
	}
	o.Credentials = c.doc.Credentials
	if err := c.doc.Modules.Build(o); err != nil {
		return err
	}
	c.Modules = c.doc.Modules.All()
	for _, m := range c.Modules {
		m.Permit = c.Permit
	}
	if err := c.completeSections(dir); err != nil {
		return err
	}
	return c.completeChecks(root)
}

func location(zone string) (*time.Location, error) {
	if zone == "" {
		return time.Local, nil
	}
	l, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("time_zone: %q is not known, want a name such as Europe/Berlin or UTC", zone)
	}
	return l, nil
}

func (c *Config) completeSections(dir string) error {
	c.Alerting, c.History, c.Concurrency, c.LoginGuard = c.doc.Alerting, c.doc.History, c.doc.Schedule.Concurrency, c.doc.LoginGuard
	if c.Concurrency < 1 {
		return fmt.Errorf("schedule: concurrency: %d, want at least 1", c.Concurrency)
	}
	c.Alerting.SetDirectory(dir)
	if err := c.Alerting.Validate(); err != nil {
		return err
	}
	if err := cmp.Or(c.History.Validate(), c.LoginGuard.Validate()); err != nil {
		return err
	}
	if !filepath.IsAbs(c.History.Path) {
		c.History.Path = filepath.Join(dir, c.History.Path)
	}
	return nil
}

func (c *Config) completeChecks(root *yaml.Node) error {
	k := checker{defaults: c.doc.Defaults, modules: c.Modules, override: c.doc.Modules.Override, notifiers: make(map[string]bool), names: make(map[string]string)}
	if err := checkRules(probe.Check{
		Every: time.Duration(k.defaults.Every), Attempts: k.defaults.Attempts,
		Timeout: time.Duration(k.defaults.Timeout), RetryDelay: time.Duration(k.defaults.RetryDelay),
	}); err != nil {
		return fmt.Errorf("check_defaults: %w", err)
	}
	for _, name := range c.Alerting.Names() {
		k.notifiers[name] = true
	}
	for i, entry := range c.doc.Checks {
		made, err := k.make(entry)
		if err == nil {
			err = c.reachOf(made)
		}
		if err != nil {
			return fmt.Errorf("line %d: check %q: %w", errorLine(root, i, err), short(entry.Name), err)
		}
		c.Checks = append(c.Checks, made)
	}
	return nil
}

// short cuts a name for a message.
func short(name string) string {
	const most = 60
	if len(name) <= most {
		return name
	}
	return strings.ToValidUTF8(name[:most], "") + "..."
}

// errorLine is the line of a check that is no good, or of the one of its targets that is none.
func errorLine(root *yaml.Node, check int, err error) int {
	entry := listEntry(root, "checks", check)
	var of *targetError
	if errors.As(err, &of) {
		return listEntry(entry, "targets", of.index).Line
	}
	return entry.Line
}

// listEntry is an entry of the list under a key of a mapping; the mapping itself where there is none.
func listEntry(mapping *yaml.Node, key string, i int) *yaml.Node {
	for at := 0; at+1 < len(mapping.Content); at += 2 {
		list := unalias(mapping.Content[at+1])
		if mapping.Content[at].Value == key && i < len(list.Content) {
			return unalias(list.Content[i])
		}
	}
	return mapping
}

func unalias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
