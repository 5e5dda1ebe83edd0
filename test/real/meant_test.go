// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package real

// What later versions of blackbox_exporter do, and Debian's 0.23 does not yet.
const (
	later      = "later versions of blackbox_exporter do the same"
	notRead    = "the body of a redirect that is not followed is read like any other, so that its length and patterns about it mean something"
	unverified = "without a verified chain there is no time at which it expires; --compat=exact gives the year 1 as blackbox_exporter does"
)

// meant are the differences between Debian's blackbox_exporter 0.23 and skywatch that are meant.
var meant = []acceptance{
	{metric: "probe_failure_info", what: "metric", detail: "added", reason: "ours: the one metric added, on failures only; it tells why"},
	{metric: "probe_timeout_seconds", what: "metric", detail: "added", reason: later},
	{metric: "probe_tls_cipher_info", what: "metric", detail: "added", reason: later},
	{metric: "probe_ssl_last_chain_info", what: "label", detail: "serialnumber added", reason: later},
	{compat: "fixed", metric: "probe_ssl_last_chain_expiry_timestamp_seconds", what: "metric", detail: "missing", reason: unverified},

	{request: "http stays *", metric: "probe_http_uncompressed_body_length", what: "value", reason: notRead},
	{request: "http endless redirects", metric: "probe_http_uncompressed_body_length", what: "value", reason: notRead},
	{request: "https in capitals", reason: later + ": the scheme is understood in any case"},

	{request: "tcp*", metric: "probe_failed_due_to_bytes", what: "metric", detail: "added", reason: later},
	{request: "tcp*", metric: "probe_failed_due_to_regex", what: "metric", detail: "missing", reason: later + ": no connection, no dialogue that could fail"},

	{request: "dns bad target", reason: "an address in brackets is that address, with or without a port; 0.23 looks it up as a name"},

	{request: "grpc*", metric: "probe_ssl_earliest_cert_expiry", what: "metric", detail: "missing", reason: later + ": 0 without TLS is no time of expiry"},
	{compat: "fixed", request: "grpc without a section", reason: "a module without a section has the documented defaults, of which falling back to IPv4 is one; --compat=exact has none"},
}
