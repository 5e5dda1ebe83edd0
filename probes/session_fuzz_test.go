// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"

	"skywatch/internal/probe"
)

// canned is a connection whose peer has said everything already.
type canned struct {
	net.Conn // nil: no other method is called
	in       io.Reader
}

func (c canned) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c canned) Write(p []byte) (int, error) { return len(p), nil }
func (c canned) Close() error                { return nil }

// FuzzSession holds a dialogue with arbitrary bytes: it ends, and blames the peer or nobody.
func FuzzSession(f *testing.F) {
	for _, text := range []string{"", "220 a\r\nOK", "220", "\n\n220 \xff\nOK", "x\n220 a\nO"} {
		f.Add([]byte(text))
	}
	steps := []QueryResponse{
		{Expect: mustRegexp(f, `^220 ?(.*)$`), Labels: []LabelTemplate{{Name: "rest", Value: "$1"}}, Send: "you said $1"},
		{ExpectBytes: "OK"},
	}
	d, err := newDialogue(steps, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		res := runFunc(t, func(ctx context.Context, r *probe.Recorder) error {
			s := newSession(canned{in: bytes.NewReader(said)}, "peer", r, nil)
			defer s.close()
			err := s.run(ctx, d)
			if len(s.line) > maxLine+4096 {
				t.Errorf("a line of %d bytes was held", len(s.line))
			}
			return err
		})
		switch res.Reason {
		case probe.ReasonNone, probe.ReasonProtocol, probe.ReasonResponse:
		default:
			t.Errorf("%s: %s", res.Reason, res.Err)
		}
	})
}

func mustRegexp(f *testing.F, text string) *Regexp {
	f.Helper()
	var re Regexp
	if err := re.UnmarshalYAML(func(v any) error { *v.(*string) = text; return nil }); err != nil {
		f.Fatal(err)
	}
	return &re
}
