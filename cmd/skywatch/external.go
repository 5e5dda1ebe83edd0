// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"strings"
)

// place is where users find the daemon: the URL they use, and the prefix of the paths it answers.
type place struct{ external, prefix string }

// place reads --web.external-url and --web.route-prefix.
func (p *program) place() (place, error) {
	external, err := p.external()
	if err != nil {
		return place{}, fmt.Errorf("reading the command line: --web.external-url: %w", err)
	}
	prefix := "/" + strings.Trim(path.Clean("/"+cmp.Or(p.routePrefix, external.Path)), "/") + "/"
	if strings.ContainsAny(prefix, "{}%?# \t\r\n") {
		return place{}, fmt.Errorf("reading the command line: --web.route-prefix: %q, want a path without any of {}%%?# and white space", prefix)
	}
	if prefix == "//" {
		prefix = "/"
	}
	return place{external.String(), prefix}, nil
}

// external gives the URL without slashes at the end of its path; without the flag, our host name and the port of the first address.
func (p *program) external() (*url.URL, error) {
	text := p.externalURL
	if text == "" {
		var err error
		if text, err = p.ownURL(); err != nil {
			return nil, err
		}
	}
	if strings.Trim(text, `"'`) != text {
		return nil, errors.New("URL must not begin or end with quotes")
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w, want a URL such as https://watch.example.org/skywatch", err)
	}
	trimmed := strings.TrimRight(u.Path, "/")
	if trimmed != "" && !strings.HasPrefix(trimmed, "/") {
		trimmed = "/" + trimmed
	}
	u.Path, u.RawPath = trimmed, ""
	return u, nil
}

func (p *program) ownURL() (string, error) {
	if *p.web.WebSystemdSocket {
		return "", errors.New("missing, want it together with --web.systemd-socket")
	}
	address := (*p.web.WebListenAddresses)[0]
	_, port, err := net.SplitHostPort(strings.TrimPrefix(address, "vsock://"))
	if err != nil {
		return "", fmt.Errorf("not given, and --web.listen-address=%q has no port to make it of: %w", address, err)
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("not given, and this host has no name to make it of: %w", err)
	}
	return "http://" + net.JoinHostPort(host, port) + "/", nil
}
