// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package history

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

// Traces are kept of failures that are news and of the first success after them, under ids that stay.
func TestWhichTracesAreKept(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	kept := func(r probe.Result, n int) bool {
		t.Helper()
		text := fmt.Sprintf("trace %d\n", n)
		r.Trace = probe.TextTrace(text)
		s.Observe(t.Context(), r)
		flushNow(t, s)
		list, err := s.Results(t.Context(), r.Check, 1)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d results, %v", len(list), err)
		}
		if list[0].Trace == 0 {
			return false
		}
		got, err := s.Trace(t.Context(), list[0].Trace)
		if err != nil || got != text {
			t.Errorf("trace %d: %q, %v, want %q", list[0].Trace, got, err, text)
		}
		return true
	}
	refused, expired := down("a", clock.Now(), "refused"), down("a", clock.Now(), "refused")
	expired.Reason = probe.ReasonTimeout
	for i, c := range []struct {
		r    probe.Result
		want bool
	}{
		{up("a", clock.Now()), false},
		{refused, true},
		{refused, false},
		{down("a", clock.Now(), "unreachable"), true},
		{expired, true},
		{down("b", clock.Now(), "refused"), true},
		{up("a", clock.Now()), true},
		{up("a", clock.Now()), false},
	} {
		if got := kept(c.r, i); got != c.want {
			t.Errorf("result %d (%s %s): trace kept %v, want %v", i, c.r.Verdict, c.r.Err, got, c.want)
		}
	}
	r := request("x", clock.Now())
	r.Verdict, r.Err = probe.Down, "refused"
	r.Trace = probe.TextTrace("of a request")
	s.Observe(t.Context(), r)
	flushNow(t, s)
	if list, err := s.Recent(t.Context(), 1); err != nil || list[0].Trace != 0 {
		t.Errorf("a request has trace %d, %v, want none", list[0].Trace, err)
	}
}

func TestTransitionAndResultShareTheirTrace(t *testing.T) {
	clock := newTestClock()
	s := openStore(t, testOptions(t, clock))
	must(t, recordFall(s, 1, clock.Now(), "the trace"))
	r := down("check1", clock.Now(), "refused")
	r.Trace = probe.TextTrace("the trace")
	s.Observe(t.Context(), r)
	flushNow(t, s)
	list, err := s.Results(t.Context(), "check1", 1)
	if err != nil || list[0].Trace != 1 || s.traceID != 1 {
		t.Errorf("trace %d of %d, %v, want the one of the transition", list[0].Trace, s.traceID, err)
	}
}

func TestOldestTracesGo(t *testing.T) {
	clock := newTestClock()
	o := testOptions(t, clock)
	o.Config.MaxSize = 1 << 20
	s := openStore(t, o)
	for id := int64(1); id <= 100; id++ {
		must(t, s.Record(t.Context(), nil, []record.Transition{{ID: id, Check: "a", To: record.Down, Incident: id, Trace: strings.Repeat(fmt.Sprint(id), 3) + noise(testRandom(id), 8000)}}, nil))
		if s.traces > s.geo.traces {
			t.Fatalf("traces have %d bytes, want at most %d", s.traces, s.geo.traces)
		}
	}
	_, err := s.Trace(t.Context(), 1)
	if !errors.Is(err, ErrNoTrace) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the oldest trace: %v, want it gone", err)
	}
	if want := `asking history "` + o.Config.Path + `": not kept, want one that has not made room for newer ones`; err.Error() != want {
		t.Errorf("the oldest trace: %v, want %s", err, want)
	}
	if text, err := s.Trace(t.Context(), 100); err != nil || !strings.HasPrefix(text, "100100100") {
		t.Errorf("the newest trace: %v", err)
	}
	outages, err := s.Outages(t.Context(), time.Unix(0, 0), clock.Now(), 200)
	if err != nil || len(outages) != 100 || outages[0].Trace != 100 || outages[99].Trace != 0 {
		t.Errorf("%d outages, %v, want 100, the oldest without trace", len(outages), err)
	}
}

func TestPackedTextsComeBack(t *testing.T) {
	var p packer
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		got, err := unpack(p.pack(text))
		if err != nil || got != text {
			t.Fatalf("%q comes back as %q, %v", text, got, err)
		}
	})
	for _, bad := range [][]byte{{7, 1}, {packedDeflate, 0xff, 0xff}} {
		if _, err := unpack(bad); err == nil {
			t.Errorf("%v is unpacked", bad)
		}
	}
}
