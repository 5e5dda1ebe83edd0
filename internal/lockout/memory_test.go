// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package lockout

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"skywatch/internal/probe"
)

// TestCountOutlivesTheProcess: refusals before and after a restart are one row, and the pause goes on.
func TestCountOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, s := newFixture(DefaultConfig()), &server{secret: "right"}
		f.check(s, "wrong")
		f.check(s, "wrong")
		f.restart(DefaultConfig())
		if err := f.check(s, "wrong"); err != errRefused {
			t.Errorf("got %v, want the third refusal", err)
		}
		f.restart(DefaultConfig())
		if err := f.check(s, "wrong"); !heldUp(err) {
			t.Errorf("got %v, want a pause", err)
		}
		time.Sleep(15 * time.Minute)
		if err := f.check(s, "wrong"); err != errRefused {
			t.Errorf("got %v, want a try", err)
		}
		time.Sleep(29 * time.Minute)
		f.restart(DefaultConfig())
		if err := f.check(s, "wrong"); !heldUp(err) {
			t.Errorf("got %v, want the second pause", err)
		}
		if err := f.check(s, "right"); err != nil {
			t.Errorf("got %v, want the changed secret accepted at once", err)
		}
		if got, err := f.memory(accountOf("", login("")).place()).Get(tallyName); got != nil || err != nil {
			t.Error("the count is kept after a success")
		}
	})
}

// TestAnUnreadableSecretIsNoChange: a file that cannot be read for a moment does not end a pause.
func TestAnUnreadableSecretIsNoChange(t *testing.T) {
	f, s := newFixture(DefaultConfig()), &server{secret: "right"}
	for range 3 {
		f.check(s, "wrong")
	}
	if err := f.check(s, ""); !heldUp(err) {
		t.Errorf("got %v, want a pause", err)
	}
	if err := f.check(s, "wrong"); !heldUp(err) {
		t.Errorf("got %v, want a pause still", err)
	}
}

// TestMemoryThatComesLate: what was counted before the history was open, and what is in it, are added up and stored.
func TestMemoryThatComesLate(t *testing.T) {
	f, s := newFixture(DefaultConfig()), &server{secret: "right"}
	f.check(s, "wrong")
	f.check(s, "wrong")
	f.stored = false
	f.restart(DefaultConfig())
	if err := f.check(s, "wrong"); err != errRefused {
		t.Errorf("got %v, want a try: the history is not open", err)
	}
	f.stored = true
	if err := f.check(s, "wrong"); !heldUp(err) {
		t.Errorf("got %v, want a pause after 2 and 1", err)
	}
	f.restart(DefaultConfig())
	if err := f.check(s, "wrong"); !heldUp(err) {
		t.Errorf("got %v, want a pause after 3", err)
	}
}

// TestSuccessBeforeTheMemory: a login that works settles what the memory says of the past.
func TestSuccessBeforeTheMemory(t *testing.T) {
	f, s := newFixture(DefaultConfig()), &server{secret: "right"}
	for range 3 {
		f.check(s, "new")
	}
	f.stored, s.secret = false, "new"
	f.restart(DefaultConfig())
	if err := f.check(s, "new"); err != nil {
		t.Error(err)
	}
	f.stored = true
	for range 2 {
		if err := f.check(s, "new"); err != nil {
			t.Error(err)
		}
		f.restart(DefaultConfig())
	}
}

// full is a memory that takes nothing.
type full struct{ probe.MemoryStore }

func (*full) Put(string, []byte) error { return errors.New("disk full") }
func (*full) Delete(string) error      { return errors.New("disk full") }

func TestGoesOnFromMemory(t *testing.T) {
	f, s, disk := newFixture(DefaultConfig()), &server{secret: "right"}, new(full)
	f.key = fixedKey
	f.o.Memory = func(string) probe.Store { return disk }
	for range 3 {
		f.check(s, "wrong")
	}
	if err := f.check(s, "wrong"); !heldUp(err) {
		t.Errorf("got %v, want a pause", err)
	}
	if err := f.check(s, "right"); err != nil {
		t.Errorf("got %v, want the changed secret accepted", err)
	}
	f.check(s, "wrong")
	f.o.Memory = f.memory // there is room again
	f.check(s, "wrong")
	if data, _ := f.memory(accountOf("", login("")).place()).Get(tallyName); !strings.Contains(string(data), `"refusals":2`) {
		t.Errorf("stored %s, want 2 refusals", data)
	}
}

// slow is a memory that cannot be read.
type slow struct{ probe.Store }

func (slow) Get(string) ([]byte, error) { return nil, errors.New("no answer in time") }

// TestSlowMemoryForgetsNothing: what could not be read at first counts once it can be, with what came meanwhile.
func TestSlowMemoryForgetsNothing(t *testing.T) {
	f, s := newFixture(DefaultConfig()), &server{secret: "right"}
	f.check(s, "wrong")
	f.check(s, "wrong")
	f.restart(DefaultConfig())
	f.key = fixedKey
	f.o.Memory = func(name string) probe.Store { return slow{f.memory(name)} }
	f.check(s, "wrong")
	f.o.Memory = f.memory
	if err := f.check(s, "wrong"); !heldUp(err) || s.refused != 3 {
		t.Errorf("got %v after %d refusals, want a pause after 3", err, s.refused)
	}
}

// TestKeyOutlivesTheProcess: it is made once, and stored.
func TestKeyOutlivesTheProcess(t *testing.T) {
	f, s := newFixture(DefaultConfig()), &server{secret: "right"}
	f.memory("").Delete(keyName)
	var keys []string
	for range 3 {
		f.check(s, "wrong")
		keys = append(keys, string(f.key))
		f.restart(DefaultConfig())
	}
	kept, _ := f.memory("").Get(keyName)
	if len(kept) != sha256.Size || keys[0] != string(kept) || keys[1] != keys[0] || keys[2] != keys[0] || keys[0] == string(fixedKey) {
		t.Errorf("keys %x, stored %x, want one made by lot and kept", keys, kept)
	}
}

// TestMemoryHoldsNoSecret: neither the secret, nor the user, nor enough to guess either.
func TestMemoryHoldsNoSecret(t *testing.T) {
	f, s := newFixture(DefaultConfig()), &server{secret: "right"}
	f.check(s, "canary-secret")
	for name, memory := range f.memories {
		for _, key := range []string{keyName, tallyName} {
			data, _ := memory.Get(key)
			if strings.Contains(name+string(data), "canary") || strings.Contains(name+string(data), "nora") {
				t.Errorf("%s holds %s", name, data)
			}
		}
	}
	if a, b := f.fingerprint("a"), f.fingerprint("b"); len(a) != 4 || a == b {
		t.Errorf("fingerprints %q and %q, want four digits that differ", a, b)
	}
}

// TestDamagedMemory: nonsense counts as nothing.
func TestDamagedMemory(t *testing.T) {
	for _, text := range []string{"", "{", `{"refusals":-5}`, `{"refusals":"3"}`, `[]`} {
		f, s := newFixture(DefaultConfig()), &server{secret: "right"}
		if err := f.memory(accountOf("", login("")).place()).Put(tallyName, []byte(text)); err != nil {
			t.Fatal(err)
		}
		f.memory("").Put(keyName, []byte("short"))
		for range 3 {
			if err := f.check(s, "wrong"); err != errRefused {
				t.Errorf("%s: got %v, want a try", text, err)
			}
		}
	}
}

func TestPlacesDiffer(t *testing.T) {
	seen := map[string]account{}
	for _, a := range []account{
		{"a", "", "u", "h:1"}, {"", "a", "u", "h:1"}, {"a", "", "v", "h:1"}, {"a", "", "u", "i:1"}, {"a", "", "u", "[::1]:1"}, {`a" "b`, "", "u", "h:1"}, {"a", "b", "u", "h:1"},
	} {
		if b, twice := seen[a.place()]; twice {
			t.Errorf("%+v and %+v share the memory %s", a, b, a.place())
		}
		seen[a.place()] = a
	}
	if a := (account{"a", "", "u", "[::1]:1"}); a.at("22").address != "[::1]:22" || a.place() != a.at("22").place() || a.port() != "1" {
		t.Errorf("%s at port 22 is %s", a, a.at("22"))
	}
}
