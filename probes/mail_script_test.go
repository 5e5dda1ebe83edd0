// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"strings"
	"testing"

	"skywatch/internal/probe"
	"skywatch/internal/probetest"
)

// lines makes a script of a dialogue: "> " begins what the client must say, "< " what the server says; a text \x00 is a NUL byte.
func lines(dialogue string) []probetest.Step {
	var steps []probetest.Step
	for line := range strings.SplitSeq(strings.TrimSpace(dialogue), "\n") {
		line = strings.ReplaceAll(strings.TrimLeft(line, "\t "), `\x00`, "\x00")
		if line == "" {
			continue
		}
		text := strings.TrimPrefix(line[1:], " ") + "\r\n"
		if line[0] == '<' {
			steps = append(steps, probetest.Send(text))
		} else {
			steps = append(steps, probetest.Line(text))
		}
	}
	return steps
}

// dialogueCase is a probe of a scripted server and how it ends.
type dialogueCase struct {
	name, section string
	script        string // see lines
	more          []probetest.Step
	reason        probe.Reason
	err           string // with SERVER for the address
}

// mailKey is a store whose key of signed messages is fixed.
func mailKey(t testing.TB) probe.Store {
	t.Helper()
	store := new(probe.MemoryStore)
	if err := store.Put(mailSignerKey, []byte("0123456789abcdef0123456789abcdef")); err != nil {
		t.Fatal(err)
	}
	return store
}

// signed is the value of the header field for a message to u.
func signed(t testing.TB, token string) string {
	t.Helper()
	signer, err := newMailSigner(mailKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return signer.sign("u", token)
}

// run makes the probe.
func (d dialogueCase) run(t *testing.T, prober string) probe.Result {
	t.Helper()
	server := probetest.Serve(t, append(lines(d.script), d.more...)...)
	check := probe.Check{Module: testModule(t, Options{}, prober, d.section), Target: probe.NewTarget(server.Addr), Timeout: long}
	res := probe.Run(t.Context(), check, probe.Env{Shared: mailKey(t)})
	if got := strings.ReplaceAll(res.Err, server.Addr, "SERVER"); res.Reason != d.reason || got != d.err {
		t.Errorf("%s: reason %q\n got %s\nwant %s: %s\n%s", d.name, res.Reason, got, d.reason, d.err, res.Trace)
	}
	server.Close()
	return res
}

// logins tells what the servers said of the logins of a probe: + for accepted, - for refused.
func logins(res probe.Result) string {
	var all strings.Builder
	for _, l := range res.Logins {
		all.WriteByte("-+"[map[bool]int{true: 1}[l.Accepted]])
	}
	return all.String()
}
