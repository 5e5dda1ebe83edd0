// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"math"
	"strconv"

	"github.com/prometheus/common/model"

	"skywatch/internal/probe"
)

// AppendText appends the text exposition (0.0.4) of a result: the samples of its prober, probe_success, probe_duration_seconds,
// probe_timeout_seconds, and probe_failure_info unless it succeeded.
func AppendText(b []byte, r probe.Result) []byte {
	var t table
	t.fill(r)
	return t.appendText(b)
}

func (t *table) appendText(b []byte) []byte {
	name := ""
	for i := range t.rows {
		r := &t.rows[i]
		if r.name != name {
			name = r.name
			b = appendHeader(b, name, r.help, "gauge")
		}
		b = appendRow(b, r)
	}
	return b
}

func appendRow(b []byte, r *row) []byte {
	b = append(b, r.name...)
	b = appendLabels(b, r.labels)
	return appendValue(b, r.value)
}

func appendHeader(b []byte, name, help, kind string) []byte {
	b = append(append(b, "# HELP "...), name...)
	b = appendEscaped(append(b, ' '), help, false)
	b = append(append(b, "\n# TYPE "...), name...)
	b = append(append(b, ' '), kind...)
	return append(b, '\n')
}

func appendLabels(b []byte, labels []pair) []byte {
	for i, l := range labels {
		if i == 0 {
			b = append(b, '{')
		} else {
			b = append(b, ',')
		}
		b = appendLabelName(b, l.name)
		b = appendEscaped(append(b, `="`...), l.value, true)
		b = append(b, '"')
	}
	if len(labels) > 0 {
		b = append(b, '}')
	}
	return b
}

// appendLabelName quotes a name outside the old alphabet.
func appendLabelName(b []byte, name string) []byte {
	if model.LegacyValidation.IsValidLabelName(name) {
		return append(b, name...)
	}
	return append(appendEscaped(append(b, '"'), name, true), '"')
}

func appendEscaped(b []byte, s string, quotes bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
			b = append(b, `\\`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '"' && quotes:
			b = append(b, `\"`...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// appendValue ends a line with its value.
func appendValue(b []byte, v float64) []byte {
	b = appendFloat(append(b, ' '), v)
	return append(b, '\n')
}

func appendFloat(b []byte, v float64) []byte {
	switch {
	case v == 0: // negative zero too
		return append(b, '0')
	case math.IsInf(v, +1):
		return append(b, "+Inf"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}
