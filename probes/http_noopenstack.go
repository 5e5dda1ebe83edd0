// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp && noopenstack

package probes

import (
	"context"
	"errors"
)

// missingOpenStack says why openstack cannot be used: Validate refuses a module that wants it.
func missingOpenStack() error { return errors.New("OpenStack is not part of this build") }

func (p *httpProbe) askKeystone(context.Context, *login, string) (issuedToken, error) {
	return issuedToken{}, missingOpenStack()
}
