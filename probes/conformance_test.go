// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// TestConformance holds every prober to what all of them promise.
func TestConformance(t *testing.T) {
	for _, name := range Names() {
		s, ok := subjects[name]
		if !ok {
			t.Errorf("prober %s: not enrolled, want a subject in %s_test.go", name, name)
			continue
		}
		if len(s.exempt) > 0 && name != "dns" && name != "icmp" {
			t.Errorf("prober %s: has exemptions, want none: only dns and icmp may have any", name)
		}
		t.Run(name, func(t *testing.T) { conform(t, name, s) })
	}
}

// conform puts one prober into each situation it is not exempt from.
func conform(t *testing.T, name string, s subject) {
	c := candidate{subject: s.withDefaults(), name: name}
	situations := map[situation]func(t *testing.T){
		healthy:   c.healthyServer,
		refused:   c.refusedPort,
		silent:    c.silentServer,
		garbage:   func(t *testing.T) { c.badServer(t, garbage, probetest.Garbage()) },
		early:     func(t *testing.T) { c.badServer(t, early) },
		endless:   func(t *testing.T) { c.badServer(t, endless, probetest.Endless("a")) },
		flood:     func(t *testing.T) { c.badServer(t, flood, probetest.Endless("spam spam spam\r\n")) },
		unsolved:  c.unknownName,
		cancelled: c.cancelledContext,
		echoing:   c.echoedSecret,
		crowd:     c.concurrentProbes,
	}
	if !slices.Contains(Descs(name), descLookup) {
		delete(situations, unsolved) // such as a path: there is no name to look up
	}
	for _, situation := range slices.Sorted(maps.Keys(situations)) {
		if why, ok := s.exempt[situation]; ok {
			t.Logf("%s is exempt from %s: %s", name, situation, why)
			continue
		}
		leakFree(t, situation, situations[situation])
	}
}

// candidate is the prober under test.
type candidate struct {
	subject
	name string
}

func (c candidate) module(t testing.TB) *probe.Module {
	return testModule(t, Options{}, c.name, c.section)
}

// check looks at what holds for every result.
func (c candidate) check(t testing.TB, in situation, res probe.Result) {
	t.Helper()
	if res.Trace.Empty() {
		t.Error("the trace is empty, want at least a line")
	}
	var declared []string
	for _, d := range Descs(c.name) {
		declared = append(declared, d.Name)
	}
	got := probetest.Names(res.Samples)
	for _, name := range got {
		if !slices.Contains(declared, name) {
			t.Errorf("metric %s is not declared, want it among the Descs of register", name)
		}
	}
	if want, ok := c.presence[in]; ok {
		all := strings.Fields(want)
		slices.Sort(all)
		if diff := cmp.Diff(all, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("metrics differ (-want +got):\n%s", diff)
		}
	}
	for _, s := range res.Samples {
		if len(s.Labels) != len(s.Desc.Labels) {
			t.Errorf("metric %s has %d label values, want %d", s.Desc.Name, len(s.Labels), len(s.Desc.Labels))
		}
	}
}

func (c candidate) wantReason(t testing.TB, res probe.Result, want ...probe.Reason) {
	t.Helper()
	if !slices.Contains(want, res.Reason) || res.Success() {
		t.Errorf("verdict %s, reason %q (%s), want %v\n%s", res.Verdict, res.Reason, res.Err, want, res.Trace)
	}
}

func (c candidate) healthyServer(t *testing.T) {
	res := runProbe(t, t.Context(), c.module(t), c.healthy(t), long)
	if !res.Success() {
		t.Fatalf("verdict %s: %s, want up\n%s", res.Verdict, res.Err, res.Trace)
	}
	c.check(t, healthy, res)
	probetest.Golden(t, "golden/"+c.name+".prom", probetest.Exposition(res.Samples))
}

func (c candidate) refusedPort(t *testing.T) {
	res := runProbe(t, t.Context(), c.module(t), c.target(c.refuse(t)), long)
	c.wantReason(t, res, probe.ReasonConnect)
	c.check(t, refused, res)
}

func (c candidate) silentServer(t *testing.T) {
	patiently(t, func(t testing.TB, timeout time.Duration) {
		res := runProbe(t, t.Context(), c.module(t), c.target(c.serve(t, probetest.Silence()).Addr), timeout)
		c.wantReason(t, res, probe.ReasonTimeout)
		c.check(t, silent, res)
		wantPrompt(t, res, timeout)
	})
}

// wantPrompt fails when a prober went on after its time: the daemon would have given up on it. On a busy machine it ends late too, but not always.
func wantPrompt(t testing.TB, res probe.Result, by time.Duration) {
	t.Helper()
	if res.Took > by+short {
		t.Errorf("it took %s, want an end by %s", res.Took, by)
	}
}

// badServer meets a server that breaks the rules. What it says is bounded, so the reason is not the deadline.
func (c candidate) badServer(t *testing.T, in situation, script ...probetest.Step) {
	res := runProbe(t, t.Context(), c.module(t), c.target(c.serve(t, script...).Addr), long)
	c.wantReason(t, res, probe.ReasonProtocol, probe.ReasonResponse)
	c.check(t, in, res)
}

func (c candidate) unknownName(t *testing.T) {
	res := runProbe(t, t.Context(), c.module(t), c.target("nosuch.invalid:80"), long)
	c.wantReason(t, res, probe.ReasonResolve)
	c.check(t, unsolved, res)
}

// cancelledContext goes away in the middle of a probe that would last long.
func (c candidate) cancelledContext(t *testing.T) {
	patiently(t, func(t testing.TB, _ time.Duration) {
		ctx, cancel := context.WithCancel(t.Context())
		server := c.serve(t, probetest.Silence())
		go func() {
			<-server.Accepted
			cancel()
		}()
		res := runProbe(t, ctx, c.module(t), c.target(server.Addr), 10*long)
		if res.Verdict != probe.Aborted {
			t.Errorf("verdict %s (%s), want aborted", res.Verdict, res.Err)
		}
		wantPrompt(t, res, 5*short)
		if before := runProbe(t, ctx, c.module(t), c.target(server.Addr), 10*long); before.Verdict != probe.Aborted {
			t.Errorf("verdict %s for a context that had ended, want aborted", before.Verdict)
		}
	})
}

// concurrentProbes shares one module, as the daemon does.
func (c candidate) concurrentProbes(t *testing.T) {
	m, target := c.module(t), c.healthy(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if res := runProbe(t, t.Context(), m, target, long); !res.Success() {
				t.Errorf("verdict %s: %s, want up", res.Verdict, res.Err)
			}
		})
	}
	group.Wait()
}
