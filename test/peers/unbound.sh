#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# unbound.sh start DIR PORT DOT_PORT    Debian: unbound.  DNS over UDP+TCP on 127.0.0.1:PORT, DNS over TLS on DOT_PORT; no recursion to anywhere.
# Zone skywatch.test (static): A/AAAA/MX/TXT/CNAME/SRV/PTR below; anything else in it NXDOMAIN; any other name REFUSED; *.drop.test is
# never answered (time-out); *.servfail.test SERVFAIL.
# PKI: $SKYWATCH_PKI or DIR/pki.  Works as root and as any user.
. "${BASH_SOURCE[0]%/*}/lib.sh"
[ "${1-}" = start ] && [ $# = 4 ] || die "usage: start DIR PORT DOT_PORT"
PATH=$PATH:/usr/sbin; need unbound openssl
dir=$(abs_dir "$2"); tls=${SKYWATCH_PKI:-$dir/pki}; pki "$tls"
cat >"$dir/unbound.conf" <<CF
server:
  directory: "$dir"
  chroot: ""
  username: ""
  pidfile: "$dir/unbound.pid"
  use-syslog: no
  logfile: ""
  verbosity: 1
  do-daemonize: no
  num-threads: 1
  interface: 127.0.0.1@$3
  interface: 127.0.0.1@$4
  tls-port: $4
  tls-service-key: "$tls/srv.key"
  tls-service-pem: "$tls/srv.pem"
  do-not-query-localhost: yes
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  msg-cache-size: 1m
  rrset-cache-size: 1m
  local-zone: "." refuse
  local-zone: "skywatch.test." static
  local-data: "skywatch.test. 60 IN SOA ns.skywatch.test. ops.skywatch.test. 2026010101 3600 600 86400 60"
  local-data: "skywatch.test. 60 IN NS ns.skywatch.test."
  local-data: "skywatch.test. 60 IN MX 10 mail.skywatch.test."
  local-data: 'skywatch.test. 60 IN TXT "v=skywatch1"'
  local-data: "ns.skywatch.test. 60 IN A 127.0.0.1"
  local-data: "mail.skywatch.test. 60 IN A 127.0.0.1"
  local-data: "a.skywatch.test. 60 IN A 127.0.0.1"
  local-data: "a.skywatch.test. 60 IN AAAA ::1"
  local-data: "two.skywatch.test. 60 IN A 127.0.0.1"
  local-data: "two.skywatch.test. 60 IN A 127.0.0.2"
  local-data: "www.skywatch.test. 60 IN CNAME a.skywatch.test."
  local-data: "_imap._tcp.skywatch.test. 60 IN SRV 0 0 143 mail.skywatch.test."
  local-zone: "1.0.0.127.in-addr.arpa." static
  local-data: "1.0.0.127.in-addr.arpa. 60 IN PTR a.skywatch.test."
  local-zone: "drop.test." deny
  local-zone: "servfail.test." transparent
forward-zone:
  name: "servfail.test."
  forward-addr: 127.0.0.1@9
remote-control:
  control-enable: no
CF
exec unbound -d -c "$dir/unbound.conf"
