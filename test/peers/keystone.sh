#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# keystone.sh start DIR PORT    Debian: python3-keystone uwsgi-core uwsgi-plugin-python3 (not the "keystone" package, which is a service).
# Real OpenStack Keystone, Identity API v3, on http://127.0.0.1:PORT/v3, with SQLite and Fernet tokens.  Accounts of the domain Default:
# admin / Admin-pw1 with the role admin in the project admin, watch / Watch-pw1 with the role reader in the project ops.  Tokens live for
# KEYSTONE_TOKEN_SECONDS (default 3600).  The prepared database takes 12 to 25 s to make; it is made once under SKYWATCH_CACHE (default
# DIR/cache) and copied from then on, with which a start takes 3 s.  Works as root and as any user.
. "${BASH_SOURCE[0]%/*}/lib.sh"
[ "${1-}" = start ] && [ $# = 3 ] || die "usage: start DIR PORT"
need keystone-manage uwsgi flock
dir=$(abs_dir "$2"); port=$3; tpl=$(abs_dir "${SKYWATCH_CACHE:-$dir/cache}")/keystone
conf() {
  cat >"$1/keystone.conf" <<CF
[DEFAULT]
use_stderr = true
default_log_levels = sqlalchemy=WARN,routes.middleware=WARN,stevedore=WARN
[database]
connection = sqlite:///$1/keystone.db
[token]
provider = fernet
expiration = ${KEYSTONE_TOKEN_SECONDS:-3600}
[fernet_tokens]
key_repository = $1/fernet
[fernet_receipts]
key_repository = $1/fernet
[credential]
key_repository = $1/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = false
[oslo_messaging_notifications]
driver = noop
CF
}
make_template() {
  local t=$tpl.new who
  who=(--keystone-user "$(id -un)" --keystone-group "$(id -gn)")
  rm -rf "$t"; mkdir -p "$t"; mkdir -m 700 "$t/fernet" "$t/credential"; conf "$t"
  manage() { keystone-manage --config-file "$t/keystone.conf" "$@" >>"$t/setup.log" 2>&1 || { tail -20 "$t/setup.log" >&2; exit 1; }; }
  account() { # name password project role
    manage bootstrap --bootstrap-username "$1" --bootstrap-password "$2" --bootstrap-project-name "$3" --bootstrap-role-name "$4" \
      --bootstrap-service-name keystone --bootstrap-region-id RegionOne \
      --bootstrap-public-url http://x/v3 --bootstrap-internal-url http://x/v3 --bootstrap-admin-url http://x/v3
  }
  manage db_sync; manage fernet_setup "${who[@]}"; manage credential_setup "${who[@]}"
  account admin Admin-pw1 admin admin; account watch Watch-pw1 ops reader
  mv "$t" "$tpl"
}
exec 9>"$tpl.lock"; flock 9                        # several may share one cache
[ -d "$tpl" ] || make_template
exec 9>&-
[ -s "$dir/keystone.db" ] || cp -a "$tpl/fernet" "$tpl/credential" "$tpl/keystone.db" "$dir/"
conf "$dir"
# WAL: without it a refused login, which writes, meets the process's own read lock: "database is locked", empty reply after 5 s
/usr/bin/python3 -c 'import sqlite3, sys
c = sqlite3.connect(sys.argv[1]); c.execute("pragma journal_mode=wal"); c.execute("update endpoint set url=?", (sys.argv[2],)); c.commit()' \
  "$dir/keystone.db" "http://127.0.0.1:$port/v3"
export OS_KEYSTONE_CONFIG_FILES=$dir/keystone.conf
exec uwsgi --plugin python3 --wsgi-file /usr/bin/keystone-wsgi-public --http-socket "127.0.0.1:$port" --master --die-on-term \
  --processes 1 --threads 2 --buffer-size 65535 --lazy-apps --need-app --disable-logging --thunder-lock
