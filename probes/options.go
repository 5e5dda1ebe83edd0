// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"skywatch/internal/probe"
)

// Compat chooses between better behaviour and that of blackbox_exporter where the two differ visibly.
type Compat bool

// The two choices of Compat.
const (
	Fixed Compat = false // our better behaviour
	Exact Compat = true  // as blackbox_exporter, quirks included
)

// Resolver finds the addresses of a name. [net.Resolver] is one.
type Resolver interface {
	// LookupNetIP gives the addresses in the resolver's order; network is ip, ip4 or ip6.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options is what all probers of a configuration have in common. The zero value works.
type Options struct {
	Compat    Compat
	UserAgent string       // "" = skywatch
	Resolver  Resolver     // nil = net.DefaultResolver
	ConfigDir string       // where a relative path is looked for when the working directory does not have it; "" = nowhere else
	Log       *slog.Logger // of what is worth a warning at load; nil = nowhere

	Credentials Credentials // that modules and targets may name

	pems *pemCache // set by Modules.Build; nil = files are parsed at each use
}

func (o Options) userAgent() string {
	if o.UserAgent == "" {
		return "skywatch"
	}
	return o.UserAgent
}

func (o Options) resolver() Resolver {
	if o.Resolver == nil {
		return net.DefaultResolver
	}
	return o.Resolver
}

// warn logs what a prober says about its configuration, if anything.
func (o Options) warn(module string, p probe.Prober) {
	if o.Log == nil {
		return
	}
	for _, text := range warnings(p) {
		o.Log.Warn("module is questionable", "module", module, "why", text)
	}
}

// warnings gives what a prober has to say against its own configuration.
func warnings(p probe.Prober) []string {
	if warner, ok := p.(interface{ Warnings() []string }); ok {
		return warner.Warnings()
	}
	return nil
}

// locate finds a file of a module: in the working directory, then in the configuration's directory.
func (o Options) locate(path string) (string, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err == nil || o.ConfigDir == "" || filepath.IsAbs(path) {
		return path, info, err
	}
	beside := filepath.Join(o.ConfigDir, path)
	if info, err := os.Stat(beside); err == nil {
		return beside, info, nil
	}
	return path, nil, err
}
