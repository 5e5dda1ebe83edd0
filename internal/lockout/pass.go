// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package lockout

import (
	"context"
	"errors"
	"slices"
	"sync"

	"skywatch/internal/probe"
)

// Pass is what one probe logs in with. It is a probe.Gate.
type Pass struct {
	guard  *Guard
	module string
	origin probe.Origin

	mu       sync.Mutex // guards what follows
	accounts []account  // seen so far
	open     []opened   // logins that were begun and not judged yet
	hold     *Hold      // why one was not begun
}

// opened is a login under way.
type opened struct {
	account
	print string // of its secret
}

// Begin gives a probe of c the pass for its logins, unless one of those that it will make is paused: then that is said, and the
// probe need not be made.
func (g *Guard) Begin(c probe.Check, logins []probe.Login) (*Pass, *Hold) {
	p := &Pass{guard: g, module: c.Module.Name, origin: c.Origin}
	for _, l := range logins {
		a := p.account(l)
		p.note(a)
		if hold := g.look(a, l.Secret, c.Origin); hold != nil {
			return nil, hold
		}
	}
	return p, nil
}

// look tells whether an account must be left alone, and forgets what is known of another secret.
func (g *Guard) look(a account, secret probe.Secret, origin probe.Origin) *Hold {
	all := []account{a}
	g.recall(all)
	g.forgive(a, secret)
	g.recall(all)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.paused(a, origin)
}

func (p *Pass) account(l probe.Login) account {
	l.Address = p.guard.o.Address(l.Address)
	return accountOf(p.module, l)
}

// note adds an account to those seen.
func (p *Pass) note(a account) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.accounts, a) {
		p.accounts = append(p.accounts, a)
	}
}

// Enter begins a login. It waits while so many with the same secret are under way at the same server that their refusals would fill the
// count: however many probes begin at once, no more than that are refused before the pause.
func (p *Pass) Enter(ctx context.Context, l probe.Login) error {
	a := p.account(l)
	p.note(a)
	var err error
	if hold := p.guard.look(a, l.Secret, p.origin); hold != nil {
		err = hold
	}
	for err == nil && !p.entered(a) {
		var freed <-chan struct{}
		if freed, err = p.guard.take(a, l.Secret, p.origin); freed == nil {
			break
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return probe.Failf(probe.ReasonOf(ctx.Err()), "logging in to %q: other logins with the same secret are under way: %w, want their outcome first", l.Address, ctx.Err())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if hold := new(Hold); errors.As(err, &hold) {
		p.hold = hold
		return probe.Failf(probe.ReasonAuth, "%w", hold)
	}
	if err == nil && p.index(a) < 0 {
		p.open = append(p.open, opened{a, p.guard.print(l.Secret)})
	}
	return err
}

// entered tells whether the attempt has a login of the account that was not judged: it came to nothing, and the next one takes its place.
func (p *Pass) entered(a account) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.index(a) >= 0
}

// index finds a login under way; -1 = none. It needs mu.
func (p *Pass) index(a account) int {
	return slices.IndexFunc(p.open, func(o opened) bool { return o.account == a })
}

// take begins a login. When others must end first, freed is closed when it is worth asking again.
func (g *Guard) take(a account, secret probe.Secret, origin probe.Origin) (freed <-chan struct{}, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if hold := g.paused(a, origin); hold != nil {
		return nil, hold
	}
	t := g.tally(a)
	cuts := t.cuts(g.fingerprint(secret))
	if err := g.unanswered(a, t, cuts); err != nil {
		return nil, err
	}
	refusals, _ := g.sum(a, t)
	if g.config.Max > 0 && t.active > 0 && g.active(a) >= g.config.together(refusals+cuts) {
		return g.freed, nil
	}
	t.active++
	return nil, nil
}

// active is how many logins of the account are under way at all ports of the host. It needs mu.
func (g *Guard) active(a account) (n int) {
	for _, t := range g.hosts[a.at("")].tallies {
		n += t.active
	}
	return n
}

// unanswered is the failure of a login that would follow too many that were cut off. Whoever hangs up early, or gives a probe less time
// than the server takes for a refusal, must not have it refuse any number of them. It needs mu.
func (g *Guard) unanswered(a account, t *tally, cuts int) error {
	now := g.o.Now()
	if t.cutAt.After(now) {
		t.cutAt = now // the clock was set back
	}
	until := t.cutAt.Add(g.config.pace(cuts))
	if !now.Before(until) {
		return nil
	}
	return probe.Failf(probe.ReasonTimeout, "logging in to %q: the last %s got no answer in time, which may have been a refusal; the next one is made after %s, want an answer",
		a.address, probe.Count(cuts, "login"), g.clock(until))
}

// Verdict takes in what the server said to a login, which ends it.
func (p *Pass) Verdict(l probe.Login, accepted bool) {
	a := p.account(l)
	p.note(a)
	p.mu.Lock()
	i := p.index(a)
	if i >= 0 {
		p.open = slices.Delete(p.open, i, i+1)
	}
	p.mu.Unlock()
	g := p.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	g.verdict(a, l.Secret, accepted)
	if i >= 0 {
		g.tally(a).active--
	}
	g.release()
}

// Leave ends the logins of an attempt that no server judged. cut tells that the attempt was over before it could.
func (p *Pass) Leave(cut bool) {
	p.mu.Lock()
	open := p.open
	p.open = nil
	p.mu.Unlock()
	g := p.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, o := range open {
		t := g.tally(o.account)
		t.active--
		if !cut || o.print == "" || o.print == t.good {
			continue
		}
		if t.cutPrint != o.print {
			t.cut, t.cutPrint = 0, o.print
		}
		t.cut, t.cutAt = t.cut+1, g.o.Now()
	}
	if len(open) > 0 {
		g.release()
	}
}

// End stores what is new once the probe has ended. It tells why a login of it was not made; nil = none was held up.
func (p *Pass) End() *Hold {
	p.Leave(false)
	p.mu.Lock()
	accounts, hold := p.accounts, p.hold
	p.mu.Unlock()
	p.guard.recall(accounts)
	return hold
}
