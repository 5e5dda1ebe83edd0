// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nomysql

package probes

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"skywatch/internal/probe"
)

// The bounds of a packet. The longest of all is that of the link's byte budget.
const (
	mysqlPacketMax  = 1 << 20
	mysqlLoginMax   = 16 << 10
	mysqlColumnsMax = 4096 // columns of a table, and so of a result
)

// mysqlWire is the connection that the driver gets. It stands between the driver and the server because the driver trusts the server: it
// would take text that came ahead of TLS as protected, make room for as many columns as the server says there are, and run past the end
// of a packet that is too short. It also lets us make the TLS handshake as everywhere else.
//
// TLS costs a packet that the driver does not know of, so until the login is over the numbers of all packets differ by one.
type mysqlWire struct {
	net.Conn // that of the link, TLS if there is any
	*link
	in      *bufio.Reader
	secured bool
	shift   byte   // how far the server's numbers are ahead of the driver's during the login
	working bool   // the login is over
	answers int    // packets that the driver sent for the login
	first   bool   // the next packet is the first of an answer to a command
	begins  byte   // what the last packet after the login begins with
	head    []byte // that the driver reads next
	left    int    // bytes of the packet that come after it
	err     error  // that ended the reading; the driver keeps it to itself
}

func newMySQLWire(l *link) *mysqlWire { return &mysqlWire{Conn: l.conn, link: l} }

// readMySQLPacket reads one packet of at most limit bytes, not a byte more.
func readMySQLPacket(from io.Reader, limit int) ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(from, header[:]); err != nil {
		return nil, err
	}
	size := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	if size == 0 || size > limit {
		return nil, fmt.Errorf("got %q, the header of a packet of %d bytes, want one of 1 to %d", header, size, limit)
	}
	packet := make([]byte, size)
	_, err := io.ReadFull(from, packet)
	return packet, err
}

// mysqlReadError says what came instead of what was wanted.
func mysqlReadError(doing string, err error, want string) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return probe.Failf(probe.ReasonTimeout, "%s: no answer in time, want %s", doing, want)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return probe.Failf(probe.ReasonProtocol, "%s: connection closed, want %s", doing, want)
	}
	return probe.Failf(probe.ReasonProtocol, "%s: %w", doing, err)
}

// startTLS asks for TLS (SSLRequest: capabilities, longest packet, character set utf8mb4, nothing) and makes the handshake. What came
// ahead of it is part of the handshake, and fails it.
func (w *mysqlWire) startTLS(ctx context.Context, capabilities uint32) error {
	request := make([]byte, 4+32)
	request[0], request[3], request[12] = 32, 1, 45
	binary.LittleEndian.PutUint32(request[4:], capabilities|mysqlTLS)
	if _, err := w.Conn.Write(request); err != nil {
		return probe.Failf(probe.ReasonProtocol, "sending to %q: %w, want it taken", w.server, err)
	}
	if err := w.secure(ctx); err != nil {
		return err
	}
	w.Conn, w.secured, w.shift = w.link.conn, true, 1
	return nil
}

// replay has the driver read a packet with the number 0 first.
func (w *mysqlWire) replay(packet []byte) {
	size := len(packet)
	w.head = append([]byte{byte(size), byte(size >> 8), byte(size >> 16), 0}, packet...)
	w.in = bufio.NewReader(w.Conn)
}

// Read gives what is left of a packet, at most.
func (w *mysqlWire) Read(p []byte) (n int, err error) {
	if w.err == nil && len(w.head) == 0 && w.left == 0 {
		w.err = w.next()
	}
	switch {
	case w.err != nil:
		return 0, w.err
	case len(w.head) > 0:
		n = copy(p, w.head)
		w.head = w.head[n:]
		return n, nil
	}
	n, w.err = w.in.Read(p[:min(len(p), w.left)])
	w.left -= n
	return n, w.err
}

// next begins the next packet of the server.
func (w *mysqlWire) next() error {
	if !w.working {
		return w.nextOfLogin()
	}
	header := make([]byte, 4)
	if _, err := io.ReadFull(w.in, header); err != nil {
		return err
	}
	w.left = int(header[0]) | int(header[1])<<8 | int(header[2])<<16
	if w.left > mysqlPacketMax {
		return fmt.Errorf("got the header of a packet of %d bytes, want one of at most %d", w.left, mysqlPacketMax)
	}
	w.head = header
	if w.left == 0 {
		return nil
	}
	start, err := w.in.Peek(1)
	if err != nil {
		return err
	}
	w.begins = start[0]
	if w.first {
		w.first = false
		return w.nextOfAnswer()
	}
	return nil
}

// ended tells whether the last packet is one that ends rows: the driver takes a row that is cut short for their end too.
func (w *mysqlWire) ended() bool { return w.begins == 0xfe }

// nextOfLogin reads a packet of the login, which is whole and well formed.
func (w *mysqlWire) nextOfLogin() error {
	packet, err := readMySQLPacket(numbered{w.in, &w.head}, mysqlLoginMax)
	if err != nil {
		w.head = nil
		return err
	}
	if err := checkMySQLLogin(packet, w.secured); err != nil {
		w.head = nil
		return err
	}
	w.head[3] -= w.shift
	return nil
}

// numbered notes all that is read.
type numbered struct {
	in   io.Reader
	seen *[]byte
}

func (n numbered) Read(p []byte) (int, error) {
	got, err := n.in.Read(p)
	*n.seen = append(*n.seen, p[:got]...)
	return got, err
}

// nextOfAnswer looks into the first packet of an answer: OK, an error, a request for a file of ours, or the number of columns.
func (w *mysqlWire) nextOfAnswer() error {
	start, err := w.in.Peek(min(w.left, 9))
	if err != nil {
		return err
	}
	switch w.begins {
	case 0x00:
		return w.lastOfAnswer()
	case 0xff:
		return nil
	case 0xfb:
		name := make([]byte, min(w.left, 1+300))
		io.ReadFull(w.in, name)
		return fmt.Errorf("the server asks for the file %s of this machine, want an answer", w.r.Evidence(string(name[1:])))
	}
	columns, _, ok := lengthEncoded(start)
	if !ok || columns == 0 || columns > mysqlColumnsMax {
		return fmt.Errorf("got %s as the number of columns, want 1 to %d", w.r.Evidence(string(start[:1])), mysqlColumnsMax)
	}
	return nil
}

// lastOfAnswer hands on an OK without its mark that more results follow, which the driver would go on to read without a check.
func (w *mysqlWire) lastOfAnswer() error {
	packet := make([]byte, w.left)
	if _, err := io.ReadFull(w.in, packet); err != nil {
		return err
	}
	status, err := okStatus(packet)
	if err != nil {
		return err
	}
	status[0] &^= 1 << 3
	w.head, w.left = append(w.head, packet...), 0
	return nil
}

// Write sends a packet of the driver, which writes each of them at once.
func (w *mysqlWire) Write(p []byte) (int, error) {
	if len(p) < 4 {
		return 0, fmt.Errorf("sending %d bytes, want a packet", len(p))
	}
	if p[3] == 0 {
		w.working, w.first = true, true
	}
	if w.working {
		return w.send(p)
	}
	packet := bytes.Clone(p)
	packet[3] += w.shift
	if w.answers == 0 && w.secured {
		packet[4+1] |= mysqlTLS >> 8
	}
	w.hide(packet[4:])
	w.answers++
	return w.send(packet)
}

func (w *mysqlWire) send(packet []byte) (int, error) {
	n, err := w.Conn.Write(packet)
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("sending: %w", err)
	}
	return n, err
}

// hide keeps what the driver made of the password out of sight: the answer after 32 bytes and the user's name, then whole packets.
func (w *mysqlWire) hide(packet []byte) {
	if w.answers == 0 && len(packet) > 32 {
		_, rest, _ := bytes.Cut(packet[32:], []byte{0})
		size, skip, ok := lengthEncoded(rest)
		if !ok || size > uint64(len(rest)-skip) {
			return
		}
		packet = rest[skip : skip+int(size)]
	}
	w.r.Hide(probe.Secret(packet), probe.Secret(bytes.TrimSuffix(packet, []byte{0})))
}
