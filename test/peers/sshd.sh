#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# sshd.sh start DIR PORT    Debian: openssh-server openssh-client.  Run as root.  OpenSSH on 127.0.0.1:PORT with host keys of its own.
# User watch with the password Watch-pw1 or the key DIR/client_key (DIR/locked_key is the same, encrypted with Lock-pw1), in a private mount
# namespace with its own passwd and shadow: the system's are untouched.  DIR/host_{ed25519,ecdsa,rsa}.pub are the host keys, DIR/known_hosts has
# them for [127.0.0.1]:PORT and [localhost]:PORT.  They stay over a restart; remove DIR/host_* to change them.
# SSH_PASSWORD_AUTH=no refuses passwords; SSH_MAX_STARTUPS is how many clients may be busy logging in.
. "${BASH_SOURCE[0]%/*}/lib.sh"
[ "${1-}" = start ] && [ $# = 3 ] || die "usage: start DIR PORT"
PATH=$PATH:/usr/sbin; need sshd ssh-keygen unshare openssl; am_root || die "run as root"
dir=$(abs_dir "$2"); port=$3
for t in ed25519 ecdsa rsa; do [ -s "$dir/host_$t" ] || ssh-keygen -q -t $t -N '' -C 'test host' -f "$dir/host_$t"; done
[ -s "$dir/client_key" ] || ssh-keygen -q -t ed25519 -N '' -C watch -f "$dir/client_key"
[ -s "$dir/locked_key" ] || { cp "$dir/client_key" "$dir/locked_key"; ssh-keygen -q -p -P '' -N Lock-pw1 -f "$dir/locked_key"; }
for t in ed25519 ecdsa rsa; do printf '[127.0.0.1]:%s,[localhost]:%s %s\n' "$port" "$port" "$(cut -d' ' -f1,2 "$dir/host_$t.pub")"; done >"$dir/known_hosts"
cp "$dir/client_key.pub" "$dir/authorized_keys"
cat >"$dir/sshd_config" <<CF
ListenAddress 127.0.0.1:$port
HostKey $dir/host_ed25519
HostKey $dir/host_ecdsa
HostKey $dir/host_rsa
PidFile $dir/pid
AuthorizedKeysFile $dir/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication ${SSH_PASSWORD_AUTH:-yes}
KbdInteractiveAuthentication no
PubkeyAuthentication yes
PermitRootLogin no
UseDNS no
PrintMotd no
LogLevel VERBOSE
MaxStartups ${SSH_MAX_STARTUPS:-100}
LoginGraceTime 20
Subsystem sftp internal-sftp
CF
sshd=$(command -v sshd)                       # sshd insists on an absolute argv[0]
mkdir -p /run/sshd "$dir/home"; chown 5001:5001 "$dir/home"
grep -v '^watch:' /etc/passwd >"$dir/passwd"; echo "watch:x:5001:5001::$dir/home:/bin/sh" >>"$dir/passwd"
(umask 077; printf 'root:*:19000::::::\nwatch:%s:19000:0:99999:7:::\n' "$(openssl passwd -6 Watch-pw1)" >"$dir/shadow")
export PEER_DIR=$dir PEER_SSHD=$sshd
# shellcheck disable=SC2016  # expanded by the inner shell
exec unshare --mount --propagation private bash -euc '
  mount --bind "$PEER_DIR/passwd" /etc/passwd; mount --bind "$PEER_DIR/shadow" /etc/shadow
  exec "$PEER_SSHD" -D -e -f "$PEER_DIR/sshd_config"'
