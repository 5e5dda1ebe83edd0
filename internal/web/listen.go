// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package web

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/mdlayher/vsock"
	"github.com/prometheus/exporter-toolkit/web"
)

// Listen takes all addresses or sockets of the flags for Serve, having looked at the file of --web.config.file: what cannot be served is
// known before anything else begins.
func Listen(flags *web.FlagConfig) ([]net.Listener, error) {
	if err := checkFile(*flags.WebConfigFile); err != nil {
		return nil, err
	}
	if flags.WebSystemdSocket != nil && *flags.WebSystemdSocket {
		all, err := systemdSockets()
		if err != nil {
			return nil, fmt.Errorf("taking the sockets of systemd: %w", err)
		}
		return all, nil
	}
	var all []net.Listener
	for _, address := range *flags.WebListenAddresses {
		l, err := listen(address)
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("listening on %q: %w, want %s", address, inner(err), wanted(err))
		}
		all = append(all, l)
	}
	return all, nil
}

func checkFile(path string) error {
	err := web.Validate(path)
	var at *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &at) && at.Path == path:
		return fmt.Errorf("reading --web.config.file=%q: %w, want a readable file", path, at.Err)
	}
	return fmt.Errorf("reading --web.config.file=%q: %w, want a configuration of exporter-toolkit", path, err)
}

const vsockScheme = "vsock://"

func listen(address string) (net.Listener, error) {
	text, virtual := strings.CutPrefix(address, vsockScheme)
	if !virtual {
		return net.Listen("tcp", address)
	}
	_, service, err := net.SplitHostPort(text)
	if err != nil {
		return nil, err
	}
	port, err := net.LookupPort("tcp", service)
	if err != nil {
		return nil, err
	}
	return vsock.Listen(uint32(port), nil)
}

// inner leaves out what package net says of the address, which the message has already.
func inner(err error) error {
	for {
		var op *net.OpError
		var at *net.AddrError
		switch {
		case errors.As(err, &op) && op.Err != nil:
			err = op.Err
		case errors.As(err, &at):
			return errors.New(at.Err)
		default:
			return err
		}
	}
}

// wanted says what to give instead of an address that cannot be listened on.
func wanted(err error) string {
	var at *net.AddrError
	var name *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "a free address"
	case errors.Is(err, fs.ErrPermission):
		return "a port that this user may listen on"
	case errors.As(err, &at), errors.As(err, &name) && strings.Contains(name.Err, "port"):
		return "host:port such as 127.0.0.1:9115 or :9115"
	}
	return "an address of this host"
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}
