// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"skywatch/internal/record"
)

// classicBounds are the exponents of the classic buckets' bounds: from 2^-10 (1 ms) to 2^6 (64 s) by a factor of 4.
var classicBounds = [...]int{-10, -8, -6, -4, -2, 0, 2, 4, 6}

// metric is a sample on its way through a registry.
type metric struct {
	family *family
	sample sample
}

// Desc names the family.
func (m metric) Desc() *prometheus.Desc { return m.family.desc }

// Write fills in the protobuf form.
func (m metric) Write(out *dto.Metric) error {
	out.Label = labelPairs(m.sample.labels)
	switch m.family.kind {
	case dto.MetricType_COUNTER:
		out.Counter = &dto.Counter{Value: &m.sample.value}
	case dto.MetricType_HISTOGRAM:
		out.Histogram = histogram(m.sample.histogram)
	default:
		out.Gauge = &dto.Gauge{Value: &m.sample.value}
	}
	return nil
}

// histogram gives both forms of a histogram at once, as Prometheus wants them.
func histogram(h *record.Histogram) *dto.Histogram {
	out := &dto.Histogram{
		SampleCount:   proto.Uint64(h.Count()),
		SampleSum:     proto.Float64(h.Sum),
		Schema:        proto.Int32(record.HistogramSchema),
		ZeroThreshold: proto.Float64(record.HistogramZero),
		ZeroCount:     proto.Uint64(h.Zero),
		Bucket:        make([]*dto.Bucket, len(classicBounds)),
	}
	for i, exponent := range classicBounds {
		out.Bucket[i] = &dto.Bucket{UpperBound: proto.Float64(math.Exp2(float64(exponent))), CumulativeCount: proto.Uint64(h.AtMost(exponent))}
	}
	next, last := int32(0), int64(0)
	for i, b := range h.Buckets {
		if i == 0 || b.Index != next {
			out.PositiveSpan = append(out.PositiveSpan, &dto.BucketSpan{Offset: proto.Int32(b.Index - next), Length: proto.Uint32(0)})
		}
		*out.PositiveSpan[len(out.PositiveSpan)-1].Length++
		out.PositiveDelta = append(out.PositiveDelta, int64(b.Count)-last)
		next, last = b.Index+1, int64(b.Count)
	}
	return out
}

// appendHistogram appends the lines of the classic form, the only one that text has.
func appendHistogram(b []byte, name string, labels []pair, h *record.Histogram) []byte {
	count := h.Count()
	bucket := func(bound float64, n uint64) {
		b = append(append(b, name...), "_bucket"...)
		b = appendLabels(b, labels)
		b = append(b[:len(b)-1], `,le="`...)
		b = append(appendFloat(b, bound), `"}`...)
		b = appendValue(b, float64(n))
	}
	for _, exponent := range classicBounds {
		bucket(math.Exp2(float64(exponent)), h.AtMost(exponent))
	}
	bucket(math.Inf(+1), count)
	b = appendLabels(append(append(b, name...), "_sum"...), labels)
	b = appendValue(b, h.Sum)
	b = appendLabels(append(append(b, name...), "_count"...), labels)
	return appendValue(b, float64(count))
}
