// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build !nohttp

package probes

import (
	"slices"

	"skywatch/internal/probe"
)

var (
	httpDuration = &probe.Desc{Name: "probe_http_duration_seconds", Labels: []string{"phase"},
		Help: "Duration of each phase of the requests, summed over all redirects, in seconds."}
	httpContentLength = &probe.Desc{Name: "probe_http_content_length", Help: "Content-Length of the final response; -1 when it gives none."}
	httpBodyLength    = &probe.Desc{Name: "probe_http_uncompressed_body_length", Help: "Bytes of the final body that were read, after decompression."}
	httpRedirects     = &probe.Desc{Name: "probe_http_redirects", Help: "Number of redirects."}
	httpSSL           = &probe.Desc{Name: "probe_http_ssl", Help: "Whether the final response came over TLS."}
	httpStatusCode    = &probe.Desc{Name: "probe_http_status_code", Help: "Status code of the final response; 0 without one."}
	httpVersion       = &probe.Desc{Name: "probe_http_version", Help: "HTTP version of the final response."}
	httpRegexFailed   = &probe.Desc{Name: "probe_failed_due_to_regex", Help: "Whether the probe failed because of a regular expression."}
	httpCELFailed     = &probe.Desc{Name: "probe_failed_due_to_cel", Help: "Whether the probe failed because of a CEL expression."}
	httpLastModified  = &probe.Desc{Name: "probe_http_last_modified_timestamp_seconds", Help: "The Last-Modified header of the final response, in unixtime."}

	// httpAlways are set in every probe, to zero where nothing else is known.
	httpAlways = []*probe.Desc{httpContentLength, httpBodyLength, httpRedirects, httpSSL, httpStatusCode, httpVersion, httpRegexFailed}

	httpDescs = slices.Concat(httpAlways, []*probe.Desc{httpDuration, httpCELFailed, httpLastModified, httpExtract, httpExtractInfo, httpOpenStackFailure, descTLSCipher}, dialDescs, tlsDescs)
)
