// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"maps"
	"slices"

	"skywatch/internal/probe"
)

// registration is what a prober's file says about it.
type registration struct {
	factory func(Options) probe.Prober
	descs   []*probe.Desc
}

var registered = map[string]registration{}

// register makes a prober known. descs are all metrics it may set; one whose labels depend on the module is declared without labels.
func register(name string, factory func(Options) probe.Prober, descs ...*probe.Desc) {
	if _, twice := registered[name]; twice {
		panic("prober registered twice: " + name)
	}
	registered[name] = registration{factory: factory, descs: descs}
}

// Names lists the probers of this build, sorted.
func Names() []string { return slices.Sorted(maps.Keys(registered)) }

// Descs lists the metrics a prober may set. One whose labels depend on the module has none here.
func Descs(name string) []*probe.Desc { return slices.Clone(registered[name].descs) }

// blackboxNames are the probers a blackbox.yml may use, whether or not this build has them.
var blackboxNames = []string{"dns", "grpc", "http", "icmp", "tcp", "unix", "websocket"}

// Known lists all names of probers, sorted: those of this build, those that a build tag left out, and those a blackbox.yml may use.
func Known() []string {
	all := slices.Concat(Names(), generatedNames, blackboxNames)
	slices.Sort(all)
	return slices.Compact(all)
}

func known(name string) bool { return slices.Contains(Known(), name) }
