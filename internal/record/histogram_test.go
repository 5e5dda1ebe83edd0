// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package record

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawHistogram(t *rapid.T, name string) (Histogram, []float64) {
	values := rapid.SliceOfN(rapid.Float64Range(0, 1e6), 0, 60).Draw(t, name)
	var h Histogram
	for _, v := range values {
		h.Observe(v)
	}
	return h, values
}

func TestHistogramPutsEachValueInItsBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(1e-9, 1e9).Draw(t, "value")
		var h Histogram
		h.Observe(v)
		if v <= HistogramZero {
			if h.Zero != 1 || h.Buckets != nil {
				t.Fatalf("%g: got %+v, want the zero bucket", v, h)
			}
			return
		}
		upper := math.Exp2(float64(h.Buckets[0].Index) / 4)
		lower := math.Exp2(float64(h.Buckets[0].Index-1) / 4)
		if v > upper || v <= lower {
			t.Fatalf("%g counted in (%g, %g]", v, lower, upper)
		}
	})
}

func TestHistogramClassicBoundsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, values := drawHistogram(t, "values")
		for exponent := -10; exponent <= 6; exponent += 2 {
			want := uint64(0)
			for _, v := range values {
				if v <= math.Exp2(float64(exponent)) {
					want++
				}
			}
			if got := h.AtMost(exponent); got != want {
				t.Fatalf("at most 2^%d: %d values, want %d", exponent, got, want)
			}
		}
		if got := h.Count(); got != uint64(len(values)) {
			t.Fatalf("%d values, want %d", got, len(values))
		}
	})
}

func TestHistogramSurvivesStorage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, _ := drawHistogram(t, "values")
		stored := append(want.AppendBinary(nil), "next"...)
		got, rest, err := ReadHistogram(stored)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if string(rest) != "next" {
			t.Fatalf("rest %q, want %q", rest, "next")
		}
	})
}

func TestHistogramMergeIsLikeObservingAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, first := drawHistogram(t, "first")
		b, second := drawHistogram(t, "second")
		var want Histogram
		for _, v := range append(first, second...) {
			want.Observe(v)
		}
		a.Merge(b)
		if math.Abs(a.Sum-want.Sum) > 1e-6*want.Sum {
			t.Fatalf("sum %g, want %g", a.Sum, want.Sum)
		}
		a.Sum = want.Sum
		if diff := cmp.Diff(want, a); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzReadHistogram(f *testing.F) {
	var h Histogram
	h.Observe(0.25)
	h.Observe(3)
	f.Add(h.AppendBinary(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, _, err := ReadHistogram(b); err == nil && len(h.Buckets) > maxBuckets {
			t.Fatalf("%d buckets read, want at most %d", len(h.Buckets), maxBuckets)
		}
	})
}
