// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

const textType = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"

func TestContentTypes(t *testing.T) {
	const proto = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
	for _, test := range []struct{ accept, want string }{
		{"", textType},
		{"*/*", textType},
		{"application/openmetrics-text; version=1.0.0", textType},
		{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2", "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8"},
		{"text/plain;version=0.0.4;escaping=dots", "text/plain; version=0.0.4; charset=utf-8; escaping=dots"},
		{proto, proto + "; escaping=underscores"},
	} {
		w := get(t, NewHandler(testOptions()), "/probe?target=x", "Accept", test.accept)
		if got := w.Header().Get("Content-Type"); got != test.want {
			t.Errorf("accept %q: content type %q, want %q", test.accept, got, test.want)
		}
		families := decode(t, w.Body, expfmt.Format(test.want))
		if got := families["probe_success"].GetMetric(); len(got) != 1 || got[0].GetGauge().GetValue() != 1 {
			t.Errorf("accept %q: probe_success is %v, want 1", test.accept, got)
		}
	}
}

func decode(t *testing.T, body io.Reader, format expfmt.Format) map[string]*dto.MetricFamily {
	t.Helper()
	decoder := expfmt.NewDecoder(body, format)
	families := make(map[string]*dto.MetricFamily)
	for {
		family := new(dto.MetricFamily)
		if err := decoder.Decode(family); err == io.EOF {
			return families
		} else if err != nil {
			t.Fatal(err)
		}
		families[family.GetName()] = family
	}
}

// TestAnswersDoNotMix asks for different formats through one handler, whose memory they share.
func TestAnswersDoNotMix(t *testing.T) {
	h := NewHandler(testOptions())
	for i := range 20 {
		w := get(t, h, "/probe?target=x&module="+[]string{"short", "refuse"}[i%2], "Accept", []string{"", "text/plain;version=0.0.4;escaping=dots"}[i/2%2])
		if got := strings.Count(w.Body.String(), "TYPE"); got != []int{6, 4}[i%2] {
			t.Errorf("answer %d has %d families:\n%s", i, got, w.Body)
		}
		if got := w.Header().Get("Content-Length"); got != strconv.Itoa(w.Body.Len()) {
			t.Errorf("content length %s, want %d", got, w.Body.Len())
		}
	}
}

func TestGzip(t *testing.T) {
	h := NewHandler(testOptions())
	for range 3 { // the writer is used again
		w := get(t, h, "/probe?target=x", "Accept-Encoding", "deflate, gzip;q=0.5")
		if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Content-Type") != textType {
			t.Fatalf("headers %v", w.Header())
		}
		unpacked, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unpacked)
		if err != nil || !bytes.Contains(text, []byte("\nprobe_success 1\n")) {
			t.Fatalf("%v\n%s", err, text)
		}
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "zstd": false, "gzip;q=0": false, "gzip; q=0.000": false, "br, gzip ; q=0.1": true, "xgzip": false, "gzip;q=x": true,
	} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("acceptsGzip(%q) = %v", header, got)
		}
	}
}

func TestHeadRunsTheProbe(t *testing.T) {
	server := httptest.NewServer(NewHandler(testOptions()))
	defer server.Close()
	answer, err := http.Head(server.URL + "/probe?target=x")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.ContentLength <= 0 {
		t.Errorf("got %d, %d bytes", answer.StatusCode, answer.ContentLength)
	}
}
