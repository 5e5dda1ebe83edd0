// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"skywatch/internal/probe"
)

// page is what one answer is built in. It is pooled, so that an answer costs no garbage of its own.
type page struct {
	table  table
	text   []byte
	packed []byte
	packer packer
}

// negotiated is the outcome for one Accept header. A scraper always sends the same, so the last one is kept.
type negotiated struct {
	accept string
	format expfmt.Format
	text   bool // may be written straight as text
	any    bool // label names outside the old alphabet too
	header []string
}

func (h *handler) negotiate(header http.Header) *negotiated {
	accept := header.Get("Accept")
	if last := h.negotiated.Load(); last != nil && last.accept == accept {
		return last
	}
	n := newNegotiated(header)
	h.negotiated.Store(n)
	return n
}

func newNegotiated(header http.Header) *negotiated {
	format := expfmt.NegotiateAccept(header, expfmt.DefaultAcceptedFormats()...)
	return &negotiated{
		accept: header.Get("Accept"),
		format: format,
		text:   format.FormatType() == expfmt.TypeTextPlain,
		any:    format.ToEscapingScheme() == model.NoEscaping,
		header: []string{string(format)},
	}
}

// respond writes the exposition of a result in the format that the client asked for. OpenMetrics is not offered.
func (h *handler) respond(w http.ResponseWriter, request http.Header, r probe.Result) error {
	p := h.pages.Get().(*page)
	defer h.pages.Put(p)
	n := h.negotiate(request)
	p.table.fill(r)
	if n.text && (n.any || p.table.plain()) {
		p.text = p.table.appendText(p.text[:0])
	} else {
		body := bytes.NewBuffer(p.text[:0])
		if err := encode(body, n.format, p.table.families()); err != nil {
			return err
		}
		p.text = body.Bytes()
	}
	body := p.text
	header := w.Header()
	header["Content-Type"] = n.header
	if acceptsGzip(request.Get("Accept-Encoding")) {
		header["Content-Encoding"] = gzipEncoding
		p.packed = p.packer.pack(p.packed[:0], p.text)
		body = p.packed
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
	return nil
}

var gzipEncoding = []string{"gzip"}

// acceptsGzip tells whether an Accept-Encoding header names gzip with a quality above zero.
func acceptsGzip(header string) bool {
	for header != "" {
		var coding string
		coding, header, _ = strings.Cut(header, ",")
		name, weight, weighted := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		if !weighted {
			return true
		}
		_, weight, _ = strings.Cut(weight, "=")
		quality, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
		return err != nil || quality > 0
	}
	return false
}
