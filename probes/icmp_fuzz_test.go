// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noicmp

package probes

import (
	"bytes"
	"net/netip"
	"testing"

	"golang.org/x/net/icmp"
)

// FuzzICMPReply takes any bytes for a message: only those that carry our payload, id and number may be the reply.
func FuzzICMPReply(f *testing.F) {
	request := icmp.Echo{ID: 0x1234, Seq: 0x5678, Data: []byte(icmpText)}
	f.Add([]byte("\x00\x00\x00\x00\x12\x34\x56\x78"+icmpText), false)
	f.Add([]byte("\x81\x00\x00\x00\x12\x34\x56\x78"+icmpText), true)
	f.Add([]byte("\x08\x00\x00\x00\x12\x34\x56\x78"+icmpText), false)
	f.Add([]byte("\x03\x01\x00\x00\x00\x00\x00\x00\x45\x00"), false)
	f.Fuzz(func(t *testing.T, wire []byte, six bool) {
		to, kind := netip.MustParseAddr("127.0.0.1"), byte(0)
		if six {
			to, kind = netip.MustParseAddr("::1"), 129
		}
		e := &echo{socket: &echoSocket{to: to, raw: true}, request: request}
		want := len(wire) >= 8 && wire[0] == kind && wire[1] == 0 && bytes.Equal(wire[4:], []byte("\x12\x34\x56\x78"+icmpText))
		if got := e.answered(wire); got != want {
			t.Errorf("%q taken for the reply: %v, want %v", wire, got, want)
		}
	})
}
