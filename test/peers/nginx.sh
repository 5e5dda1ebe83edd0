#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# nginx.sh start DIR HTTP HTTPS H2C    Debian: nginx-light.  HTTP/1.1 on HTTP, TLS + HTTP/2 on HTTPS, clear-text HTTP/2 on H2C, all 127.0.0.1.
# Vhosts: localhost (default), a.skywatch.test, b.skywatch.test (503), expired.skywatch.test, other.skywatch.test, self.skywatch.test (bad
# certificates by SNI).  Paths: / /auth/ (watch:Watch-pw1) /redir/N (N hops) /loop /tohttps /status/CODE /slow (64 B/s) /gzip /big /json
# /close (444).  PKI: $SKYWATCH_PKI or DIR/pki.  Works as root and as any user.
. "${BASH_SOURCE[0]%/*}/lib.sh"
[ "${1-}" = start ] && [ $# = 5 ] || die "usage: start DIR HTTP HTTPS H2C"
PATH=$PATH:/usr/sbin; need nginx openssl
dir=$(abs_dir "$2"); tls=${SKYWATCH_PKI:-$dir/pki}; pki "$tls"
mkdir -p "$dir/www/a" "$dir/www/auth" "$dir/tmp" "$dir/logs"
echo 'skywatch test site: all systems fine' >"$dir/www/index.html"; echo 'vhost a' >"$dir/www/a/index.html"; echo 'members only' >"$dir/www/auth/index.html"
[ -s "$dir/www/big" ] || head -c 1048576 /dev/zero >"$dir/www/big"
head -c 4096 /dev/zero | tr '\0' x >"$dir/www/slow"; for i in $(seq 400); do echo "line $i"; done >"$dir/www/gzip"
printf 'watch:%s\n' "$(openssl passwd -apr1 Watch-pw1)" >"$dir/htpasswd"
if am_root; then user='user www-data;'; chown www-data "$dir/tmp"; else user=; fi
cat >"$dir/loc.inc" <<'CF'
  location /auth/ { auth_basic "test"; auth_basic_user_file htpasswd; }
  location = /redir/0 { return 200 "arrived\n"; }
  location = /redir/1 { return 302 /redir/0; }
  location = /redir/2 { return 301 /redir/1; }
  location = /redir/3 { return 307 /redir/2; }
  location = /loop { return 302 /loop; }
  location = /tohttps { return 301 https://localhost:HTTPS_PORT/; }
  location = /close { return 444; }
  location = /slow { limit_rate 64; }
  location = /gzip { gzip on; gzip_types *; gzip_min_length 1; default_type text/plain; }
  location = /json { default_type application/json; return 200 '{"status":"ok","items":[{"id":1,"up":true}]}'; }
  location ~ ^/status/200$ { return 200 "ok\n"; }
  location ~ ^/status/404$ { return 404; }
  location ~ ^/status/500$ { return 500; }
  location ~ ^/status/503$ { add_header Retry-After 5 always; return 503; }
CF
sed -i "s/HTTPS_PORT/$4/" "$dir/loc.inc"
server() { # name cert
  printf 'server { listen 127.0.0.1:%s; listen 127.0.0.1:%s ssl http2; server_name %s; ssl_certificate %s/%s.pem; ssl_certificate_key %s/%s.key; root %s; include loc.inc; %s }\n' \
    "$http" "$https" "$1" "$tls" "$2" "$tls" "$2" "$3" "${4-}"; }
http=$3 https=$4
cat >"$dir/nginx.conf" <<CF
daemon off;
$user
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/logs/error.log info;
events { worker_connections 256; }
http {
  access_log $dir/logs/access.log;
  client_body_temp_path $dir/tmp/body; proxy_temp_path $dir/tmp/proxy; fastcgi_temp_path $dir/tmp/fcgi; uwsgi_temp_path $dir/tmp/uwsgi; scgi_temp_path $dir/tmp/scgi;
  types { text/html html; } default_type text/plain;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off; absolute_redirect off; server_names_hash_bucket_size 64;
  $(server 'localhost _' srv "$dir/www")
  $(server a.skywatch.test srv "$dir/www/a")
  $(server b.skywatch.test srv "$dir/www" 'location = / { return 503; }')
  $(server expired.skywatch.test expired "$dir/www")
  $(server other.skywatch.test other "$dir/www")
  $(server self.skywatch.test selfsigned "$dir/www")
  server { listen 127.0.0.1:$5 http2; root $dir/www; }
}
CF
exec nginx -e "$dir/logs/error.log" -p "$dir/" -c "$dir/nginx.conf"
