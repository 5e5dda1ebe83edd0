#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# postfix.sh start DIR SMTP SUBMISSION SMTPS LMTP AUTH [NAME=VALUE...]    Debian: postfix.  Run as root.  Start dovecot.sh first (its LMTP
# and AUTH ports).  NAME=VALUE are parameters that override those of main.cf here.
# 127.0.0.1:SMTP (port-25 style, STARTTLS, no AUTH), :SUBMISSION (STARTTLS + AUTH required), :SMTPS (implicit TLS + AUTH).
# Mail for skywatch.test (with a subaddress too) goes by LMTP to Dovecot; everything else is refused, so nothing can leave the machine.  PKI: $SKYWATCH_PKI or DIR/pki.
. "${BASH_SOURCE[0]%/*}/lib.sh"
[ "${1-}" = start ] && [ $# -ge 7 ] || die "usage: start DIR SMTP SUBMISSION SMTPS LMTP AUTH [NAME=VALUE...]"
PATH=$PATH:/usr/sbin; need postfix openssl; am_root || die "run as root"
dir=$(abs_dir "$2"); tls=${SKYWATCH_PKI:-$dir/pki}; pki "$tls"; cert=${POSTFIX_CERT:-srv}
mkdir -p "$dir/etc" "$dir/spool" "$dir/data"; chown postfix "$dir/data"; : >>"$dir/postfix.log"
cat >"$dir/etc/main.cf" <<CF
compatibility_level = 3.6
multi_instance_enable = no
queue_directory = $dir/spool
data_directory = $dir/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = $dir/postfix.log
maillog_file_prefixes = $dir
myhostname = mail.skywatch.test
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_transport = error:5.1.1 no local delivery here
default_transport = error:5.7.1 loopback only
relay_domains =
virtual_mailbox_domains = skywatch.test
virtual_mailbox_maps = inline:{ watch@skywatch.test=1, ops@skywatch.test=1 }
virtual_transport = lmtp:inet:127.0.0.1:$6
recipient_delimiter = +
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:$7
smtpd_tls_chain_files = $tls/$cert.key, $tls/$cert.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
minimal_backoff_time = 5s
queue_run_delay = 5s
CF
printf '%s\n' "${@:8}" >>"$dir/etc/main.cf"
cat >"$dir/etc/master.cf" <<CF
127.0.0.1:$3 inet n - n - - smtpd
127.0.0.1:$4 inet n - n - - smtpd -o smtpd_tls_security_level=encrypt -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject -o syslog_name=postfix/submission
127.0.0.1:$5 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject -o syslog_name=postfix/smtps
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
CF
[ -d "$dir/spool/active" ] || postfix -c "$dir/etc" check  # creates the queue directories (about 2 s); needed once
export MAIL_CONFIG=$dir/etc
exec /usr/lib/postfix/sbin/master -c "$dir/etc" -s  # "postfix start-fg" would leave a shell in front of master: TERM would not reach it
