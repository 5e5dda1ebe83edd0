// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package record

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"

	"skywatch/internal/probe"
)

// The bounds of what is remembered of the targets of a check by name.
const (
	maxFailures     = 20
	maxTargetBytes  = 200
	maxFailureBytes = 300 // of the error of one
)

// Targets is what is remembered of the many targets of a check between results. The zero value is that of a check with one target.
type Targets struct {
	Total   int      `json:"total"`             // targets
	All     uint64   `json:"all"`               // digest of their addresses, so that a change of the configuration shows
	Failing int      `json:"failing,omitempty"` // targets that fail
	Names   []string `json:"names,omitempty"`   // the first 20 of those
	Set     []byte   `json:"set,omitempty"`     // all of those: 8 bytes each, sorted
}

// Failing tells which of the many targets of a check fail, and what has changed of that since it was told last.
type Failing struct {
	Total     int       `json:"total"`               // targets of the check
	Count     int       `json:"count"`               // failing ones
	First     []Failure `json:"first"`               // the first 20 of those
	New       []string  `json:"new,omitempty"`       // the first 20 that did not fail before; none at the start of an incident
	Recovered []string  `json:"recovered,omitempty"` // the first 20 that fail no more
	Was       uint64    `json:"was"`                 // digest of those that failed before
	Is        uint64    `json:"is"`                  // digest of those that fail
}

// Failure is why a target fails.
type Failure struct {
	Target string       `json:"target"`
	Reason probe.Reason `json:"reason"`
	Err    string       `json:"err"`
}

// TargetsOf gives what is to be remembered of a result. One that is inconclusive of a target tells nothing of it: what was remembered of
// that target stays.
func TargetsOf(was Targets, r probe.Result) Targets {
	if len(r.Parts) == 0 {
		return Targets{}
	}
	is := Targets{Total: len(r.Parts)}
	all, failing := fnv.New64a(), []uint64(nil)
	for i := range r.Parts {
		one := &r.Parts[i]
		all.Write(binary.BigEndian.AppendUint64(nil, digest(one.Target)))
		if !was.stillFails(one) {
			continue
		}
		is.Failing++
		failing = append(failing, digest(one.Target))
		if len(is.Names) < maxFailures {
			is.Names = append(is.Names, shortened(one.Target, maxTargetBytes))
		}
	}
	is.All = all.Sum64()
	slices.Sort(failing)
	for _, d := range failing {
		is.Set = binary.BigEndian.AppendUint64(is.Set, d)
	}
	return is
}

// stillFails tells whether a target counts as failing after a result of it.
func (t Targets) stillFails(r *probe.Result) bool {
	return r.Verdict == probe.Down || r.Verdict == probe.Inconclusive && t.Has(r.Target)
}

// Has tells whether a target is among those that fail.
func (t Targets) Has(target string) bool {
	want := digest(target)
	for set := t.Set; len(set) >= 8; set = set[8:] {
		if binary.BigEndian.Uint64(set) == want {
			return true
		}
	}
	return false
}

// SameFailing tells whether the same targets fail.
func (t Targets) SameFailing(other Targets) bool { return bytes.Equal(t.Set, other.Set) }

// FailingOf tells of the targets that fail after a result, and how that differs from what was told. is is what TargetsOf gives. It is
// nil for a check with one target.
func FailingOf(was, is Targets, r probe.Result) *Failing {
	if is.Total == 0 {
		return nil
	}
	f := &Failing{Total: is.Total, Count: is.Failing, Was: digest(string(was.Set)), Is: digest(string(is.Set))}
	for i := range r.Parts {
		one := &r.Parts[i]
		fails, failed := is.Has(one.Target), was.Has(one.Target)
		name := shortened(one.Target, maxTargetBytes)
		if fails && len(f.First) < maxFailures {
			f.First = append(f.First, Failure{name, one.Reason, shortened(one.Err, maxFailureBytes)})
		}
		switch {
		case fails && !failed && len(was.Set) > 0 && len(f.New) < maxFailures:
			f.New = append(f.New, name)
		case failed && !fails && len(f.Recovered) < maxFailures:
			f.Recovered = append(f.Recovered, name)
		}
	}
	return f
}

// After joins two changes, the older one and this, into the one of both. It is this one alone where the older did not lead to it.
func (f *Failing) After(older *Failing) *Failing {
	if older == nil || older.Is != f.Was {
		return f
	}
	joined := *f
	joined.Was = older.Was
	joined.New = joinNames(without(older.New, f.Recovered), without(f.New, older.Recovered))
	joined.Recovered = joinNames(without(older.Recovered, f.New), without(f.Recovered, older.New))
	return &joined
}

// Unchanged tells whether the same targets fail as before.
func (f *Failing) Unchanged() bool { return f.Was == f.Is }

func joinNames(older, newer []string) []string {
	all := slices.Concat(older, without(newer, older))
	return all[:min(len(all), maxFailures)]
}

// without gives the names that are not among others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

func digest(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
