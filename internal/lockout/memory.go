// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package lockout

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"skywatch/internal/probe"
)

// Where things lie in the memories.
const (
	keyName   = "login_key" // in the shared one: the key of fingerprints
	tallyName = "refusals"  // in that of a host: the tallies by port
)

// stored is a tally in its memory.
type stored struct {
	Refusals int    `json:"refusals"`
	Last     int64  `json:"last"`             // unix milliseconds
	Print    string `json:"secret,omitempty"` // fingerprint
}

// recall brings the memories of accounts and their tallies together: what was not read yet is read, what was not stored is.
func (g *Guard) recall(accounts []account) {
	if g.settled(accounts) {
		return
	}
	g.storing.Lock()
	defer g.storing.Unlock()
	usable := g.o.Stored()
	g.makeKey(usable)
	for _, a := range accounts {
		if usable && g.load(a) {
			g.store(a)
		}
	}
}

// settled tells whether tallies and memories are the same.
func (g *Guard) settled(accounts []account) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.config.Max == 0 || g.key != nil && !slices.ContainsFunc(accounts, func(a account) bool { t := g.tally(a); return !t.loaded || t.changed })
}

// load reads a memory once, and tells whether that was done. It needs storing.
func (g *Guard) load(a account) (read bool) {
	g.mu.Lock()
	g.tally(a)
	read = g.hosts[a.at("")].read
	g.mu.Unlock()
	if read {
		return true
	}
	was := make(map[string]stored) // by port
	data, err := g.o.Memory(a.place()).Get(tallyName)
	if err != nil {
		return false // there may be refusals
	}
	if json.Unmarshal(data, &was) != nil {
		clear(was)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for port := range was {
		g.tally(a.at(port))
	}
	at := g.hosts[a.at("")]
	at.read = true
	for _, t := range at.tallies {
		t.merge(was[t.account.port()])
	}
	for _, t := range at.tallies {
		refusals, _ := g.row(t.account, t)
		t.told = t.told || g.config.pause(refusals) > 0
	}
	return true
}

// merge takes in what the process did not know while it counted on its own.
func (t *tally) merge(was stored) {
	if t.loaded || was.Refusals <= 0 {
		t.loaded = true
		return
	}
	t.loaded = true
	if t.refusals == 0 {
		t.last, t.print = time.UnixMilli(was.Last), was.Print
	} else {
		t.changed = true
	}
	t.refusals += was.Refusals
}

// store writes the tallies of a host into their memory if one changed; what cannot be written now is written when the account is used
// again. It needs storing.
func (g *Guard) store(a account) {
	changed, all := g.changed(a)
	if !changed {
		return
	}
	var err error
	if len(all) == 0 {
		err = g.o.Memory(a.place()).Delete(tallyName)
	} else {
		data, _ := json.Marshal(all) // plain values
		err = g.o.Memory(a.place()).Put(tallyName, data)
	}
	if err != nil {
		g.mu.Lock()
		g.tally(a).changed = true
		g.mu.Unlock()
		g.o.Log.Debug("refused logins are not stored", "err", err)
	}
}

// changed gives what is to be stored of a host, by port, and tells whether it must be. From then on it is taken for stored.
func (g *Guard) changed(a account) (changed bool, all map[string]stored) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tally(a)
	all = make(map[string]stored)
	for _, t := range g.hosts[a.at("")].tallies {
		changed, t.changed = changed || t.changed, false
		if t.refusals > 0 {
			all[t.account.port()] = stored{t.refusals, t.last.UnixMilli(), t.print}
		}
	}
	return changed, all
}

// makeKey takes the key of fingerprints from the shared memory, or makes one there. While that cannot be used the key is the process's own;
// fingerprints by it are forgotten once there is another. It needs storing.
func (g *Guard) makeKey(usable bool) {
	g.mu.Lock()
	key := g.key
	g.mu.Unlock()
	if key != nil && (g.lasting || !usable) {
		return
	}
	if key == nil {
		key = make([]byte, sha256.Size)
		rand.Read(key)
	}
	if usable {
		shared := g.o.Memory("")
		switch kept, err := shared.Get(keyName); {
		case err == nil && len(kept) == sha256.Size:
			key, g.lasting = kept, true
		case err == nil:
			g.lasting = shared.Put(keyName, key) == nil
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if string(key) != string(g.key) {
		for _, t := range g.tallies {
			t.print, t.good = "", ""
		}
		g.key = key
	}
}

// fingerprint tells a changed secret from the one that was refused; "" = not known. Sixteen bits of an HMAC are enough for that, and too
// few to find the secret: whoever has the file, key included, and tries a list of passwords is left with one of 65536 of them, which is any
// number of wrong ones. One changed secret of 65536 is not noticed, and waits for the end of the pause. It needs mu.
func (g *Guard) fingerprint(secret probe.Secret) string {
	if secret == "" || g.key == nil {
		return ""
	}
	h := hmac.New(sha256.New, g.key)
	h.Write([]byte(secret.Reveal()))
	return hex.EncodeToString(h.Sum(nil)[:2])
}

// print is fingerprint for those who have not mu.
func (g *Guard) print(secret probe.Secret) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fingerprint(secret)
}

// maxAccounts bounds the accounts that are kept.
const maxAccounts = 10_000

// tally gives what is known of an account. When there are too many, the one without refusals, or the one refused longest ago, makes room.
// It needs mu.
func (g *Guard) tally(a account) *tally {
	if t := g.tallies[a]; t != nil {
		return t
	}
	if len(g.tallies) >= maxAccounts {
		var oldest account
		found := false
		for b, t := range g.tallies {
			if t.active == 0 && (!found || t.last.Before(g.tallies[oldest].last)) {
				oldest, found = b, true
			}
		}
		if found {
			g.forget(oldest)
		}
	}
	at := g.hosts[a.at("")]
	if at == nil {
		at = new(host)
		g.hosts[a.at("")] = at
	}
	t := &tally{account: a, loaded: at.read}
	at.tallies, g.tallies[a] = append(at.tallies, t), t
	return t
}

// forget drops what is known of an account. It needs mu.
func (g *Guard) forget(a account) {
	delete(g.tallies, a)
	at := g.hosts[a.at("")]
	if at.tallies = slices.DeleteFunc(at.tallies, func(t *tally) bool { return t.account == a }); len(at.tallies) == 0 {
		delete(g.hosts, a.at(""))
	}
}

// nothing is the memory of a process that keeps none.
type nothing struct{}

func (nothing) Get(string) ([]byte, error) { return nil, nil }
func (nothing) Put(string, []byte) error   { return nil }
func (nothing) Delete(string) error        { return nil }
