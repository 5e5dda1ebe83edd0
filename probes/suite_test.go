// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// subject is how the conformance suite gets at a prober. Each prober's test file enrolls one:
//
//	var _ = enroll("tcp", subject{...})
type subject struct {
	section string                      // the prober's section, YAML in flow style, of a module that talks to its server
	target  func(address string) string // makes a target of host:port; nil = host:port itself
	healthy func(t testing.TB) string   // starts a server that satisfies the module and gives the target

	// serve starts a scripted server of the prober's kind, refuse gives an address where none is; nil = TCP on loopback.
	serve  func(t testing.TB, script ...probetest.Step) *probetest.Server
	refuse func(t testing.TB) string

	// presence lists, for a situation, all metrics that must be there, in any order; a situation without an entry may have any declared.
	presence map[situation]string
	// echo is the script of a server that says the text where the prober looks, whatever comes of it.
	echo func(text string) []probetest.Step
	// exempt names the situations that cannot be, with the reason. Only dns and icmp may have any.
	exempt map[situation]string
}

// situation is what the prober under test meets.
type situation string

const (
	healthy   situation = "healthy server"
	refused   situation = "refused port"
	silent    situation = "silent server"
	garbage   situation = "garbage"
	early     situation = "early close"
	endless   situation = "endless line"
	flood     situation = "endless lines"
	unsolved  situation = "unknown name"
	cancelled situation = "cancelled context"
	echoing   situation = "echoed secret"
	crowd     situation = "concurrent probes"
)

var subjects = map[string]subject{}

func (s subject) withDefaults() subject {
	if s.target == nil {
		s.target = func(address string) string { return address }
	}
	if s.serve == nil {
		s.serve = probetest.Serve
	}
	if s.refuse == nil {
		s.refuse = probetest.RefusedAddr
	}
	return s
}

func enroll(name string, s subject) struct{} {
	subjects[name] = s.withDefaults()
	return struct{}{}
}

// testResolver knows localhost in both families, so that no test asks a real server.
type testResolver map[string][]string

var localhost = testResolver{"localhost": {"127.0.0.1"}, "127.0.0.1": {"127.0.0.1"}}

// buildModules decodes a modules section and builds it.
func buildModules(t testing.TB, o Options, text string) (*Modules, error) {
	t.Helper()
	var file struct {
		Modules Modules `yaml:"modules"`
	}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, err
	}
	return &file.Modules, file.Modules.Build(o)
}

// testModule makes the module of one section.
func testModule(t testing.TB, o Options, prober, section string) *probe.Module {
	t.Helper()
	if o.Resolver == nil {
		o.Resolver = localhost
	}
	modules, err := buildModules(t, o, "modules: {m: {prober: "+prober+", "+prober+": "+section+"}}")
	if err != nil {
		t.Fatalf("building the module: %v", err)
	}
	return modules.All()["m"]
}

const (
	long  = time.Minute // a timeout that no test waits for
	short = time.Second // a timeout that a test does wait for; see patiently
)

// runProbe makes one attempt. A prober that is still running after its deadline fails the test; it gets more time to end than it has in the
// daemon, where a busy machine just gives up on it.
func runProbe(t testing.TB, ctx context.Context, m *probe.Module, target string, timeout time.Duration) probe.Result {
	t.Helper()
	var strays atomic.Int64
	ended := make(chan struct{})
	check := probe.Check{Name: "suite", Module: m, Target: probe.NewTarget(target), Origin: probe.OriginCommand, Timeout: timeout}
	res := probe.Run(ctx, check, probe.Env{Grace: long, Strays: &strays, Ended: func() { close(ended) }})
	if strays.Load() != 0 {
		t.Errorf("the prober still runs after its deadline, want an end")
	}
	<-ended
	if t.Failed() {
		t.Logf("trace:\n%s", res.Trace)
	}
	return res
}

// serving are the goroutines of scripted servers, which may outlive f. They tell themselves when a prober leaves a connection open, and anybody
// may connect to their ports.
var serving = goleak.IgnoreAnyFunction("skywatch/internal/probetest.(*Server).handle")

// leakFree runs f as a subtest, and fails when goroutines are left once its servers are gone.
func leakFree(t *testing.T, name situation, f func(t *testing.T)) {
	t.Run(string(name), func(t *testing.T) {
		before := goleak.IgnoreCurrent()
		t.Run("probe", f)
		if t.Failed() {
			return
		}
		probetest.NoneLeft(t, before, serving)
	})
}
