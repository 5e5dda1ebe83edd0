// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// shutGate lets no login through.
type shutGate struct{ asked []probe.Login }

func (g *shutGate) Enter(_ context.Context, l probe.Login) error {
	g.asked = append(g.asked, l)
	return probe.Failf(probe.ReasonAuth, "logins are paused")
}

func (*shutGate) Verdict(probe.Login, bool) {}

func (*shutGate) Leave(bool) {}

// TestNothingIsSentPastTheGate: a login that is held up ends the probe before the server sees anything of it, not even the user.
func TestNothingIsSentPastTheGate(t *testing.T) {
	gate := new(shutGate)
	m := newLinkModule(t, Options{}, func(c *ServiceConfig) {
		c.TLS, c.Username, c.Password = tlsNone, "nora", "canary"
	})
	server := probetest.Serve(t, probetest.Send("hello\r\n"), wantEnd)
	res := probe.Run(t.Context(), probe.Check{Module: m, Target: probe.NewTarget(server.Addr), Timeout: long, Attempts: 3}, probe.Env{Gate: gate})
	if res.Reason != probe.ReasonAuth || res.Err != "logins are paused" || res.Attempts != 1 {
		t.Errorf("%s: %s after %d attempts", res.Reason, res.Err, res.Attempts)
	}
	want := probe.Login{Username: "nora", Address: server.Addr, Secret: "canary"}
	if len(gate.asked) != 1 || gate.asked[0] != want {
		t.Errorf("asked for %v, want %v once", gate.asked, want)
	}
	wantSecretFree(t, res, "canary")
}

// wantEnd fails if the client sends anything.
func wantEnd(t testing.TB, c *probetest.Conn) error {
	if n, _ := c.Read(make([]byte, 1)); n > 0 {
		t.Error("the server was sent something")
	}
	return nil
}
