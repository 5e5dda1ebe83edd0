// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomysql

package probes

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"skywatch/internal/probe"
)

// Capabilities of the protocol, as their bits are numbered in its documentation.
const (
	mysqlLongPassword = 1 << 0 // MariaDB: not set by a server with extensions of its own
	mysqlWithDatabase = 1 << 3
	mysqlProtocol41   = 1 << 9
	mysqlTLS          = 1 << 11
	mysqlSecureConn   = 1 << 15

	// mysqlWanted is what the driver may use of what a server offers, of what it knows to use: LONG_FLAG, PROTOCOL_41, TRANSACTIONS,
	// SECURE_CONNECTION, MULTI_RESULTS, PLUGIN_AUTH, CONNECT_ATTRS, PLUGIN_AUTH_LENENC_CLIENT_DATA, DEPRECATE_EOF. Files of ours
	// (LOCAL_FILES) are not for it.
	mysqlWanted = 1<<2 | mysqlProtocol41 | 1<<13 | mysqlSecureConn | 1<<17 | 1<<19 | 1<<20 | 1<<21 | 1<<24
)

// mysqlGreetingMax is the longest greeting: version and plugin are a few dozen bytes.
const mysqlGreetingMax = 4 << 10

// mysqlGreeting is the server's first packet, the handshake of version 10, without the packet's header.
type mysqlGreeting struct {
	packet  []byte
	version string
	low     int // where the lower half of the capabilities is; the upper one is 5 bytes further
	plugin  int // where the name of the method of login begins; the packet may end there
}

// newMySQLGreeting reads the packet. It must have all that the driver looks for, which checks nothing.
func newMySQLGreeting(packet []byte, r *probe.Recorder) (*mysqlGreeting, error) {
	end := bytes.IndexByte(packet, 0)
	if len(packet) == 0 || packet[0] != 10 || end < 0 {
		return nil, fmt.Errorf("got %s, want a greeting of protocol version 10", r.Evidence(string(packet)))
	}
	const after = 4 + 8 + 1 + 2 + 3 + 2 + 1 + 10 + 13 // connection, salt, 0, capabilities, charset and status, capabilities, length, 0, salt
	if len(packet) < end+1+after {
		return nil, fmt.Errorf("got a greeting of %d bytes, want at least %d", len(packet), end+1+after)
	}
	g := &mysqlGreeting{packet: packet, low: end + 1 + 4 + 8 + 1, plugin: end + 1 + after}
	// MariaDB puts 5.5.5- in front, for old replicas that could not make sense of a version 10.
	g.version = strings.TrimPrefix(strings.ToValidUTF8(string(packet[1:end]), "?"), "5.5.5-")
	if g.capabilities()&mysqlProtocol41 == 0 || g.capabilities()&mysqlSecureConn == 0 {
		return nil, fmt.Errorf("got a server of version %s without protocol 4.1, want MySQL 4.1 or later", r.Evidence(g.version))
	}
	return g, nil
}

func (g *mysqlGreeting) capabilities() uint32 {
	return uint32(binary.LittleEndian.Uint16(g.packet[g.low:])) | uint32(binary.LittleEndian.Uint16(g.packet[g.low+5:]))<<16
}

// offer changes the capabilities that the packet shows.
func (g *mysqlGreeting) offer(capabilities uint32) {
	binary.LittleEndian.PutUint16(g.packet[g.low:], uint16(capabilities))
	binary.LittleEndian.PutUint16(g.packet[g.low+5:], uint16(capabilities>>16))
}

// greet reads the server's greeting and goes over to TLS. The wire it gives holds a greeting that offers what the driver may use.
func (p *MySQL) greet(ctx context.Context, l *link) (*mysqlWire, error) {
	packet, err := readMySQLPacket(l.conn, mysqlGreetingMax)
	if err != nil {
		return nil, mysqlReadError(fmt.Sprintf("reading from %q", l.server), err, "a greeting")
	}
	if refusal, ok := newMySQLError(packet); ok {
		return nil, probe.Failf(probe.ReasonResponse, "connecting to %q: refused with %s, want a greeting", l.server, l.r.Evidence(refusal.Error()))
	}
	greeting, err := newMySQLGreeting(packet, l.r)
	if err != nil {
		return nil, probe.Failf(probe.ReasonProtocol, "reading from %q: %w", l.server, err)
	}
	l.done("greeting")
	l.r.Set(descMySQLVersion, 1, greeting.version)
	l.r.Fact("version", greeting.version)
	l.r.Log.Debug("greeted", "version", greeting.version, "tls_offered", greeting.capabilities()&mysqlTLS != 0)
	offered := greeting.capabilities()
	usable := offered&mysqlWanted | mysqlLongPassword
	if p.Database != "" {
		usable |= offered & mysqlWithDatabase
	}
	greeting.offer(usable)
	wire := newMySQLWire(l)
	if p.TLS != tlsNone {
		if offered&mysqlTLS == 0 {
			return nil, probe.Failf(probe.ReasonTLS, "starting TLS with %q: the server does not offer it, want TLS", l.server)
		}
		if err := wire.startTLS(ctx, usable); err != nil {
			return nil, err
		}
	}
	if wire.secured && bytes.HasPrefix(packet[greeting.plugin:], []byte("sha256_password")) {
		packet = packet[:greeting.plugin] // see errMySQLSHA256: the server is to say whether this account wants that
	}
	wire.replay(packet)
	return wire, nil
}

// newMySQLError reads an ERR packet; ok tells whether it is one.
func newMySQLError(packet []byte) (e *mysql.MySQLError, ok bool) {
	if len(packet) < 3 || packet[0] != 0xff {
		return nil, false
	}
	e = &mysql.MySQLError{Number: binary.LittleEndian.Uint16(packet[1:])}
	text := packet[3:]
	if len(text) >= 6 && text[0] == '#' {
		copy(e.SQLState[:], text[1:6])
		text = text[6:]
	}
	e.Message = string(text)
	return e, true
}
