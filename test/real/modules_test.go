// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

//go:build real

package real

import "strings"

// modules is the file that both exporters read. CA stands for the file of the certificate authority, OTHER for one that has signed
// nothing here.
func (s *scene) modules() string {
	other := s.ca.File()
	return "modules:\n" + strings.NewReplacer("CA", s.caFile(), "OTHER", other).Replace(httpModules+tcpModules+dnsModules+otherModules)
}

const httpModules = `
  http_2xx: {prober: http, timeout: 5s}
  http: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}
  http_impatient: {prober: http, timeout: 1500ms, http: {preferred_ip_protocol: ip4}}
  http_ip6_only: {prober: http, timeout: 5s, http: {ip_protocol_fallback: false}}
  http_ip4_only: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, ip_protocol_fallback: false}}
  http_host: {prober: http, timeout: 5s, http: {headers: {Host: a.skywatch.test}}}
  http_headers: {prober: http, timeout: 5s, http: {headers: {X-One: "1", Accept-Language: en, User-Agent: me}}}
  http_bad_header: {prober: http, timeout: 5s, http: {headers: {"X One": "1"}}}
  http_404: {prober: http, timeout: 5s, http: {valid_status_codes: [404, 503]}}
  http_stay: {prober: http, timeout: 5s, http: {follow_redirects: false}}
  http_stay_302: {prober: http, timeout: 5s, http: {follow_redirects: false, valid_status_codes: [302]}}
  http_no_follow: {prober: http, timeout: 5s, http: {no_follow_redirects: true, valid_status_codes: [302]}}
  http_post: {prober: http, timeout: 5s, http: {method: POST, body: "x=1", headers: {Content-Type: application/x-www-form-urlencoded}}}
  http_head: {prober: http, timeout: 5s, http: {method: HEAD}}
  http_bad_method: {prober: http, timeout: 5s, http: {method: "G T"}}
  http_has: {prober: http, timeout: 5s, http: {fail_if_body_not_matches_regexp: ["systems (are )?fine"]}}
  http_has_not: {prober: http, timeout: 5s, http: {fail_if_body_matches_regexp: [nothing, fine]}}
  http_has_both: {prober: http, timeout: 5s, http: {fail_if_body_not_matches_regexp: [fine, "no such text"]}}
  http_header: {prober: http, timeout: 5s, http: {fail_if_header_not_matches: [{header: Server, regexp: nginx}]}}
  http_header_not: {prober: http, timeout: 5s, http: {fail_if_header_matches: [{header: server, regexp: nginx}]}}
  http_header_missing: {prober: http, timeout: 5s, http: {fail_if_header_not_matches: [{header: X-None, regexp: x}]}}
  http_header_missing_too: {prober: http, timeout: 5s, http: {fail_if_header_matches: [{header: X-None, regexp: x}]}}
  http_header_allowed: {prober: http, timeout: 5s, http: {fail_if_header_matches: [{header: X-None, regexp: x, allow_missing: true}]}}
  http_gzip: {prober: http, timeout: 5s, http: {compression: gzip, headers: {Accept-Encoding: gzip}}}
  http_gzip_has: {prober: http, timeout: 5s, http: {compression: gzip, headers: {Accept-Encoding: gzip}, fail_if_body_not_matches_regexp: ["line 400"]}}
  http_small: {prober: http, timeout: 5s, http: {body_size_limit: 1KB}}
  http_small_has: {prober: http, timeout: 5s, http: {body_size_limit: 1KB, fail_if_body_matches_regexp: [fine]}}
  http_login: {prober: http, timeout: 5s, http: {basic_auth: {username: watch, password: Watch-pw1}}}
  http_bad_login: {prober: http, timeout: 5s, http: {basic_auth: {username: watch, password: wrong}}}
  http_no_password_file: {prober: http, timeout: 5s, http: {basic_auth: {username: watch, password_file: nosuch}}}
  http_10: {prober: http, timeout: 5s, http: {valid_http_versions: ["HTTP/1.0"]}}
  http_11: {prober: http, timeout: 5s, http: {valid_http_versions: ["HTTP/1.1"]}}
  http_not_ssl: {prober: http, timeout: 5s, http: {fail_if_ssl: true, tls_config: {ca_file: CA}}}
  http_ssl: {prober: http, timeout: 5s, http: {fail_if_not_ssl: true, tls_config: {ca_file: CA}}}
  https: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: CA}}}
  https_1: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, enable_http2: false, tls_config: {ca_file: CA}}}
  https_2: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, valid_http_versions: ["HTTP/2.0"], tls_config: {ca_file: CA}}}
  https_1_only: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, valid_http_versions: ["HTTP/1.1"], tls_config: {ca_file: CA}}}
  https_name: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: CA, server_name: a.skywatch.test}}}
  https_expired: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: CA, server_name: expired.skywatch.test}}}
  https_other: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: CA, server_name: other.skywatch.test}}}
  https_self: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: CA, server_name: self.skywatch.test}}}
  https_stranger: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: OTHER}}}
  https_no_ca: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, tls_config: {ca_file: nosuch.pem}}}
  https_any: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4, tls_config: {insecure_skip_verify: true}}}
`

const tcpModules = `
  tcp: {prober: tcp, timeout: 5s}
  tcp_impatient: {prober: tcp, timeout: 1500ms}
  tcp_ip6_only: {prober: tcp, timeout: 5s, tcp: {ip_protocol_fallback: false}}
  tcp_source: {prober: tcp, timeout: 5s, tcp: {source_ip_address: 127.0.0.2}}
  tcp_foreign_source: {prober: tcp, timeout: 5s, tcp: {source_ip_address: 192.0.2.1}}
  tcp_banner: {prober: tcp, timeout: 2s, tcp: {query_response: [{expect: "^SSH-2.0-"}, {send: "SSH-2.0-probe"}]}}
  tcp_expand: {prober: tcp, timeout: 2s, tcp: {query_response: [{expect: "^hello (?P<who>[a-z]+) ([0-9]+)", send: "you are $who ${2}"}, {expect: "^yes$"}]}}
  tcp_starttls: {prober: tcp, timeout: 5s, tcp: {query_response: [{expect: "^220"}, {send: STARTTLS}, {expect: "^220"}, {starttls: true}, {expect: "^250"}], tls_config: {ca_file: OTHER, server_name: localhost}}}
  tcp_tls: {prober: tcp, timeout: 5s, tcp: {tls: true, tls_config: {ca_file: CA}}}
  tcp_tls_impatient: {prober: tcp, timeout: 1500ms, tcp: {tls: true, tls_config: {ca_file: CA}}}
  tcp_tls_http: {prober: tcp, timeout: 5s, tcp: {tls: true, tls_config: {ca_file: CA}, query_response: [{send: "GET / HTTP/1.0\r\n\r\n"}, {expect: "^HTTP/1.. 200"}]}}
  tcp_tls_any: {prober: tcp, timeout: 5s, tcp: {tls: true, tls_config: {insecure_skip_verify: true}}}
  tcp_tls_stranger: {prober: tcp, timeout: 5s, tcp: {tls: true, tls_config: {ca_file: OTHER}}}
  tcp_tls_expired: {prober: tcp, timeout: 5s, tcp: {tls: true, tls_config: {ca_file: CA, server_name: expired.skywatch.test}}}
  tcp_tls_other: {prober: tcp, timeout: 5s, tcp: {tls: true, tls_config: {ca_file: CA, server_name: other.skywatch.test}}}
  tcp_tls_no_ca: {prober: tcp, timeout: 5s, tcp: {tls: true, tls_config: {ca_file: nosuch.pem}}}
`

const dnsModules = `
  dns_a: {prober: dns, timeout: 5s, dns: {query_name: a.skywatch.test, query_type: A}}
  dns_two: {prober: dns, timeout: 5s, dns: {query_name: two.skywatch.test, query_type: A, recursion_desired: false}}
  dns_aaaa: {prober: dns, timeout: 5s, dns: {query_name: a.skywatch.test, query_type: AAAA, preferred_ip_protocol: ip4}}
  dns_mx: {prober: dns, timeout: 5s, dns: {query_name: skywatch.test, query_type: MX}}
  dns_soa: {prober: dns, timeout: 5s, dns: {query_name: skywatch.test, query_type: SOA}}
  dns_soa_none: {prober: dns, timeout: 5s, dns: {query_name: a.skywatch.test, query_type: SOA}}
  dns_nxdomain: {prober: dns, timeout: 5s, dns: {query_name: nosuch.skywatch.test, query_type: A}}
  dns_nxdomain_ok: {prober: dns, timeout: 5s, dns: {query_name: nosuch.skywatch.test, query_type: A, valid_rcodes: [NXDOMAIN]}}
  dns_refused: {prober: dns, timeout: 5s, dns: {query_name: example.org, query_type: A}}
  dns_servfail: {prober: dns, timeout: 5s, dns: {query_name: x.servfail.test, query_type: A}}
  dns_dropped: {prober: dns, timeout: 1500ms, dns: {query_name: x.drop.test, query_type: A}}
  dns_tcp: {prober: dns, timeout: 5s, dns: {query_name: a.skywatch.test, query_type: A, transport_protocol: tcp}}
  dns_tcp_impatient: {prober: dns, timeout: 1500ms, dns: {query_name: a.skywatch.test, query_type: A, transport_protocol: tcp}}
  dns_tls: {prober: dns, timeout: 5s, dns: {query_name: a.skywatch.test, query_type: A, transport_protocol: tcp, dns_over_tls: true, tls_config: {ca_file: CA}}}
  dns_tls_stranger: {prober: dns, timeout: 5s, dns: {query_name: a.skywatch.test, query_type: A, transport_protocol: tcp, dns_over_tls: true, tls_config: {ca_file: OTHER}}}
  dns_any_match: {prober: dns, timeout: 5s, dns: {query_name: a.skywatch.test, query_type: A, validate_answer_rrs: {fail_if_matches_regexp: [".*127.0.0.1"]}}}
  dns_any_match_not: {prober: dns, timeout: 5s, dns: {query_name: a.skywatch.test, query_type: A, validate_answer_rrs: {fail_if_matches_regexp: [".*127.0.0.9"]}}}
  dns_all_match: {prober: dns, timeout: 5s, dns: {query_name: two.skywatch.test, query_type: A, validate_answer_rrs: {fail_if_all_match_regexp: [".*127.0.0.1"]}}}
  dns_all_match_all: {prober: dns, timeout: 5s, dns: {query_name: two.skywatch.test, query_type: A, validate_answer_rrs: {fail_if_all_match_regexp: [".*127.0.0."]}}}
  dns_not_match: {prober: dns, timeout: 5s, dns: {query_name: two.skywatch.test, query_type: A, validate_answer_rrs: {fail_if_not_matches_regexp: [".*127.0.0.1"]}}}
  dns_none_match: {prober: dns, timeout: 5s, dns: {query_name: two.skywatch.test, query_type: A, validate_answer_rrs: {fail_if_none_matches_regexp: [".*127.0.0.2"]}}}
  dns_none_match_none: {prober: dns, timeout: 5s, dns: {query_name: nosuch.skywatch.test, query_type: A, valid_rcodes: [NXDOMAIN], validate_answer_rrs: {fail_if_none_matches_regexp: ["."]}}}
  dns_authority: {prober: dns, timeout: 5s, dns: {query_name: nosuch.skywatch.test, query_type: A, valid_rcodes: [NXDOMAIN], validate_authority_rrs: {fail_if_not_matches_regexp: ["SOA"]}}}
  dns_additional: {prober: dns, timeout: 5s, dns: {query_name: a.skywatch.test, query_type: A, validate_additional_rrs: {fail_if_not_matches_regexp: ["."]}}}
`

const otherModules = `
  icmp: {prober: icmp, timeout: 5s}
  icmp_ip4: {prober: icmp, timeout: 5s, icmp: {preferred_ip_protocol: ip4, payload_size: 100, ttl: 9}}
  icmp_whole: {prober: icmp, timeout: 5s, icmp: {preferred_ip_protocol: ip4, dont_fragment: true}}
  icmp_ip6_only: {prober: icmp, timeout: 5s, icmp: {ip_protocol_fallback: false}}
  icmp_foreign_source: {prober: icmp, timeout: 1500ms, icmp: {source_ip_address: 192.0.2.1}}
  grpc: {prober: grpc, timeout: 5s, grpc: {preferred_ip_protocol: ip4}}
  grpc_well: {prober: grpc, timeout: 5s, grpc: {preferred_ip_protocol: ip4, service: well}}
  grpc_sick: {prober: grpc, timeout: 5s, grpc: {preferred_ip_protocol: ip4, service: sick}}
  grpc_unknown: {prober: grpc, timeout: 5s, grpc: {preferred_ip_protocol: ip4, service: unknown}}
  grpc_tls: {prober: grpc, timeout: 5s, grpc: {preferred_ip_protocol: ip4, tls: true, tls_config: {ca_file: CA}}}
  grpc_no_ca: {prober: grpc, timeout: 5s, grpc: {preferred_ip_protocol: ip4, tls: true, tls_config: {ca_file: nosuch.pem}}}
  grpc_bare: {prober: grpc, timeout: 5s}
`
