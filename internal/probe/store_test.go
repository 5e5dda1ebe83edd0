// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"strconv"
	"testing"
)

func TestMemoryStore(t *testing.T) {
	var s MemoryStore
	if got, err := s.Get("a"); got != nil || err != nil {
		t.Error("the empty store has a key")
	}
	value := []byte("1")
	if err := s.Put("a", value); err != nil {
		t.Fatal(err)
	}
	value[0] = '2'
	got, err := s.Get("a")
	if string(got) != "1" || err != nil {
		t.Errorf("got %q, %v, want a copy of 1", got, err)
	}
	got[0] = '3'
	if again, _ := s.Get("a"); string(again) != "1" {
		t.Errorf("the store gave out its own bytes: %q", again)
	}
	s.Delete("a")
	s.Delete("never")
	if got, err := s.Get("a"); got != nil || err != nil {
		t.Error("a deleted key is there")
	}
}

func TestMemoryStoreBounds(t *testing.T) {
	var s MemoryStore
	if err := s.Put("big", make([]byte, StoreValueBytes)); err != nil {
		t.Error(err)
	}
	if err := s.Put("big", make([]byte, StoreValueBytes+1)); err == nil || err.Error() != `storing "big": value of 4097 bytes, want at most 4096` {
		t.Errorf("too big: %v", err)
	}
	for i := range StoreKeys - 1 {
		if err := s.Put(strconv.Itoa(i), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put("more", nil); err == nil || err.Error() != `storing "more": the store has 65 keys, want at most 64` {
		t.Errorf("too many: %v", err)
	}
	if err := s.Put("big", []byte("replaced")); err != nil {
		t.Errorf("replacing a key of a full store: %v", err)
	}
}
