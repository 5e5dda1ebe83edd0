// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package record

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// HistogramSchema is the resolution of Histogram in the terms of Prometheus native histograms: bucket bounds grow by 2^(2^-schema).
const HistogramSchema = 2

// HistogramZero is the width of the zero bucket: what is shorter is counted there.
const HistogramZero = 1.0 / (1 << 20)

// Bucket is a bucket of a Histogram: values in (2^((Index-1)/4), 2^(Index/4)].
type Bucket struct {
	Index int32
	Count uint64
}

// Histogram is a sparse histogram with logarithmic buckets; it gives the native and the classic form without loss between them.
// The zero value is empty. It is not safe for concurrent use.
type Histogram struct {
	Zero    uint64   // values at most 2^-20
	Buckets []Bucket // by index, empty ones left out
	Sum     float64
}

// Observe counts a value.
func (h *Histogram) Observe(v float64) {
	h.Sum += v
	if v <= HistogramZero {
		h.Zero++
		return
	}
	index := bucketIndex(v)
	i, found := slices.BinarySearchFunc(h.Buckets, index, func(b Bucket, want int32) int { return int(b.Index) - int(want) })
	if found {
		h.Buckets[i].Count++
		return
	}
	h.Buckets = slices.Insert(h.Buckets, i, Bucket{index, 1})
}

// bucketIndex finds the smallest index whose upper bound 2^(index/4) is not below v.
func bucketIndex(v float64) int32 {
	const perOctave = 1 << HistogramSchema
	index := int32(math.Ceil(math.Log2(v) * perOctave))
	for math.Exp2(float64(index-1)/perOctave) >= v {
		index--
	}
	for math.Exp2(float64(index)/perOctave) < v {
		index++
	}
	return index
}

// Count is the number of values.
func (h *Histogram) Count() uint64 {
	n := h.Zero
	for _, b := range h.Buckets {
		n += b.Count
	}
	return n
}

// AtMost counts the values up to 2^exponent, exactly: the bounds of the classic form.
func (h *Histogram) AtMost(exponent int) uint64 {
	n := h.Zero
	for _, b := range h.Buckets {
		if int(b.Index) > exponent<<HistogramSchema {
			break
		}
		n += b.Count
	}
	return n
}

// Merge adds another histogram.
func (h *Histogram) Merge(other Histogram) {
	h.Zero += other.Zero
	h.Sum += other.Sum
	for _, b := range other.Buckets {
		i, found := slices.BinarySearchFunc(h.Buckets, b.Index, func(b Bucket, want int32) int { return int(b.Index) - int(want) })
		if found {
			h.Buckets[i].Count += b.Count
		} else {
			h.Buckets = slices.Insert(h.Buckets, i, b)
		}
	}
}

// AppendBinary appends a compact form for storage: sum, zero count, then index steps and counts as varints.
func (h *Histogram) AppendBinary(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(h.Sum))
	b = binary.AppendUvarint(b, h.Zero)
	b = binary.AppendUvarint(b, uint64(len(h.Buckets)))
	last := int32(0)
	for _, bucket := range h.Buckets {
		b = binary.AppendVarint(b, int64(bucket.Index-last))
		b = binary.AppendUvarint(b, bucket.Count)
		last = bucket.Index
	}
	return b
}

var errHistogram = errors.New("reading a histogram: damaged, want sum, zero count and buckets")

// maxBuckets bounds what is read back: every float64 from 2^-20 up falls in one of these.
const maxBuckets = (1024 + 20) << HistogramSchema

// ReadHistogram reads what AppendBinary wrote, and gives what follows it.
func ReadHistogram(b []byte) (h Histogram, rest []byte, err error) {
	if len(b) < 8 {
		return Histogram{}, nil, errHistogram
	}
	h.Sum = math.Float64frombits(binary.LittleEndian.Uint64(b))
	b = b[8:]
	next := func() (v uint64) {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			err = errHistogram
			return 0
		}
		b = b[n:]
		return v
	}
	h.Zero = next()
	n := next()
	if err != nil || n > maxBuckets {
		return Histogram{}, nil, errHistogram
	}
	last := int64(0)
	for range n {
		step, read := binary.Varint(b)
		if read <= 0 {
			return Histogram{}, nil, errHistogram
		}
		b = b[read:]
		last += step
		h.Buckets = append(h.Buckets, Bucket{int32(last), next()})
	}
	if err != nil {
		return Histogram{}, nil, err
	}
	return h, b, nil
}
