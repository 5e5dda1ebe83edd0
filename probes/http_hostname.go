// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"maps"

	"skywatch/internal/probe"
)

func (h *HTTP) withHostname(hostname string) probe.Prober {
	if h.host() != "" {
		return h // the same, or it would have been refused
	}
	shown := *h
	shown.Headers = map[string]string{"Host": hostname}
	maps.Copy(shown.Headers, h.Headers)
	return &shown
}
