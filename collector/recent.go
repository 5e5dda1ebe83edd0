// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"skywatch/internal/probe"
)

// Recent remembers the latest results of /probe, and those failures that newer results pushed out, as many again. It answers /logs.
// It is safe for concurrent use.
type Recent struct {
	limit int
	debug Debug

	mu     sync.Mutex
	next   int64
	latest []probed // oldest first
	failed []probed // pushed out of latest; oldest first
}

// NewRecent makes a memory of limit results and limit older failures; 0 keeps nothing.
func NewRecent(limit int, d Debug) *Recent {
	return &Recent{limit: limit, debug: d}
}

// maxHostname is the most of a hostname parameter that is kept, in bytes; anybody may send any length.
const maxHostname = 300

// add gives a result the next id and keeps it.
func (r *Recent) add(p probed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.hostname = strings.Clone(p.hostname[:min(len(p.hostname), maxHostname)])
	p.id = r.next
	r.next++
	oldest, full := push(&r.latest, p, r.limit)
	if full && !oldest.Success() {
		push(&r.failed, oldest, r.limit)
	}
}

// push appends, and gives what has to leave for it.
func push(all *[]probed, p probed, limit int) (oldest probed, full bool) {
	if limit <= 0 {
		return probed{}, false
	}
	if full = len(*all) >= limit; full {
		oldest = (*all)[0]
		(*all)[0] = probed{} // nothing else may keep it in memory
		*all = (*all)[1:]
	}
	*all = append(*all, p)
	return oldest, full
}

// list gives what is kept, newest first; failures that were pushed out come last.
func (r *Recent) list() []probed {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Concat(r.failed, r.latest)
	slices.Reverse(all)
	return all
}

// All gives the results with their ids, newest first; failures that were pushed out come last.
func (r *Recent) All() iter.Seq2[int64, probe.Result] {
	return func(yield func(int64, probe.Result) bool) {
		for _, p := range r.list() {
			if !yield(p.id, p.Result) {
				return
			}
		}
	}
}

// ServeHTTP is /logs: the debug text of a kept result, by its id or by target and module.
func (r *Recent) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	query := request.URL.RawQuery
	id, err := strconv.ParseInt(parameter(query, "id"), 10, 64)
	byID, target, module := err == nil, parameter(query, "target"), parameter(query, "module")
	switch {
	case byID && target != "":
		http.Error(w, "Probe id and target can't be defined at the same time", http.StatusBadRequest)
	case !byID && target == "":
		http.Error(w, "Probe id or target must be defined as http query parameters", http.StatusBadRequest)
	case byID && module != "":
		http.Error(w, "Probe module filter only works in conjunction with target parameter", http.StatusBadRequest)
	case byID:
		r.show(w, "Probe id not found", func(p *probed) bool { return p.id == id })
	default:
		target = probe.NewTarget(target).String() // as it is kept
		r.show(w, "Probe target not found", func(p *probed) bool { return p.Target == target && (module == "" || p.Module == module) })
	}
}

// show answers with the newest result that matches.
func (r *Recent) show(w http.ResponseWriter, missing string, matches func(*probed) bool) {
	all := r.list()
	for i := range all {
		if matches(&all[i]) {
			plain(w, r.debug.text(&all[i]))
			return
		}
	}
	http.Error(w, missing, http.StatusNotFound)
}

// plain writes text that no browser may take for anything else, nor keep.
func plain(w http.ResponseWriter, text []byte) {
	header := w.Header()
	header.Set("Content-Type", "text/plain")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	w.Write(text)
}
