// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package lockout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"time"

	"skywatch/internal/probe"
)

// account is what a server locks, as far as we can tell it apart: a secret of ours, by the name under which it is configured, the user it
// belongs to, and the server.
type account struct {
	credential string // "" = the secret is written in a module
	module     string // "" = the secret is a credential
	user       string
	address    string
}

// accountOf gives the account of a login by a module.
func accountOf(module string, l probe.Login) account {
	if l.Credential != "" {
		module = ""
	}
	return account{credential: l.Credential, module: module, user: l.Username, address: l.Address}
}

// String says in a message what is meant.
func (a account) String() string {
	if a.credential == "" {
		return fmt.Sprintf("logins to %q with the secret of module %q", a.address, a.module)
	}
	return fmt.Sprintf("logins to %q with credential %q", a.address, a.credential)
}

// label is whose secret it is, as a label of metrics: the two kinds of names cannot be mixed up.
func (a account) label() string {
	if a.credential == "" {
		return "module:" + a.module
	}
	return a.credential
}

// at is the account at another port of the same host; "" = the host alone.
func (a account) at(port string) account {
	if host, _, err := net.SplitHostPort(a.address); err == nil {
		a.address = host
	}
	if port != "" {
		a.address = net.JoinHostPort(a.address, port)
	}
	return a
}

// port is that of the server; "" when the address has none.
func (a account) port() string {
	_, port, _ := net.SplitHostPort(a.address)
	return port
}

// place is the name of the memory of the account at all ports of the host. The user may be of any length, so a part of its hash stands
// for it.
func (a account) place() string {
	user := sha256.Sum256([]byte(a.user))
	return fmt.Sprintf("login %q %q %s %s", a.credential, a.module, a.at("").address, hex.EncodeToString(user[:8]))
}

// host is what is known of an account at all ports of a host. They have one memory.
type host struct {
	tallies []*tally // of all ports
	read    bool     // whether the memory was read
}

// tally is what is known of an account.
type tally struct {
	account account

	refusals int       // in a row
	last     time.Time // when the last of them came
	print    string    // of the secret that was refused; "" = not known

	good     string    // fingerprint of the secret that was accepted last; "" = none was
	cut      int       // logins in a row that were cut off before the server judged them
	cutAt    time.Time // when the last of them was
	cutPrint string    // of their secret

	active  int  // logins under way
	loaded  bool // the memory was read, or is of no importance any more
	changed bool // the memory does not have it yet
	told    bool // the log has the begin of a pause and not yet its end
}

// differs tells whether a fingerprint is that of another secret than the refused one.
func (t *tally) differs(print string) bool { return t.print != "" && print != "" && t.print != print }

// cuts is how many logins in a row with a secret may have been refused without our knowing, since nobody waited for the answer. Where the
// server is known to accept it, it is no doubt the server that is slow.
func (t *tally) cuts(print string) int {
	if print == "" || t.good == print || t.cutPrint != print {
		return 0
	}
	return t.cut
}
