#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The skywatch Authors
#
# install.sh [GROUP...]    installs the Debian packages of the real servers that are missing; none given: all groups.
# Groups: base race nginx unbound postfix dovecot vsftpd sshd mariadb keystone prometheus blackbox shellcheck.  No daemon is started: policy-rc.d forbids it while packages are set up.
# Uses sudo when not root.  Nothing is fetched when everything is there.
. "${BASH_SOURCE[0]%/*}/lib.sh"
declare -A packages=(
  [base]='openssl curl ca-certificates util-linux'
  [race]='gcc libc6-dev'
  [nginx]='nginx-light'
  [postfix]='postfix'
  [dovecot]='dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd'
  [vsftpd]='vsftpd'
  [sshd]='openssh-server openssh-client'
  [mariadb]='mariadb-server'
  [keystone]='python3-keystone uwsgi-core uwsgi-plugin-python3'
  [prometheus]='prometheus'
  [blackbox]='prometheus-blackbox-exporter'
  [unbound]='unbound'
  [shellcheck]='shellcheck'
)
[ $# -gt 0 ] || set -- "${!packages[@]}"

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
missing=()
for group; do
  read -ra names <<<"${packages[$group]:?unknown group $group}"
  for name in "${names[@]}"; do installed "$name" || missing+=("$name"); done
done
[ ${#missing[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || die "these packages are missing and there is no apt-get to install them: ${missing[*]}"
as_root() { if am_root; then "$@"; else sudo "$@"; fi; }
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
  trap 'as_root rm -f $policy' EXIT
fi
log=$(mktemp)
quietly() { "$@" >"$log" 2>&1 || { tail -20 "$log" >&2; die "failed: $*"; }; }
echo "installing: ${missing[*]}"
# A fresh machine may be at its own updates, and a mirror out of breath. Apt waits for one of its locks only, debconf for none, and lists
# that could not be fetched count as a success, so all steps are tried again.
install() {
  echo 'postfix postfix/main_mailer_type select No configuration' | as_root debconf-set-selections &&
    as_root apt-get update -q -o Acquire::Retries=5 &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 \
      -o Dpkg::Options::=--force-unsafe-io "${missing[@]}"
}
patiently() { # tells on descriptor 3 why it takes so long
  local left
  for left in {19..1}; do "$@" && return; echo "failed, $left tries left: $(tail -1 "$log")" >&3; sleep 15; done
  "$@"
}
quietly patiently install 3>&2
rm -f "$log"
