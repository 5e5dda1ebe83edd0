#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# prometheus.sh start DIR PORT CONFIG    Debian: prometheus, on 127.0.0.1:PORT with the configuration file CONFIG, its data under DIR.
# Works as root and as any user.
. "${BASH_SOURCE[0]%/*}/lib.sh"
[ "${1-}" = start ] && [ $# = 4 ] || die "usage: start DIR PORT CONFIG"
need prometheus promtool
dir=$(abs_dir "$2")
promtool check config "$4" >"$dir/check.log" 2>&1 || { cat "$dir/check.log" >&2; exit 1; }
exec prometheus --config.file="$4" --storage.tsdb.path="$dir/tsdb" --web.listen-address="127.0.0.1:$3" \
  --storage.tsdb.retention.time=1d --log.level=warn
