// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !noftp

package probes

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"skywatch/internal/probe"
)

// move runs a command with a data connection; data does what is to be done on it. begun tells whether the server may have done something:
// it agreed to the command, did not answer, or refused for a time, which some do after they have made a file.
func (f *ftpTalk) move(ctx context.Context, doing, command string, data func(net.Conn) error) (begun bool, err error) {
	wire, err := f.passive(ctx)
	if err != nil {
		return false, err
	}
	defer wire.Close()
	if answer, err := f.ask(doing, command, 150, 125); err != nil {
		return answer.code < 500, err
	}
	conn := wire
	if f.protected {
		if conn, err = f.secureData(ctx, wire); err != nil {
			return true, err
		}
	}
	if err := data(conn); err != nil {
		return true, f.dataError(doing, err)
	}
	_, err = f.expect(doing, "the end of "+doing, 226, 250)
	return true, err
}

// secureData makes a data connection a TLS one, with the session of the control connection.
func (f *ftpTalk) secureData(ctx context.Context, wire net.Conn) (net.Conn, error) {
	conf, err := f.tlsConfig()
	if err != nil {
		return nil, err
	}
	conn, err := startTLS(ctx, wire, conf, f.server, f.r)
	if header := new(tls.RecordHeaderError); errors.As(err, header) {
		return nil, probe.Failf(probe.ReasonProtocol, "opening a data connection: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening a data connection: %w", err)
	}
	f.r.Log.Debug("data connection", "resumed", conn.ConnectionState().DidResume)
	return conn, nil
}

// dataError is what went wrong on a data connection.
func (f *ftpTalk) dataError(doing string, err error) error {
	var typed *probe.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return probe.Failf(probe.ReasonTimeout, "%s at %q: data not moved in time", doing, f.server)
	case errors.As(err, &typed):
		return fmt.Errorf("%s at %q: %w", doing, f.server, err)
	}
	return probe.Failf(probe.ReasonProtocol, "%s at %q: %w, want the data moved", doing, f.server, err)
}

// list reads the current directory and counts what is in it.
func (f *ftpTalk) list(ctx context.Context) error {
	if _, err := f.ask("setting the type", "TYPE A", 200); err != nil {
		return err
	}
	entries, size := 0, 0
	_, err := f.move(ctx, "listing the directory", "LIST", func(conn net.Conn) (err error) {
		entries, size, err = countEntries(conn)
		conn.Close() // the server waits for our end of TLS before it says that all is well
		return err
	})
	if err != nil {
		return err
	}
	f.r.Set(descFTPEntries, float64(entries))
	f.r.Set(descFTPBytes, float64(size), "list")
	f.r.Log.Debug("listed", "entries", entries, "bytes", size)
	f.done("list")
	return nil
}

// countEntries reads lines. The sum of blocks that some servers begin with is no entry.
func countEntries(from io.Reader) (entries, size int, err error) {
	in := bufio.NewReader(from)
	for begins := true; ; {
		part, err := in.ReadSlice('\n')
		size += len(part)
		if begins && len(bytes.TrimSpace(part)) > 0 && !bytes.HasPrefix(part, []byte("total ")) {
			entries++
		}
		begins = err == nil
		switch {
		case errors.Is(err, io.EOF):
			return entries, size, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return entries, size, err
		}
	}
}

// sendData writes all, and says that this is all: with TLS by its own end, so that nobody else can cut the file short. Only then the
// connection may be closed: with unread messages of TLS in it, closing it at once could take back what the server has not read yet.
func sendData(conn net.Conn, data []byte) error {
	if _, err := conn.Write(data); err != nil {
		return err
	}
	if secured, ok := conn.(*tls.Conn); ok {
		return secured.CloseWrite()
	}
	return conn.Close()
}
