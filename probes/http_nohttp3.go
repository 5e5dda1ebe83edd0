// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && nohttp3

package probes

import (
	"crypto/tls"
	"errors"
)

// missingHTTP3 says why HTTP/3 cannot be used: Validate refuses a module that wants it.
func missingHTTP3() error { return errors.New("HTTP/3 is not part of this build") }

func (p *httpProbe) http3(*tls.Config) httpTransport { return nil }
