#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# stages.sh MAKE STAGE...   runs the stages of "make test" one after the other, stops at the first that fails, and ends with the lines of
# go test and a table of the seconds each stage took beside its budget.
set -uo pipefail
make=$1; shift
declare -A budget=([setup]=180 [lint]=360 [unit]=480 [real]=480 [crash]=240 [cross]=240 [fuzz]=180)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

rc=0
table=()
for stage; do
  echo "== $stage"
  begin=$SECONDS
  $make --no-print-directory "$stage" 2>&1 | tee "$out/$stage"
  rc=$?
  table+=("$(printf '%-8s %6d s  (budget %3d s)' "$stage" $((SECONDS - begin)) "${budget[$stage]:-0}")")
  [ $rc = 0 ] || { table+=("$stage failed"); break; }
done

echo "== results"
for stage; do
  [ -e "$out/$stage" ] && grep -hE '^(ok|FAIL|panic:|--- FAIL)[[:space:]:]' "$out/$stage"
done
echo "== seconds by stage"
printf '%s\n' "${table[@]}" "$(printf '%-8s %6d s' total $SECONDS)"
exit $rc
