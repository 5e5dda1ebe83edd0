// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import "slices"

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

// Login notes that a server accepted or refused a secret. Only a verdict on the secret itself counts, neither a lost connection nor a
// temporary refusal. The 17th login of an attempt is left out.
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
}

// loginOutcomes gives what was noted.
func (r *Recorder) loginOutcomes() []LoginOutcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.logins)
}
