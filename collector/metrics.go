// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"bufio"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
)

// NewMetricsHandler makes the /metrics handler: what the gatherer has, and the series of the checks, which must not be registered
// there too. A registry would hold every series of a scrape at once; here checks are written one by one (text) or family by family.
func NewMetricsHandler(g prometheus.Gatherer, c *Checks, log *slog.Logger) http.Handler {
	return &metricsHandler{gatherer: g, checks: c, log: log}
}

type metricsHandler struct {
	gatherer prometheus.Gatherer
	checks   *Checks
	log      *slog.Logger
}

func (h *metricsHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	gathered, err := h.gatherer.Gather()
	if err != nil {
		h.log.Error("metrics are incomplete", "err", err)
	}
	if err := stream(w, r.Header, func(out *bufio.Writer, n *negotiated) error { return h.checks.write(out, n, gathered) }); err != nil {
		h.log.Debug("metrics not sent", "err", err) // the client went away
	}
}

// stream answers with an exposition that is written bit by bit, in the format and packing that the client asked for. An error is that of
// write, or tells that the client went away.
func stream(w http.ResponseWriter, request http.Header, write func(*bufio.Writer, *negotiated) error) error {
	n := newNegotiated(request)
	w.Header().Set("Content-Type", string(n.format))
	out := io.Writer(w)
	if acceptsGzip(request.Get("Accept-Encoding")) {
		w.Header()["Content-Encoding"] = gzipEncoding
		packer, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // fails for unknown levels only
		defer packer.Close()
		out = packer
	}
	buffered := bufio.NewWriterSize(out, 32<<10)
	if err := write(buffered, n); err != nil {
		return err
	}
	return buffered.Flush()
}

// write merges the checks' families into those gathered; both are in the order of names.
func (c *Checks) write(w *bufio.Writer, n *negotiated, gathered []*dto.MetricFamily) error {
	c.mu.Lock()
	text := n.text && (n.any || c.plain)
	c.mu.Unlock()
	all := c.list()
	encoder := expfmt.NewEncoder(w, n.format)
	for i := range families {
		for len(gathered) > 0 && gathered[0].GetName() < families[i].name {
			if err := encoder.Encode(gathered[0]); err != nil {
				return err
			}
			gathered = gathered[1:]
		}
		if err := c.writeFamily(w, encoder, &families[i], all, text); err != nil {
			return err
		}
	}
	for _, rest := range gathered {
		if err := encoder.Encode(rest); err != nil {
			return err
		}
	}
	return nil
}

func (c *Checks) writeFamily(w *bufio.Writer, encoder expfmt.Encoder, f *family, all []*series, text bool) error {
	if text {
		return c.writeText(w, f, all)
	}
	whole := &dto.MetricFamily{Name: proto.String(f.name), Help: proto.String(f.help), Type: f.kind.Enum()}
	for _, s := range all {
		v := new(view)
		c.load(v, s, f)
		f.each(v, func(one sample) {
			m := new(dto.Metric)
			metric{f, one}.Write(m) // never fails
			whole.Metric = append(whole.Metric, m)
		})
	}
	if len(whole.Metric) == 0 {
		return nil
	}
	return encoder.Encode(whole)
}

// writeText writes a family check by check; one without samples is left out whole.
func (c *Checks) writeText(w *bufio.Writer, f *family, all []*series) error {
	headed, v := false, new(view)
	var b []byte
	emit := func(s sample) {
		if !headed {
			headed = true
			b = appendHeader(b, f.name, f.help, kindNames[f.kind])
		}
		if s.histogram != nil {
			b = appendHistogram(b, f.name, s.labels, s.histogram)
			return
		}
		b = append(b, f.name...)
		b = appendLabels(b, s.labels)
		b = appendValue(b, s.value)
	}
	for _, s := range all {
		b = b[:0]
		c.load(v, s, f)
		f.each(v, emit)
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

var kindNames = map[dto.MetricType]string{
	dto.MetricType_COUNTER: "counter", dto.MetricType_GAUGE: "gauge", dto.MetricType_HISTOGRAM: "histogram",
}
