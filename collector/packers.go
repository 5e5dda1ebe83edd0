// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"bytes"
	"compress/gzip"
	"runtime"
)

// packers are the gzip writers of the answers, at most one for each processor. A writer holds most of a megabyte whatever it packs, so one
// for each of many concurrent scrapes, as a pool would come to have them, would be most of the program's memory. Packing only computes:
// who waits for a writer waits for a processor.
type packers chan *gzip.Writer

func newPackers() packers {
	p := make(packers, runtime.GOMAXPROCS(0))
	for range cap(p) {
		p <- nil // made when first needed
	}
	return p
}

// pack compresses a text. Speed counts: an answer is small and lives for one scrape.
func (p packers) pack(to *bytes.Buffer, text []byte) {
	w := <-p
	if w == nil {
		w, _ = gzip.NewWriterLevel(to, gzip.BestSpeed) // fails for unknown levels only
	} else {
		w.Reset(to)
	}
	w.Write(text) // a bytes.Buffer takes everything
	w.Close()
	p <- w
}
