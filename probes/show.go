// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package probes

import (
	"bytes"
	"fmt"
	"maps"

	"go.yaml.in/yaml/v3"

	"skywatch/internal/probe"
)

// hostnamed is a prober whose configuration the hostname parameter of a request stands in for.
type hostnamed interface {
	// withHostname gives a copy with the parameter filled in, only to be shown.
	withHostname(hostname string) probe.Prober
}

// ModuleYAML renders a module with its defaults filled in, without secrets, and as the hostname parameter of a request changes it.
func ModuleYAML(m *probe.Module, hostname string) ([]byte, error) {
	sections := map[string]probe.Prober{}
	maps.Copy(sections, m.Unused)
	sections[m.Kind] = m.Prober
	if p, ok := m.Prober.(hostnamed); ok && hostname != "" {
		sections[m.Kind] = p.withHostname(hostname)
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(redacted{m.Kind, probe.Duration(m.Timeout), m.Params, sections}); err != nil {
		return nil, fmt.Errorf("rendering module %q: %w", m.Name, err)
	}
	return out.Bytes(), encoder.Close()
}
