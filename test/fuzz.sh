#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# fuzz.sh [TIME]   runs every fuzz target, each for TIME, by default so long that all together stay within two minutes.
set -euo pipefail
mapfile -t targets < <(grep -rHoE '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' . | sed 's|/[^/]*:func | |' | sort)
[ ${#targets[@]} -gt 0 ] || { echo "no fuzz targets"; exit 0; }
each=$((120 / ${#targets[@]}))
time=${1:-$((each > 10 ? 10 : each < 2 ? 2 : each))s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Where the time is over while Go makes an interesting input smaller, go test fails with "context deadline exceeded" and no finding of ours.
over() { grep -qx '    context deadline exceeded' "$log" && ! grep -qE 'Failing input|_test\.go:|panic:' "$log"; }
for target in "${targets[@]}"; do
  read -r package name <<<"$target"
  go test -run='^$' -fuzz="^$name\$" -fuzztime="$time" "$package" 2>&1 | tee "$log" || over
done
