// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"bytes"
	"fmt"
	"sync"
)

// The bounds of a Store.
const (
	StoreKeys       = 64   // keys at most
	StoreValueBytes = 4096 // bytes of one value at most
)

// Store is a small memory of one module and target. It outlives reload; one given to scheduled checks outlives a restart too.
// It is safe for concurrent use. Get gives nil for a key that is not there, and fails when a durable store cannot read: then there may be a
// value, and who writes another writes over it. Put fails when a bound of the store would be passed, or when a durable store cannot write.
type Store interface {
	Get(key string) (value []byte, err error)
	Put(key string, value []byte) error
	Delete(key string) error
}

// MemoryStore is a Store in memory. The zero value is empty and ready.
type MemoryStore struct {
	mu     sync.Mutex
	values map[string][]byte
}

// Get gives a copy of the value; it never fails.
func (s *MemoryStore) Get(key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.values[key]), nil
}

// Put keeps a copy of the value.
func (s *MemoryStore) Put(key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(value) > StoreValueBytes {
		return fmt.Errorf("storing %q: value of %d bytes, want at most %d", key, len(value), StoreValueBytes)
	}
	if _, known := s.values[key]; !known && len(s.values) >= StoreKeys {
		return fmt.Errorf("storing %q: the store has %d keys, want at most %d", key, len(s.values)+1, StoreKeys)
	}
	if s.values == nil {
		s.values = make(map[string][]byte)
	}
	s.values[key] = append([]byte{}, value...)
	return nil
}

// Delete removes the key; an unknown key is no error.
func (s *MemoryStore) Delete(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
	return nil
}
