// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"context"
	"slices"
)

// maxLogins is how many logins of one attempt are kept.
const maxLogins = 16

// Login is a secret on its way: whose it is and which server gets it. It is a value that may be compared.
type Login struct {
	Credential string // name of the credential; "" = written in the module itself
	Username   string // who logs in; "" = the secret alone says so
	Address    string // host:port of the server, as the module or the target names it
	Secret     Secret // what proves the identity; "" when there is none or it cannot be read

	// Fixed says that the module itself names the server: whatever the target or the hostname of a request, it has no influence on where
	// this secret goes, nor on the name that the server's certificate must have.
	Fixed bool
}

// LoginOutcome is what a server said to a login.
type LoginOutcome struct {
	Login
	Accepted bool
}

// Gate lets secrets through to servers. It is safe for concurrent use.
type Gate interface {
	// Enter is called before a secret is sent, and may wait. With an error it must not be sent.
	Enter(ctx context.Context, l Login) error
	// Verdict is told what the server said to it.
	Verdict(l Login, accepted bool)
	// Leave is called at the end of every attempt: what was sent in it and not judged will not be. cut tells that nobody waited for the
	// verdict to the end: the time was over, or the attempt was cancelled.
	Leave(cut bool)
}

// Entering asks for the permission to send a secret now. It may wait, as long as the attempt lasts. An error ends the attempt.
func (r *Recorder) Entering(l Login) error {
	if r.parent != nil {
		return r.parent.Entering(l)
	}
	r.mu.Lock()
	over := r.sealed
	r.mu.Unlock()
	if over {
		return Failf(ReasonTimeout, "logging in to %q: the attempt is over, want it in time", l.Address)
	}
	if r.gate == nil {
		return nil
	}
	return r.gate.Enter(r.within, l)
}

// Login notes that a server accepted or refused a secret. Only a verdict on the secret itself counts, neither a lost connection nor a
// temporary refusal. The 17th login of an attempt is left out of the result.
func (r *Recorder) Login(l Login, accepted bool) {
	if r.parent != nil {
		r.parent.Login(l, accepted)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.sealed && len(r.logins) < maxLogins {
		r.logins = append(r.logins, LoginOutcome{l, accepted})
	}
	if r.gate != nil {
		r.gate.Verdict(l, accepted)
	}
}

// loginOutcomes gives what was noted.
func (r *Recorder) loginOutcomes() []LoginOutcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.logins)
}
