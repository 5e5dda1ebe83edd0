// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package alerting

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"skywatch/internal/probe"
	"skywatch/internal/record"
)

var sites = []string{"a", "b", "c", "d"}

// combined is the result of a check with many targets, of which some fail. "x?" is one that is inconclusive.
func combined(r probe.Result, targets []string, failing ...string) probe.Result {
	r.Target, r.Verdict, r.Reason, r.Err, r.Failing = "", probe.Up, 0, "", time.Time{}
	for _, target := range targets {
		one := probe.Result{Check: r.Check, Module: r.Module, Target: target, Start: r.Start, Verdict: probe.Up, Trace: probe.TextTrace("trace of " + target)}
		switch {
		case slices.Contains(failing, target):
			one.Verdict, one.Reason, one.Err = probe.Down, probe.ReasonResponse, "status 503"
			r.Verdict, r.Reason, r.Err, r.Failing = probe.Down, probe.ReasonResponse, strings.Join(failing, " ")+" fail", r.Start
		case slices.Contains(failing, target+"?"):
			one.Verdict, one.Reason = probe.Inconclusive, probe.ReasonConfig
			if r.Verdict == probe.Up {
				r.Verdict, r.Reason = probe.Inconclusive, probe.ReasonConfig
			}
		}
		r.Parts = append(r.Parts, one)
	}
	return r
}

// fails gives the alerter the result of a check of which these of four targets fail.
func (w *world) fails(check string, failing ...string) {
	r := probe.Result{Check: check, Module: "web", Start: time.Now(), Attempts: 4}
	w.alerter.Observe(w.t.Context(), combined(r, sites, failing...))
}

// TestNextTellsWhichTargetsFail goes through an incident, result by result: what fails, and the transition of it.
func TestNextTellsWhichTargetsFail(t *testing.T) {
	state, id := record.CheckState{Check: "web"}, int64(0)
	for i, step := range []struct {
		failing string // "" = all are up
		from    record.State
		told    string // new and recovered; "-" = no transition
		note    string
	}{
		{"", 0, "-", ""},
		{"b", record.Up, "", ""},
		{"b", 0, "-", ""},
		{"b c", record.Down, "c", ""},
		{"a? b c", 0, "-", ""}, // nobody knows of a
		{"b? c", 0, "-", ""},   // b is not known to be better
		{"c", record.Down, "/ b", ""},
		{"a d", record.Down, "a d / c", ""},
		{"a?", record.Down, "/ d", ""}, // that of a is not known, that d is better is
		{"a?", 0, "-", ""},
		{"b?", 0, "-", ""}, // none fails for sure, and not all are up
		{"", record.Down, "", ""},
	} {
		before := state
		r := combined(resultOf(probe.Up, time.Duration(i)*time.Minute), sites, strings.Fields(step.failing)...)
		next, ts := next(state, r, rules{})
		state, ts = stamp(next, ts, func() int64 { id++; return id }, noon)
		if step.told == "-" {
			if len(ts) != 0 {
				t.Errorf("step %d: told %+v, want nothing", i, ts)
			}
			continue
		}
		if len(ts) != 1 || ts[0].From != step.from || ts[0].Note != step.note {
			t.Fatalf("step %d: told %+v, want one transition from %s with note %q", i, ts, step.from, step.note)
		}
		if got := changesOf(ts[0].Failing); got != step.told {
			t.Errorf("step %d: new and recovered %q, want %q", i, got, step.told)
		}
		if shifts(ts[0]) && (ts[0].Incident != before.Incident || !ts[0].Began.Equal(before.Since) || state.Incident != before.Incident) {
			t.Errorf("step %d: incident %d since %s, want %d since %s", i, ts[0].Incident, ts[0].Began, before.Incident, before.Since)
		}
		if f := ts[0].Failing; f != nil && ts[0].Trace != "trace of "+f.First[0].Target {
			t.Errorf("step %d: trace %q, want that of %s", i, ts[0].Trace, f.First[0].Target)
		}
	}
}

func changesOf(f *record.Failing) string {
	if f == nil {
		return ""
	}
	text := strings.Join(f.New, " ")
	if len(f.Recovered) > 0 {
		text = strings.TrimSpace(text + " / " + strings.Join(f.Recovered, " "))
	}
	return text
}

func TestNextNotesOtherTargets(t *testing.T) {
	single, many := resultOf(probe.Up, 0), combined(resultOf(probe.Up, 0), sites)
	for _, step := range []struct {
		before, after probe.Result
		want          string
	}{
		{single, combined(resultOf(probe.Up, time.Minute), sites, "a"), `the target was "web:80" before`},
		{many, resultOf(probe.Down, time.Minute), "the check had 4 targets before"},
		{many, combined(resultOf(probe.Up, time.Minute), sites[1:], "b"), "the targets were others before, 4 of them"},
		{many, combined(resultOf(probe.Up, time.Minute), sites, "b"), ""},
	} {
		state, _ := next(record.CheckState{}, step.before, rules{})
		if _, ts := next(state, step.after, rules{}); len(ts) != 1 || ts[0].Note != step.want {
			t.Errorf("told %+v, want the note %q", ts, step.want)
		}
	}
}

// TestOneTargetBecomesMany: the incident goes on, and who was told hears of what fails now.
func TestOneTargetBecomesMany(t *testing.T) {
	state, ts := next(record.CheckState{Check: "web"}, resultOf(probe.Down, 0), rules{})
	state, _ = stamp(state, ts, func() int64 { return 7 }, noon)
	state, ts = next(state, combined(resultOf(probe.Up, time.Minute), sites, "a"), rules{})
	if len(ts) != 1 || !shifts(ts[0]) || ts[0].Incident != 7 || ts[0].Failing.Count != 1 {
		t.Fatalf("many targets: told %+v, want a change of incident 7", ts)
	}
	if state, ts = next(state, resultOf(probe.Down, 2*time.Minute), rules{}); len(ts) != 0 || state.Incident != 7 || state.Targets.Total != 0 {
		t.Errorf("one target again: told %+v, state %+v, want nothing and incident 7", ts, state)
	}
}

// TestManyFailingAreRememberedInLittle: of a thousand targets, names and errors are bounded, and yet every change is seen.
func TestManyFailingAreRememberedInLittle(t *testing.T) {
	var targets []string
	for i := range 1000 {
		targets = append(targets, fmt.Sprintf("https://%d.example/%s", i, strings.Repeat("x", 500)))
	}
	state, ts := next(record.CheckState{State: record.Up}, combined(resultOf(probe.Up, 0), targets, targets...), rules{})
	if f := ts[0].Failing; f.Count != 1000 || f.Total != 1000 || len(f.First) != 20 || len(f.First[0].Target) > 210 {
		t.Errorf("%d of %d failing, %d by name", f.Count, f.Total, len(f.First))
	}
	if s := state.Targets; len(s.Names) != 20 || len(s.Set) != 8000 || s.Failing != 1000 {
		t.Errorf("%d names and a set of %d bytes, want 20 and 8000", len(s.Names), len(s.Set))
	}
	state, ts = next(state, combined(resultOf(probe.Up, time.Minute), targets, targets[:999]...), rules{})
	if len(ts) != 1 || len(ts[0].Failing.Recovered) != 1 || state.Targets.Failing != 999 {
		t.Errorf("told %+v, want that one recovered", ts)
	}
}

// TestJoinedChangesAreLikeOne compares the joined changes of random failing sets with the change from the first to the last.
func TestJoinedChangesAreLikeOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func() probe.Result {
			failing := rapid.SliceOfNDistinct(rapid.SampledFrom(sites), 1, 4, rapid.ID).Draw(t, "failing")
			return combined(resultOf(probe.Up, 0), sites, failing...)
		}
		first := record.TargetsOf(record.Targets{}, draw())
		was := first
		var joined *record.Failing
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			r := draw()
			is := record.TargetsOf(was, r)
			if is.SameFailing(was) {
				continue
			}
			joined = record.FailingOf(was, is, r).After(joined)
			if want := record.FailingOf(first, is, r); changesSorted(joined) != changesSorted(want) || joined.Unchanged() != is.SameFailing(first) {
				t.Fatalf("joined %q, want %q", changesSorted(joined), changesSorted(want))
			}
			was = is
		}
	})
}

func changesSorted(f *record.Failing) string {
	slices.Sort(f.New)
	slices.Sort(f.Recovered)
	return changesOf(f)
}

func TestChangedTargetsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.start()
		w.fails("A", "b")
		time.Sleep(time.Minute)
		w.fails("A", "b", "d")
		time.Sleep(5 * time.Second)
		w.fails("A", "a", "d") // within group_wait: one message of both
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "CHANGED A")
		w.fails("A", "a")
		time.Sleep(5 * time.Second)
		w.fails("A", "a", "d") // back again: nothing
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "CHANGED A")
		w.fails("A")
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "CHANGED A", "UP A")
		down, changed, up := w.boxes["ops"].got[0], w.boxes["ops"].got[1], w.boxes["ops"].got[2]
		if changed.InReplyTo != down.MessageID || up.InReplyTo != down.MessageID {
			t.Errorf("CHANGED refers to %q, UP to %q, want %q", changed.InReplyTo, up.InReplyTo, down.MessageID)
		}
		if p := w.alerter.Pending(); len(p) != 0 {
			t.Errorf("pending: %+v, want nothing", p)
		}
		w.checkIncidents()
	})
}

// TestChangedTargetsMeetOthers: what can be told with the start or the end of the incident has no message of its own.
func TestChangedTargetsMeetOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.start()
		w.fails("A", "b")
		w.fails("A", "b", "c")
		time.Sleep(time.Minute)
		w.fails("A", "c")
		w.down("B")
		time.Sleep(time.Minute)
		w.fails("A", "d")
		w.fails("A")
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "DOWN B; CHANGED A", "UP A")
		if text := w.boxes["ops"].got[0].Text; !strings.Contains(text, "2 of 4 targets fail:\n") || !strings.Contains(text, "Trace of A at target b ") {
			t.Errorf("the message of the start does not tell the latest:\n%s", text)
		}
		w.checkIncidents()
	})
}

// startUnread is a kill and a new process that has tried to read the journal in vain. It tries again after readAgain.
func (w *world) startUnread() (end func()) {
	w.kill()
	end = w.refuse()
	w.start()
	synctest.Wait()
	return end
}

// TestChangedTargetsAndRestarts: a restart at any moment neither loses nor repeats what is to be told.
func TestChangedTargetsAndRestarts(t *testing.T) {
	unread := func(w *world, until time.Duration) {
		end := w.startUnread()
		w.fails("A", "b", "c")
		end()
		time.Sleep(until)
	}
	for name, again := range map[string]func(w *world){
		"killed":                          func(w *world) { w.kill(); w.start() },
		"healthy":                         func(*world) {},
		"read between the first results":  func(w *world) { unread(w, readAgain+time.Second) },
		"read later than all the results": func(w *world) { unread(w, readAgain/2) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "ops")
				w.config.Policy.GroupWait = probe.Duration(30 * time.Second)
				w.start()
				w.fails("A", "b")
				time.Sleep(time.Minute)
				w.fails("A", "b", "c")
				again(w)
				time.Sleep(5 * time.Second)
				w.fails("A", "b", "c")
				time.Sleep(time.Minute)
				w.expect("ops", "DOWN A", "CHANGED A")
				again(w)
				w.fails("A", "b", "c")
				time.Sleep(time.Minute)
				w.expect("ops", "DOWN A", "CHANGED A")
				w.fails("A", "c")
				again(w)
				w.fails("A", "b", "c")
				time.Sleep(time.Minute)
				w.expect("ops", "DOWN A", "CHANGED A")
				if got := w.boxes["ops"].got[1]; got.InReplyTo != w.boxes["ops"].got[0].MessageID {
					t.Errorf("CHANGED refers to %q, want the message of DOWN", got.InReplyTo)
				}
				w.checkIncidents()
			})
		})
	}
}

// TestChangedTargetsWhileUnread: what the last result before the journal was read changes of the stored targets is told without another one.
func TestChangedTargetsWhileUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "ops")
		w.start()
		w.fails("A", "b")
		time.Sleep(time.Minute)
		end := w.startUnread()
		w.fails("A", "b", "c")
		end()
		time.Sleep(time.Minute)
		w.expect("ops", "DOWN A", "CHANGED A")
		text := w.boxes["ops"].got[1].Text
		if got := told(text); !slices.Equal(got, []string{"b", "c"}) || !strings.Contains(text, " (new)") || !strings.Contains(text, "Trace of A at target b ") {
			t.Errorf("told of %q, want b and c, which is new, with a trace:\n%s", got, text)
		}
		w.checkIncidents()
	})
}

// told reads the failing targets out of a message: of the latest incident in it.
func told(text string) (failing []string) {
	listing := false
	for line := range strings.Lines(text) {
		item, indented := strings.CutPrefix(line, "    ")
		switch {
		case strings.HasSuffix(line, " fail:\n") || strings.HasSuffix(line, " fails:\n"):
			listing, failing = true, nil
		case listing && indented:
			failing = append(failing, item[:1])
		default:
			listing = false
		}
	}
	return failing
}

// TestChangedTargetsByChance replays random failing sets with restarts in between: nothing is told twice or too often, and the last word is
// what is so.
func TestChangedTargetsByChance(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			chance := rand.New(rand.NewPCG(seed, 2))
			w := newWorld(t, "ops")
			w.start()
			w.fails("A", "b")
			var last []string
			for range 100 {
				last = nil
				for _, target := range sites {
					if chance.IntN(2) == 0 {
						last = append(last, target)
					}
				}
				w.fails("A", last...)
				if chance.IntN(5) == 0 {
					w.kill()
					w.start()
				}
				time.Sleep(time.Duration(chance.IntN(8000)) * time.Millisecond)
			}
			time.Sleep(time.Hour)
			synctest.Wait()
			w.checkIncidents()
			var before []string
			for i, m := range w.boxes["ops"].got {
				is := told(m.Text)
				if strings.HasPrefix(m.Subject, "UP") {
					is = nil
				}
				if strings.HasPrefix(m.Subject, "CHANGED") && cmp.Equal(before, is) {
					t.Errorf("seed %d: message %d %q tells of %q once more", seed, i, m.Subject, is)
				}
				if at := w.boxes["ops"].tries; i > 0 && at[i].Sub(at[i-1]) < time.Duration(w.config.Policy.GroupWait) {
					t.Errorf("seed %d: message %d comes %s after the one before", seed, i, at[i].Sub(at[i-1]))
				}
				before = is
			}
			if !cmp.Equal(before, last) {
				t.Errorf("seed %d: the last word is %q, want %q", seed, before, last)
			}
		})
	}
}
