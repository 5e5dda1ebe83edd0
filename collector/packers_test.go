// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// TestPackersAreFew packs more texts at once than there are writers: each comes out as it went in, and no further writer is made.
func TestPackersAreFew(t *testing.T) {
	p := newPackers()
	var packing sync.WaitGroup
	for i := range 20 * cap(p) {
		packing.Go(func() {
			want := strings.Repeat(fmt.Sprintln("probe_success", i), 50)
			var packed bytes.Buffer
			p.pack(&packed, []byte(want))
			r, err := gzip.NewReader(&packed)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != want {
				t.Errorf("text %d came out as %d bytes, %v", i, len(got), err)
			}
		})
	}
	packing.Wait()
	if len(p) != cap(p) || cap(p) != runtime.GOMAXPROCS(0) {
		t.Errorf("%d writers of %d are free, want all of %d", len(p), cap(p), runtime.GOMAXPROCS(0))
	}
}
