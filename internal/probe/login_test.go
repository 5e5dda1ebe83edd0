// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// porter is a gate that writes down what happens, and lets nobody in once it is shut.
type porter struct {
	mu   sync.Mutex
	seen []string
	shut bool
}

func (p *porter) note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, text)
}

func (p *porter) Enter(ctx context.Context, l Login) error {
	_, timed := ctx.Deadline()
	p.note(fmt.Sprint("enter ", l.Address, " ", timed))
	if p.shut {
		return errors.New("shut")
	}
	return nil
}

func (p *porter) Verdict(l Login, accepted bool) {
	p.note(fmt.Sprint("verdict ", l.Address, " ", accepted))
}

func (p *porter) Leave(cut bool) { p.note(map[bool]string{false: "leave", true: "cut off"}[cut]) }

// loginProber asks, sends and is judged; a draft does so for the second address.
type loginProber struct{ err error }

func (loginProber) Validate() error { return nil }

func (p loginProber) Probe(_ context.Context, _ Target, r *Recorder) error {
	for _, recorder := range []*Recorder{r, r.Draft()} {
		l := Login{Address: map[bool]string{true: "a:1", false: "b:2"}[recorder == r]}
		if err := recorder.Entering(l); err != nil {
			return Failf(ReasonAuth, "%w", err)
		}
		recorder.Login(l, recorder == r)
	}
	return p.err
}

func TestGateSeesEveryLogin(t *testing.T) {
	gate := new(porter)
	m := &Module{Prober: loginProber{Failf(ReasonResponse, "odd")}}
	res := Run(t.Context(), Check{Module: m, Timeout: time.Minute, Attempts: 2}, Env{Gate: gate})
	once := []string{"enter a:1 true", "verdict a:1 true", "enter b:2 true", "verdict b:2 false", "leave"}
	if want := slices.Concat(once, once); !slices.Equal(gate.seen, want) || len(res.Logins) != 4 {
		t.Errorf("the gate saw %q, want %q; %d logins in the result", gate.seen, want, len(res.Logins))
	}
}

// TestGateHearsOfCutAttempts: nobody waited for the verdict on what was sent, so it is not known.
func TestGateHearsOfCutAttempts(t *testing.T) {
	for name, end := range map[string]func(cancel func()){"time is over": func(func()) {}, "cancelled": func(cancel func()) { cancel() }} {
		synctest.Test(t, func(t *testing.T) {
			gate := new(porter)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			m := &Module{Prober: fakeProber(func(ctx context.Context, _ Target, r *Recorder) error {
				if err := r.Entering(Login{Address: "a:1"}); err != nil {
					return err
				}
				end(cancel)
				<-ctx.Done()
				return ctx.Err()
			})}
			Run(ctx, Check{Module: m, Timeout: time.Second, Attempts: 1}, Env{Gate: gate})
			if want := []string{"enter a:1 true", "cut off"}; !slices.Equal(gate.seen, want) {
				t.Errorf("%s: the gate saw %q, want %q", name, gate.seen, want)
			}
		})
	}
}

func TestGateThatIsShut(t *testing.T) {
	gate := &porter{shut: true}
	res := Run(t.Context(), Check{Module: &Module{Prober: loginProber{}}, Timeout: time.Minute, Attempts: 3}, Env{Gate: gate})
	if want := []string{"enter a:1 true", "leave"}; !slices.Equal(gate.seen, want) || res.Reason != ReasonAuth || res.Logins != nil {
		t.Errorf("the gate saw %q, want %q; %s with logins %v", gate.seen, want, res.Reason, res.Logins)
	}
}

func TestNoLoginAfterTheEnd(t *testing.T) {
	var kept *Recorder
	p := &Module{Prober: fakeProber(func(_ context.Context, _ Target, r *Recorder) error { kept = r; return nil })}
	gate := new(porter)
	Run(t.Context(), Check{Module: p, Timeout: time.Minute}, Env{Gate: gate})
	err := kept.Entering(Login{Address: "a:1"})
	if want := `logging in to "a:1": the attempt is over, want it in time`; err == nil || err.Error() != want || len(gate.seen) != 1 {
		t.Errorf("got %v, want %s; the gate saw %q", err, want, gate.seen)
	}
}

func TestModuleWithoutRulePermits(t *testing.T) {
	m := &Module{Name: "m"}
	if err := m.Permitted(NewTarget("a")); err != nil {
		t.Error(err)
	}
	refused := &Refused{Cause: RefusedTarget, Text: "no"}
	m.Permit = func(of *Module, _ Target) error {
		if of != m {
			t.Error("another module is judged")
		}
		return refused
	}
	if err := m.Permitted(NewTarget("a")); !errors.Is(err, refused) || err.Error() != "no" {
		t.Errorf("got %v, want the refusal", err)
	}
}
