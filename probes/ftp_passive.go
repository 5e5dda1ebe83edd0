// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noftp

package probes

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"skywatch/internal/probe"
)

// passive opens a data connection: to the port that the server names, at the address of the control connection. Another address
// that PASV gives is not taken, since a server could have us connect to anybody; it is also the wrong one behind NAT.
func (f *ftpTalk) passive(ctx context.Context) (net.Conn, error) {
	port, err := f.passivePort()
	if err != nil {
		return nil, err
	}
	server, err := netip.ParseAddrPort(f.conn.RemoteAddr().String())
	if err != nil {
		return nil, probe.Failf(probe.ReasonInternal, "opening a data connection: %w", err)
	}
	conn, err := f.config.ready.dialer.dial(ctx, "tcp", netip.AddrPortFrom(server.Addr(), port), f.r, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a data connection: %w", err)
	}
	return conn, nil
}

// passivePort asks for a port: by EPSV, then by PASV if the server does not know the former. It is asked once.
func (f *ftpTalk) passivePort() (uint16, error) {
	const doing = "asking for a data port"
	if f.epsv {
		answer, err := f.ask(doing, "EPSV", 229)
		if err == nil {
			return f.port(answer, ftpExtendedPort)
		}
		if !f.pasv || answer.code < 500 {
			return 0, err
		}
		f.epsv = false
	}
	answer, err := f.ask(doing, "PASV", 227)
	if err != nil {
		return 0, err
	}
	return f.port(answer, ftpPassivePort)
}

func (f *ftpTalk) port(answer ftpReply, read func(string) (uint16, bool)) (uint16, error) {
	port, ok := read(answer.text)
	if !ok {
		return 0, probe.Failf(probe.ReasonProtocol, "asking for a data port at %q: got %s, want a port", f.server, f.r.Evidence(answer.String()))
	}
	return port, nil
}

// ftpExtendedPort reads the reply to EPSV (RFC 2428, 3): the port between delimiters of any kind, as in (|||6446|).
func ftpExtendedPort(text string) (uint16, bool) {
	_, text, ok := strings.Cut(text, "(")
	if !ok || len(text) < 6 || text[1] != text[0] || text[2] != text[0] {
		return 0, false
	}
	number, _, ok := strings.Cut(text[3:], text[:1])
	port, err := strconv.ParseUint(number, 10, 16)
	return uint16(port), ok && err == nil && port > 0
}

// ftpSixNumbers are an address and a port; not every server puts them into parentheses (RFC 1123, 4.1.2.6).
var ftpSixNumbers = regexp.MustCompile(`(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})`)

// ftpPassivePort reads the reply to PASV.
func ftpPassivePort(text string) (uint16, bool) {
	found := ftpSixNumbers.FindStringSubmatch(text)
	if found == nil {
		return 0, false
	}
	var numbers [6]uint64
	for i := range numbers {
		var err error
		if numbers[i], err = strconv.ParseUint(found[i+1], 10, 8); err != nil {
			return 0, false
		}
	}
	port := numbers[4]<<8 | numbers[5]
	return uint16(port), port > 0
}
