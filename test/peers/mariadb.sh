#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# mariadb.sh start DIR PORT   Debian: mariadb-server.  mariadbd on 127.0.0.1:PORT with TLS, and on the socket DIR/s.
# Accounts (host 127.0.0.1): watch / Watch-pw1 (mysql_native_password), watch_tls / Tls-pw1 (REQUIRE SSL), watch_ed / Ed-pw1 (ed25519),
# watch_poor / Poor-pw1 (no rights at all), watch_one / One-pw1 (one connection at a time); root without password on DIR/s only.
# Database app: orders (two rows), watched (for the transaction of the mysql prober; InnoDB).  PKI: $SKYWATCH_PKI or DIR/pki.
# MARIADB_CONNECTIONS=N takes at most N connections at once.
. "${BASH_SOURCE[0]%/*}/lib.sh"
[ "${1-}" = start ] && [ $# = 3 ] || die "usage: start DIR PORT"
need mariadbd mariadb-install-db openssl
dir=$(abs_dir "$2"); port=$3; tls=${SKYWATCH_PKI:-$dir/pki}; pki "$tls"
[ ${#dir} -lt 100 ] || die "path too long for a unix socket: $dir"
u=$(id -un); am_root && u=mysql
if [ ! -d "$dir/data/mysql" ]; then
  mkdir -p "$dir/data" "$dir/tmp"
  if am_root; then chown "$u" "$dir" "$dir/data" "$dir/tmp"; fi
  mariadb-install-db --no-defaults --user="$u" --datadir="$dir/data" --skip-test-db \
    --auth-root-authentication-method=normal --skip-name-resolve >"$dir/install.log" 2>&1 || { cat "$dir/install.log" >&2; exit 1; }
fi
cat >"$dir/init.sql" <<SQL
CREATE USER IF NOT EXISTS 'watch'@'127.0.0.1' IDENTIFIED VIA mysql_native_password USING PASSWORD('Watch-pw1');
CREATE USER IF NOT EXISTS 'watch_tls'@'127.0.0.1' IDENTIFIED BY 'Tls-pw1' REQUIRE SSL;
CREATE USER IF NOT EXISTS 'watch_ed'@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('Ed-pw1');
CREATE DATABASE IF NOT EXISTS app;
CREATE TABLE IF NOT EXISTS app.orders(id INT PRIMARY KEY, state VARCHAR(20));
REPLACE INTO app.orders VALUES (1,'open'),(2,'done');
CREATE TABLE IF NOT EXISTS app.watched(id INT AUTO_INCREMENT PRIMARY KEY, number INT NOT NULL, token VARCHAR(64) NOT NULL) ENGINE=InnoDB;
CREATE USER IF NOT EXISTS 'watch_poor'@'127.0.0.1' IDENTIFIED BY 'Poor-pw1';
CREATE USER IF NOT EXISTS 'watch_one'@'127.0.0.1' IDENTIFIED BY 'One-pw1' WITH MAX_USER_CONNECTIONS 1;
GRANT SELECT, CREATE TEMPORARY TABLES ON app.* TO 'watch'@'127.0.0.1';
GRANT INSERT, DELETE ON app.watched TO 'watch'@'127.0.0.1';
GRANT SELECT, CREATE TEMPORARY TABLES ON app.* TO 'watch_tls'@'127.0.0.1';
GRANT SELECT, CREATE TEMPORARY TABLES ON app.* TO 'watch_ed'@'127.0.0.1';
GRANT SELECT, CREATE TEMPORARY TABLES ON app.* TO 'watch_one'@'127.0.0.1';
GRANT REPLICA MONITOR ON *.* TO 'watch'@'127.0.0.1';
SQL
exec mariadbd --no-defaults --user="$u" --datadir="$dir/data" --tmpdir="$dir/tmp" --socket="$dir/s" --pid-file="$dir/pid" \
  --bind-address=127.0.0.1 --port="$port" --skip-name-resolve --skip-log-bin --init-file="$dir/init.sql" --plugin-load-add=auth_ed25519 \
  --ssl-ca="$tls/ca.pem" --ssl-cert="$tls/srv.pem" --ssl-key="$tls/srv.key" --tls-version=TLSv1.2,TLSv1.3 \
  --innodb-buffer-pool-size=8M --innodb-log-file-size=4M --innodb-flush-log-at-trx-commit=0 --key-buffer-size=1M \
  --aria-pagecache-buffer-size=1M --performance-schema=0 --max-connections="${MARIADB_CONNECTIONS:-30}"
