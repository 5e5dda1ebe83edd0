// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"io"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"

	"skywatch/internal/probe"
)

// Families gives what AppendText writes as metric families: the way to every other format and escaping.
func Families(r probe.Result) []*dto.MetricFamily {
	var t table
	t.fill(r)
	return t.families()
}

func (t *table) families() (all []*dto.MetricFamily) {
	for i := range t.rows {
		r := &t.rows[i]
		if i == 0 || r.name != t.rows[i-1].name {
			all = append(all, gaugeFamily(r.name, r.help))
		}
		last := all[len(all)-1]
		last.Metric = append(last.Metric, r.metric())
	}
	return all
}

func gaugeFamily(name, help string) *dto.MetricFamily {
	return &dto.MetricFamily{Name: proto.String(name), Help: proto.String(help), Type: dto.MetricType_GAUGE.Enum()}
}

func (r *row) metric() *dto.Metric {
	return &dto.Metric{Label: labelPairs(r.labels), Gauge: &dto.Gauge{Value: proto.Float64(r.value)}}
}

func labelPairs(labels []pair) []*dto.LabelPair {
	pairs := make([]*dto.LabelPair, len(labels))
	for i, l := range labels {
		pairs[i] = &dto.LabelPair{Name: proto.String(l.name), Value: proto.String(l.value)}
	}
	return pairs
}

func encode(w io.Writer, format expfmt.Format, families []*dto.MetricFamily) error {
	encoder := expfmt.NewEncoder(w, format)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return err
		}
	}
	return nil
}
