#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# smallfs.sh run DIR SIZE_KIB CMD...   Run as root.  Mounts a small file system (tmpfs) on DIR in a private mount namespace and becomes CMD
# in it; nobody else sees the mount, and it goes with CMD.  From outside: /proc/PID/root/DIR, and nsenter -t PID -m mount -o remount,ro DIR.
# SMALLFS_OPTIONS=ro mounts it read-only.
. "${BASH_SOURCE[0]%/*}/lib.sh"
[ "${1-}" = run ] && [ $# -ge 4 ] || die "usage: run DIR SIZE_KIB CMD..."
need unshare mount; am_root || die "run as root"
mkdir -p "$2"
export SMALLFS=$2 SMALLFS_OPTIONS="size=${3}k,nr_inodes=200,${SMALLFS_OPTIONS:-rw}"; shift 3
exec unshare --mount --propagation private bash -euc 'mount -t tmpfs -o "$SMALLFS_OPTIONS" tmpfs "$SMALLFS"; exec "$@"' bash "$@"
