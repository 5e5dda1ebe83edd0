// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"bufio"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"skywatch/internal/probe"
)

// NewMeasuredHandler makes the /metrics/checks handler: the samples of the last result of every scheduled check, with the name of the
// check as a label, and with that of the target where it has many. They are those that /probe answers with.
func NewMeasuredHandler(c *Checks, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := stream(w, r.Header, c.writeMeasured); err != nil {
			log.Debug("metrics of checks not sent", "err", err) // the client went away
		}
	})
}

// writeMeasured writes one family after the other: modules may give the same name to metrics with other labels, or another help, of which
// the first one is taken.
func (c *Checks) writeMeasured(w *bufio.Writer, n *negotiated) error {
	all := c.sources()
	helps, plain := survey(all)
	text, encoder := n.text && (n.any || plain), expfmt.NewEncoder(w, n.format)
	for _, name := range slices.Sorted(maps.Keys(helps)) {
		groups := groupsOf(all, name)
		var err error
		if text {
			err = writeGroups(w, name, helps[name], groups)
		} else {
			err = encodeGroups(encoder, name, helps[name], groups)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// survey gives the families with their help, and tells whether all names of labels are of the old alphabet.
func survey(all []source) (helps map[string]string, plain bool) {
	helps, plain = make(map[string]string), true
	seen := make(map[*probe.Desc]bool)
	for i := range all {
		for _, r := range all[i].readings {
			if seen[r.desc] {
				continue
			}
			seen[r.desc] = true
			if _, known := helps[r.desc.Name]; !known {
				helps[r.desc.Name] = r.desc.Help
			}
			for _, label := range r.desc.Labels {
				plain = plain && model.LegacyValidation.IsValidLabelName(label)
			}
		}
	}
	return helps, plain
}

// groupsOf takes the rows of a name from all sources, check by check. A group is there until the next one only.
func groupsOf(all []source, name string) iter.Seq[[]row] {
	return func(yield func([]row) bool) {
		var t table
		for i := 0; i < len(all); {
			t.reset()
			for check := all[i].check; i < len(all) && all[i].check == check; i++ {
				all[i].take(name, &t)
			}
			t.sort()
			if !yield(t.rows) {
				return
			}
		}
	}
}

func writeGroups(w *bufio.Writer, name, help string, groups iter.Seq[[]row]) error {
	b := appendHeader(nil, name, help, "gauge")
	for rows := range groups {
		for i := range rows {
			b = appendRow(b, &rows[i])
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	return nil
}

func encodeGroups(encoder expfmt.Encoder, name, help string, groups iter.Seq[[]row]) error {
	family := gaugeFamily(name, help)
	for rows := range groups {
		for i := range rows {
			family.Metric = append(family.Metric, rows[i].metric())
		}
	}
	return encoder.Encode(family)
}
