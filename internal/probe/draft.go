// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

// Draft gives a recorder for a part of the attempt that may come to nothing: its samples and facts are kept apart until Adopt takes
// them over. The trace, the secrets, the memories and the watchdog are those of r.
func (r *Recorder) Draft() *Recorder {
	return &Recorder{Log: r.Log, trace: r.trace, store: r.store, cache: r.cache, shared: r.shared, alone: r.alone, number: r.number, parent: r}
}

// Adopt takes the samples and facts of a draft over, which is not used afterwards.
func (r *Recorder) Adopt(draft *Recorder) {
	samples, facts := draft.seal()
	for _, s := range samples {
		r.Set(s.Desc, s.Value, s.Labels...)
	}
	for _, f := range facts {
		r.Fact(f.Key, f.Value)
	}
}

// over tells whether the attempt has ended.
func (r *Recorder) over() bool {
	for r.parent != nil {
		r = r.parent
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sealed
}
