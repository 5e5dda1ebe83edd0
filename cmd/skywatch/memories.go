// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"container/list"
	"sync"

	"skywatch/internal/probe"
)

// pair is what a prober's memory belongs to. What was learned with one credential, such as a token, is not for another.
type pair struct{ module, target, credential string }

// memories keeps a memory for each of the pairs used last, so that any number of targets asked for takes bounded room.
type memories struct {
	limit int

	mu     sync.Mutex
	places map[pair]*list.Element // of remembered
	recent *list.List             // used last first
}

type remembered struct {
	pair  pair
	store *probe.MemoryStore
}

func newMemories(limit int) *memories {
	return &memories{limit: limit, places: make(map[pair]*list.Element), recent: list.New()}
}

// of gives the memory of a pair.
func (m *memories) of(p pair) probe.Store {
	m.mu.Lock()
	defer m.mu.Unlock()
	if place, ok := m.places[p]; ok {
		m.recent.MoveToFront(place)
		return place.Value.(remembered).store
	}
	if m.recent.Len() >= m.limit {
		last := m.recent.Back()
		delete(m.places, m.recent.Remove(last).(remembered).pair)
	}
	store := new(probe.MemoryStore)
	m.places[p] = m.recent.PushFront(remembered{p, store})
	return store
}
