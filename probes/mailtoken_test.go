// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"skywatch/internal/probe"
)

// TestMailSigner shows that a signer knows its own tokens, and that a signature holds for one mailbox, one token and one key.
func TestMailSigner(t *testing.T) {
	store := new(probe.MemoryStore)
	signer, err := newMailSigner(store)
	if err != nil {
		t.Fatal(err)
	}
	again, err := newMailSigner(store)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newMailSigner(new(probe.MemoryStore))
	if err != nil {
		t.Fatal(err)
	}
	token := newToken()
	value := signer.sign("Watch@example.org", token)
	for _, mailbox := range []string{"Watch@example.org", "watch@EXAMPLE.org"} {
		for _, text := range []string{value, " " + value + "\r\n", strings.Replace(value, " ", "  ", 1)} {
			if got, ok := again.verify(mailbox, text); !ok || got != token {
				t.Errorf("%q for %s gives %q, %t, want it known", text, mailbox, got, ok)
			}
		}
	}
	if _, ok := other.verify("watch@example.org", value); ok {
		t.Error("a signer with another key knows the token, want it unknown")
	}
	bare, signature, _ := strings.Cut(value, " ")
	for _, forged := range []string{
		"", " ", bare, bare + " ", bare + " " + strings.Repeat("0", len(signature)), newToken() + " " + signature, bare + " " + signature[:62],
		bare + " " + signature + "00", bare + " zz", signature + " " + bare, signer.sign("ops@example.org", token), signer.sign("", token),
	} {
		if got, ok := signer.verify("watch@example.org", forged); ok {
			t.Errorf("%q is taken for the token %q, want it refused", forged, got)
		}
	}
	if bare == newToken() {
		t.Error("a token was made twice")
	}
}

// TestMailSignerOnce: probes that begin at the same time have one key, or the messages of all but one would be foreign.
func TestMailSignerOnce(t *testing.T) {
	env := probe.Env{Shared: new(probe.MemoryStore), Alone: new(sync.Mutex)}
	var all sync.WaitGroup
	keys := make([]string, 50)
	for i := range keys {
		m := &probe.Module{Kind: "smtp", Prober: probeFunc(func(_ context.Context, _ probe.Target, r *probe.Recorder) error {
			signer, err := mailSignerOf(r)
			keys[i] = string(signer.key)
			return err
		})}
		all.Go(func() {
			if res := probe.Run(t.Context(), probe.Check{Module: m, Timeout: long}, env); !res.Success() {
				t.Error(res.Err)
			}
		})
	}
	all.Wait()
	if n := len(slices.Compact(keys)); n != 1 {
		t.Errorf("%d keys, want one", n)
	}
}

// fullStore takes nothing.
type fullStore struct{ probe.MemoryStore }

func (*fullStore) Put(string, []byte) error { return errors.New("disk full") }

// TestMailSignerNeedsAStore: a key that is forgotten would make every message a foreign one.
func TestMailSignerNeedsAStore(t *testing.T) {
	_, err := newMailSigner(new(fullStore))
	if want := "making the key of signed messages: disk full, want it stored"; err == nil || err.Error() != want || probe.ReasonOf(err) != probe.ReasonInternal {
		t.Errorf("%v, want %s", err, want)
	}
	_, err = newMailSigner(&unreadStore{key: mailSignerKey})
	if want := "reading the key of signed messages: no answer in time, want it or none"; err == nil || err.Error() != want || probe.ReasonOf(err) != probe.ReasonInternal {
		t.Errorf("%v, want %s", err, want)
	}
	short := new(probe.MemoryStore)
	if err := short.Put(mailSignerKey, []byte("short")); err != nil {
		t.Fatal(err)
	}
	if _, err := newMailSigner(short); err != nil {
		t.Fatal(err)
	}
	if key, _ := short.Get(mailSignerKey); len(key) != 32 {
		t.Errorf("a key of %d bytes is kept, want a new one of 32", len(key))
	}
}
