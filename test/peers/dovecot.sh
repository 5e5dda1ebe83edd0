#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# dovecot.sh start DIR IMAP IMAPS POP3 POP3S LMTP AUTH   Debian: dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd.  Run as root.
# IMAP+STARTTLS, IMAPS, POP3+STLS, POP3S, LMTP and a SASL socket (for postfix.sh) on 127.0.0.1; Maildir under DIR/mail/USER/Maildir.
# Users: watch@skywatch.test / Watch-pw1 and ops@skywatch.test / Ops-pw1.  PKI: $SKYWATCH_PKI or DIR/pki.
# Logins: PLAIN, LOGIN, CRAM-MD5, APOP, and with DOVECOT_OAUTH2=URL also XOAUTH2: the URL is posted the token and answers in JSON with
# {"active": true, "username": "watch@skywatch.test"} or {"active": false} (RFC 7662).  Mail for watch+Junk@skywatch.test goes into Junk.
# DOVECOT_SSL=required refuses clear-text logins (LOGINDISABLED / no USER before STLS); DOVECOT_CERT=expired picks another leaf.
. "${BASH_SOURCE[0]%/*}/lib.sh"
[ "${1-}" = start ] && [ $# = 8 ] || die "usage: start DIR IMAP IMAPS POP3 POP3S LMTP AUTH"
need dovecot openssl; am_root || die "run as root"
dir=$(abs_dir "$2"); tls=${SKYWATCH_PKI:-$dir/pki}; pki "$tls"; cert=${DOVECOT_CERT:-srv}
mkdir -p "$dir/mail"; chown 5000:5000 "$dir/mail"
[ -s "$dir/users" ] || printf '%s:{PLAIN}%s::::::\n' watch@skywatch.test Watch-pw1 ops@skywatch.test Ops-pw1 >"$dir/users"
chown root:dovecot "$dir/users"; chmod 640 "$dir/users"
mechanisms='plain login cram-md5 apop'; oauth2=
if [ -n "${DOVECOT_OAUTH2-}" ]; then
  printf '%s\n' "introspection_url = $DOVECOT_OAUTH2" 'introspection_mode = post' 'username_attribute = username' \
    'active_attribute = active' 'active_value = true' >"$dir/oauth2.conf"
  oauth2="passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = $dir/oauth2.conf
}"
fi
cat >"$dir/dovecot.conf" <<CONF
base_dir = $dir/run
state_dir = $dir/state
instance_name = skywatch-$3
listen = 127.0.0.1
protocols = imap pop3 lmtp
log_path = $dir/dovecot.log
ssl = ${DOVECOT_SSL:-yes}
ssl_cert = <$tls/$cert.pem
ssl_key = <$tls/$cert.key
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no
auth_mechanisms = $mechanisms${oauth2:+ xoauth2 oauthbearer}
auth_failure_delay = 0
login_greeting = skywatch test server ready.
mail_location = maildir:~/Maildir
first_valid_uid = 5000
mail_uid = 5000
mail_gid = 5000
mail_fsync = never
mail_max_userip_connections = 0
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
$oauth2
passdb {
  driver = passwd-file
  mechanisms = $mechanisms none
  args = $dir/users
}
userdb {
  driver = static
  args = uid=5000 gid=5000 home=$dir/mail/%u
}
namespace inbox {
  inbox = yes
  mailbox Junk {
    auto = create
    special_use = \\Junk
  }
}
service imap-login {
  process_min_avail = 1
  service_count = 0
  inet_listener imap {
    port = $3
  }
  inet_listener imaps {
    port = $4
    ssl = yes
  }
}
service pop3-login {
  process_min_avail = 1
  service_count = 0
  inet_listener pop3 {
    port = $5
  }
  inet_listener pop3s {
    port = $6
    ssl = yes
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service lmtp {
  inet_listener lmtp {
    port = $7
  }
}
service auth {
  inet_listener sasl {
    port = $8
  }
}
CONF
rm -rf "$dir/run"      # a stale anvil-auth-penalty socket would delay the first login by 5 s
exec dovecot -F -c "$dir/dovecot.conf"
