// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/andybalholm/brotli"

	"skywatch/internal/probe"
)

// The bounds of a response. A body is read to its end, so that a truncated one is noticed, but never kept unless it is matched.
const (
	httpHeaderBytes   = 1 << 20  // of the response's header
	httpBufferBytes   = 1 << 10  // of each way of a connection, which serves one request: most headers fit, and a body is read past it
	httpWireBytes     = 4 << 30  // received on one connection
	httpBodyBytes     = 4 << 30  // of a body after decompression
	httpMatchBytes    = 16 << 20 // of a body that regular expressions look at, since it is held in memory
	httpEvidenceBytes = 4 << 10  // of a body kept for an error, masked and cut there
)

// httpBody reads a response's body: it decompresses, counts, bounds, and keeps the first bytes as evidence.
type httpBody struct {
	wire   *wireReader
	source io.Reader // nil = nothing can be read
	limit  int64     // body_size_limit; 0 = none
	size   int64     // read so far, after decompression
	start  []byte
	err    error // that ended the reading; nil at a regular end
}

// newHTTPBody unpacks as the module says; what the response says is not asked. An unknown compression is reported when the body was
// to be read, and leaves it as it is, so that its length still shows.
func newHTTPBody(wire io.Reader, compression string, limit int64) (*httpBody, error) {
	noting := &wireReader{Reader: wire}
	source, err := decompress(noting, compression)
	return &httpBody{wire: noting, source: source, limit: limit}, err
}

// wireReader notes why the transfer ended, since decompressors may hide that.
type wireReader struct {
	io.Reader
	err error
}

func (w *wireReader) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

func decompress(wire *wireReader, compression string) (io.Reader, error) {
	switch strings.ToLower(compression) {
	case "", "identity":
		return wire, nil
	case "gzip":
		unpacked, err := gzip.NewReader(wire)
		if err != nil && bodyReason(wire.err) == probe.ReasonTimeout {
			return nil, probe.Failf(probe.ReasonTimeout, "reading the body: no end of it in time after 0 bytes, want all of it")
		}
		if err != nil {
			return nil, probe.Failf(probe.ReasonProtocol, "reading the body: %s, want gzip as compression says", strings.TrimPrefix(err.Error(), "gzip: "))
		}
		return unpacked, nil
	case "br":
		return brotli.NewReader(wire), nil
	case "deflate":
		return flate.NewReader(wire), nil
	}
	return wire, probe.Failf(probe.ReasonConfig, "reading the body: compression %q is not known, want gzip, br, deflate or identity", compression)
}

// Read gives the unpacked body, and fails at the first byte beyond a bound.
func (b *httpBody) Read(p []byte) (int, error) {
	if b.source == nil {
		return 0, io.EOF
	}
	room := int64(httpBodyBytes)
	if b.limit > 0 {
		room = b.limit
	}
	room -= b.size
	if int64(len(p)) > room+1 {
		p = p[:room+1]
	}
	n, err := b.source.Read(p)
	if int64(n) > room {
		n, err = int(room), b.tooLarge()
	}
	if missing := httpEvidenceBytes - len(b.start); missing > 0 {
		b.start = append(b.start, p[:min(n, missing)]...)
	}
	b.size += int64(n)
	if err != nil && err != io.EOF {
		b.err = b.broken(err)
		return n, b.err
	}
	return n, err
}

// broken says how far the body came.
func (b *httpBody) broken(err error) error {
	var typed *probe.Error
	if errors.As(err, &typed) {
		return err
	}
	if b.wire.err != nil {
		err = b.wire.err
	}
	reason := bodyReason(err)
	if reason == probe.ReasonTimeout {
		return probe.Failf(reason, "reading the body: no end of it in time after %d bytes, want all of it", b.size)
	}
	return probe.Failf(reason, "reading the body: %w after %d bytes, want all of it", err, b.size)
}

func (b *httpBody) tooLarge() error {
	if b.limit > 0 {
		return probe.Failf(probe.ReasonResponse, "reading the body: it is longer than %s, want at most body_size_limit", probe.Bytes(b.limit))
	}
	return probe.Failf(probe.ReasonResponse, "reading the body: it is longer than %s, want less", probe.Bytes(httpBodyBytes))
}

// all gives the whole body for matching.
func (b *httpBody) all() ([]byte, error) {
	var text bytes.Buffer
	_, err := text.ReadFrom(io.LimitReader(b, httpMatchBytes+1))
	if err == nil && text.Len() > httpMatchBytes {
		err = probe.Failf(probe.ReasonResponse, "reading the body: it is longer than %s, want less to match it",
			probe.Bytes(httpMatchBytes))
	}
	return text.Bytes(), err
}

// drain reads what is left.
func (b *httpBody) drain() error {
	_, err := io.Copy(io.Discard, b)
	return err
}

// evidence is the beginning of a readable body, ready to follow an error's text; "" when there is nothing worth to show.
func (b *httpBody) evidence(r *probe.Recorder) string {
	text := b.start
	for cut := 0; cut < utf8.UTFMax && !utf8.Valid(text) && len(text) > 0; cut++ {
		text = text[:len(text)-1]
	}
	if len(text) == 0 || !utf8.Valid(text) {
		return ""
	}
	return "; the body begins " + r.Evidence(string(text))
}

// bodyReason tells a broken transfer from a slow one.
func bodyReason(err error) probe.Reason {
	if reason := probe.ReasonOf(err); reason != probe.ReasonInternal {
		return reason
	}
	return probe.ReasonProtocol
}
