// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDraft: what is not adopted leaves nothing but its trace.
func TestDraft(t *testing.T) {
	gauge := &Desc{Name: "g", Labels: []string{"l"}}
	res := Run(t.Context(), checkOf(fakeProber(func(_ context.Context, _ Target, r *Recorder) error {
		r.Set(gauge, 1, "own")
		lost, kept := r.Draft(), r.Draft()
		lost.Set(gauge, 2, "lost")
		lost.Fact("lost", "x")
		lost.Log.Info("tried this")
		kept.Set(gauge, 3, "kept")
		kept.Add(gauge, 1, "kept")
		kept.Set(gauge, 5, "own")
		kept.Fact("kept", "hunter42")
		kept.Hide("hunter42")
		r.Adopt(kept)
		return nil
	})), Env{})
	want := []Sample{{gauge, 5, []string{"own"}}, {gauge, 4, []string{"kept"}}}
	if diff := cmp.Diff(want, res.Samples); diff != "" {
		t.Errorf("samples differ (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Fact{{"kept", "<secret>"}}, res.Facts); diff != "" {
		t.Errorf("facts differ (-want +got):\n%s", diff)
	}
	if !strings.Contains(res.Trace.String(), "tried this") {
		t.Errorf("the trace has not what the draft logged:\n%s", res.Trace)
	}
}

// TestDraftIsWatched: the deadline ends the connections of a draft, and what comes later is not recorded.
func TestDraftIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		c := checkOf(fakeProber(func(_ context.Context, _ Target, r *Recorder) error {
			draft := r.Draft()
			conn := draft.Conn(draft.Track(near, 0))
			_, err := conn.Read(make([]byte, 1))
			time.Sleep(time.Minute)
			draft.Log.Info("late")
			r.Adopt(draft)
			return err
		}))
		env := newCounted()
		res := Run(t.Context(), c, env.Env)
		if res.Reason != ReasonTimeout {
			t.Errorf("%s: %s, want timeout", res.Reason, res.Err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		env.want(t, 0, 1)
		if strings.Contains(res.Trace.String(), "late") {
			t.Errorf("recorded after the end:\n%s", res.Trace)
		}
	})
}
