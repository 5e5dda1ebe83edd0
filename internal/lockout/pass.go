// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package lockout

import (
	"context"
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
	open     []account  // logins that were begun and not judged yet
	hold     *Hold      // why one was not begun
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
	hold := p.guard.look(a, l.Secret, p.origin)
	for hold == nil && !p.opened(a) {
		var freed <-chan struct{}
		if freed, hold = p.guard.take(a, p.origin); freed == nil {
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
	if hold != nil {
		p.hold = hold
		return probe.Failf(probe.ReasonAuth, "%w", hold)
	}
	if !slices.Contains(p.open, a) {
		p.open = append(p.open, a)
	}
	return nil
}

// opened tells whether the attempt has a login of the account that was not judged: it came to nothing, and the next one takes its place.
func (p *Pass) opened(a account) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.open, a)
}

// take begins a login. When others must end first, freed is closed when it is worth asking again.
func (g *Guard) take(a account, origin probe.Origin) (freed <-chan struct{}, hold *Hold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if hold := g.paused(a, origin); hold != nil {
		return nil, hold
	}
	t := g.tally(a)
	if g.config.Max > 0 && t.active >= g.config.together(t.refusals) {
		return g.freed, nil
	}
	t.active++
	return nil, nil
}

// Verdict takes in what the server said to a login, which ends it.
func (p *Pass) Verdict(l probe.Login, accepted bool) {
	a := p.account(l)
	p.note(a)
	p.mu.Lock()
	i := slices.Index(p.open, a)
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

// Leave ends the logins of an attempt that no server judged.
func (p *Pass) Leave() {
	p.mu.Lock()
	open := p.open
	p.open = nil
	p.mu.Unlock()
	g := p.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range open {
		g.tally(a).active--
	}
	if len(open) > 0 {
		g.release()
	}
}

// End stores what is new once the probe has ended. It tells why a login of it was not made; nil = none was held up.
func (p *Pass) End() *Hold {
	p.Leave()
	p.mu.Lock()
	accounts, hold := p.accounts, p.hold
	p.mu.Unlock()
	p.guard.recall(accounts)
	return hold
}
