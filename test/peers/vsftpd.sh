#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# vsftpd.sh start DIR PORT PASV_MIN PASV_MAX   Debian: vsftpd.  Run as root (private mount namespace for its own PAM file and accounts).
# FTP and explicit FTPS (AUTH TLS) on 127.0.0.1:PORT; user watch / Watch-pw1, home DIR/home (pub.txt, upload/); anonymous sees DIR/anon.
# FTP_FORCE_TLS=YES refuses clear-text logins, FTP_IMPLICIT=YES wants TLS from the first byte, FTP_REUSE=YES wants data
# connections that go on with the TLS session of the control connection.  PKI: $SKYWATCH_PKI or DIR/pki.
. "${BASH_SOURCE[0]%/*}/lib.sh"
[ "${1-}" = start ] && [ $# = 5 ] || die "usage: start DIR PORT PASV_MIN PASV_MAX"
PATH=$PATH:/usr/sbin; need vsftpd unshare openssl; am_root || die "run as root"
dir=$(abs_dir "$2"); tls=${SKYWATCH_PKI:-$dir/pki}; pki "$tls"; cert=${FTP_CERT:-srv}
mkdir -p "$dir/home/upload" "$dir/anon" "$dir/empty"; chown 5001:5001 "$dir/home/upload"
echo 'hello from ftp' >"$dir/home/pub.txt"; echo 'anonymous hello' >"$dir/anon/pub.txt"
grep -vE '^(watch|skyanon):' /etc/passwd >"$dir/passwd"; printf '%s\n' "watch:x:5001:5001::$dir/home:/bin/sh" "skyanon:x:5002:5002::$dir/anon:/bin/false" >>"$dir/passwd"
(umask 077; printf 'root:*:19000::::::\nwatch:%s:19000:0:99999:7:::\n' "$(openssl passwd -6 "${FTP_PASSWORD:-Watch-pw1}")" >"$dir/shadow")
printf 'auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_permit.so\n' >"$dir/pam"
cat >"$dir/vsftpd.conf" <<CF
listen=YES
background=NO
listen_address=127.0.0.1
listen_port=$3
pasv_min_port=$4
pasv_max_port=$5
pasv_address=127.0.0.1
local_enable=YES
write_enable=YES
chroot_local_user=YES
anonymous_enable=YES
ftp_username=skyanon
anon_root=$dir/anon
secure_chroot_dir=$dir/empty
pam_service_name=skywatch-ftp
xferlog_enable=YES
vsftpd_log_file=$dir/vsftpd.log
ssl_enable=YES
allow_anon_ssl=YES
force_local_logins_ssl=${FTP_FORCE_TLS:-NO}
force_local_data_ssl=${FTP_FORCE_TLS:-NO}
require_ssl_reuse=${FTP_REUSE:-NO}
implicit_ssl=${FTP_IMPLICIT:-NO}
ssl_ciphers=HIGH
rsa_cert_file=$tls/$cert.pem
rsa_private_key_file=$tls/$cert.key
isolate_network=NO
seccomp_sandbox=NO
ftpd_banner=skywatch test ftp
delay_failed_login=0
CF
export VS_DIR=$dir
exec unshare --mount --propagation private bash -euc '
  mount --bind "$VS_DIR/passwd" /etc/passwd; mount --bind "$VS_DIR/shadow" /etc/shadow
  mkdir "$VS_DIR/pam.d" 2>/dev/null || :; cp "$VS_DIR/pam" "$VS_DIR/pam.d/skywatch-ftp"; mount --bind "$VS_DIR/pam.d" /etc/pam.d
  exec vsftpd "$VS_DIR/vsftpd.conf"'
