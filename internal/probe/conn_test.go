// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probe

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// talk runs a prober on one end of a connection while peer has the other.
func talk(t *testing.T, peer func(net.Conn), f func(r *Recorder, c net.Conn) error, secrets ...Secret) Result {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer far.Close()
		peer(far)
	}()
	res := record(t, func(r *Recorder) error {
		defer near.Close()
		return f(r, near)
	}, secrets...)
	<-done
	return res
}

func TestTrackSpendsBudget(t *testing.T) {
	for _, budget := range []int64{10, 0} {
		limit := budget
		if limit == 0 {
			limit = 1 << 20
		}
		res := talk(t, func(far net.Conn) {
			for {
				if _, err := far.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, func(r *Recorder, c net.Conn) error {
			got, err := io.ReadAll(r.Track(c, budget))
			if int64(len(got)) != limit || !errors.Is(err, ErrBudget) {
				t.Errorf("budget %d: read %d bytes, %v", budget, len(got), err)
			}
			return err
		})
		if res.Reason != ReasonProtocol || !strings.Contains(res.Err, "byte budget spent") {
			t.Errorf("budget %d: %s %q, want protocol", budget, res.Reason, res.Err)
		}
	}
}

func TestConnWritesTranscript(t *testing.T) {
	res := talk(t, func(far net.Conn) {
		io.WriteString(far, "220 re")
		io.WriteString(far, "ady\r\n250 hunter22\r\n"+strings.Repeat("x", 3000)+"\nrest")
		io.ReadFull(far, make([]byte, len("HELO x\r\nQUIT")))
	}, func(r *Recorder, c net.Conn) error {
		tr := r.Conn(c)
		io.ReadFull(tr, make([]byte, len("220 ready\r\n250 hunter22\r\n")+3000+len("\nrest")))
		io.WriteString(tr, "HELO x\r\nQUIT")
		return tr.Close()
	}, "hunter22")
	var got []string
	for _, line := range res.Trace.Lines() {
		got = append(got, line.Text)
	}
	want := []string{
		`< "220 ready"`, `< "250 <secret>"`, `< "` + strings.Repeat("x", 1024) + `... (1976 more bytes)"`, `< "rest"`, `> "HELO x"`, `> "QUIT"`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("transcript\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestConnBoundsLine: an endless line is held in part only, and a mask is not split by the bound of what is shown.
func TestConnBoundsLine(t *testing.T) {
	text := strings.Repeat("x", transcriptLine-4) + "hunter22" + strings.Repeat("y", 200<<10) + "\n"
	res := talk(t, func(far net.Conn) { io.WriteString(far, text) }, func(r *Recorder, c net.Conn) error {
		_, err := io.Copy(io.Discard, r.Conn(c))
		return err
	}, "hunter22")
	if got := res.Trace.String(); strings.Contains(got, "hunt") || len(got) > 2*transcriptLine || !strings.Contains(got, "more bytes)") {
		t.Errorf("transcript of %d bytes: %s", len(got), got)
	}
}
