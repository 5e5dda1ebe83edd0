#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# smallfs.sh run [-t tmpfs|ext4] SIZE_KIB CMD...   Run as root.  Mounts a small filesystem in a private mount namespace at $SMALLFS and runs CMD
# there; unmounted when CMD ends, invisible outside.  ext4 is a loop-mounted image.  Read-only fault: mount -o remount,ro "$SMALLFS".
. "${BASH_SOURCE[0]%/*}/lib.sh"
[ "${1-}" = run ] && shift || die "usage: run [-t tmpfs|ext4] SIZE_KIB CMD..."
am_root || die "run as root"; type=tmpfs
[ "${1-}" = -t ] && { type=$2; shift 2; }
export SF_TYPE=$type SF_KIB=$1 SMALLFS SF_IMG=; shift
SMALLFS=$(mktemp -d)
[ "$type" = tmpfs ] || { SF_IMG=$(mktemp); truncate -s "${SF_KIB}K" "$SF_IMG"; mkfs.ext4 -q -F -m 0 -b 1024 "$SF_IMG"; }
rc=0
unshare --mount --propagation private bash -euc '
  if [ -n "$SF_IMG" ]; then mount -o loop "$SF_IMG" "$SMALLFS"; else mount -t tmpfs -o "size=${SF_KIB}k,nr_inodes=200" tmpfs "$SMALLFS"; fi
  "$@"' bash "$@" || rc=$?
rmdir "$SMALLFS"; rm -f "$SF_IMG"; exit $rc
