# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# Shared by the NAME.sh scripts: source it, never run it.  Needs bash and openssl.
set -euo pipefail
umask 022
die() { echo "${0##*/}: $*" >&2; exit 2; }
need() { local c; for c; do command -v "$c" >/dev/null || die "missing command: $c"; done; }
# abs_dir DIR -> absolute path, created, reachable by the daemons' own users (every parent needs o+x)
abs_dir() { mkdir -p "$1"; chmod 755 "$1"; (cd "$1" && pwd -P); }
am_root() { [ "$(id -u)" = 0 ]; }
# pki DIR: one throw-away CA and leaf certificates, made once (EC P-256, fast).
# DIR/ca.pem, srv.{pem,key} (good), expired.{pem,key}, other.{pem,key} (wrong name), selfsigned.{pem,key}
pki() {
  local d=$1; mkdir -p "$d"
  exec 9>"$d/.lock"; flock 9                       # several servers may share one PKI directory
  if [ ! -s "$d/done" ]; then
    _key() { openssl ecparam -name prime256v1 -genkey -noout -out "$d/$1.key"; chmod 644 "$d/$1.key"; }
    _leaf() { # name subject-CN SAN notBefore notAfter
      _key "$1"
      openssl req -new -key "$d/$1.key" -subj "/CN=$2" -out "$d/$1.csr"
      printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n' "$3" >"$d/$1.ext"
      openssl ca -batch -notext -config "$d/ca.cnf" -in "$d/$1.csr" -out "$d/$1.pem" -extfile "$d/$1.ext" \
        -startdate "$4" -enddate "$5" 2>"$d/$1.log"
    }
    printf '[ca]\ndefault_ca=c\n[c]\ndatabase=%s/db\nserial=%s/serial\nnew_certs_dir=%s\ncertificate=%s/ca.pem\nprivate_key=%s/ca.key\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n' \
      "$d" "$d" "$d" "$d" "$d" >"$d/ca.cnf"
    : >"$d/db"; echo 1000 >"$d/serial"
    _key ca
    openssl req -x509 -new -key "$d/ca.key" -subj '/CN=skywatch test CA' -days 3650 -out "$d/ca.pem" \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
    local san='DNS:localhost,DNS:*.skywatch.test,DNS:skywatch.test,IP:127.0.0.1,IP:::1'
    local y; y=$(date -u +%y)
    _leaf srv     localhost            "$san"               "$(date -u -d -1day +%y%m%d%H%M%SZ)" "$((y+2))0101000000Z"
    _leaf expired localhost            "$san"               200101000000Z                        200201000000Z
    _leaf other   other.example.org    DNS:other.example.org "$(date -u -d -1day +%y%m%d%H%M%SZ)" "$((y+2))0101000000Z"
    _key selfsigned
    openssl req -x509 -new -key "$d/selfsigned.key" -subj /CN=localhost -days 365 -addext "subjectAltName=$san" -out "$d/selfsigned.pem"
    echo ok >"$d/done"
  fi
  exec 9>&-
}
