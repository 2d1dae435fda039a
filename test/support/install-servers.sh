#!/usr/bin/env bash
# Installs the real servers and clients that the tests talk to. For root on Debian; does nothing when all is there.
set -euo pipefail

packages=(
  openssh-client openssh-server rsync
  postgresql-15 postgresql-client-15 postgresql-contrib
  etcd-server containerd runc busybox-static jq make
  memcached redis-server redis-tools
  mariadb-server mariadb-client sysbench python3-pymysql
  mosquitto mosquitto-clients
  curl
  bsdutils bsdextrautils util-linux
  expect tmux openssl procps
  haproxy stunnel4 pgbouncer
  nginx wrk
  chromium
  xvfb x11-utils
  xrdp xorgxrdp freerdp2-x11 freerdp2-shadow-x11 winpr-utils
  tigervnc-standalone-server tigervnc-tools x11-xserver-utils imagemagick ffmpeg
  xclip chromium
)

# Elsewhere kubectl comes from other packages, which this one would get in the way of.
command -v kubectl >/dev/null || packages+=(kubernetes-client)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

# No daemon may start by itself, now or after a later upgrade: the tests start their own.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
fi
mkdir -p /etc/postgresql-common
if ! grep -qs '^create_main_cluster *= *false' /etc/postgresql-common/createcluster.conf; then
  echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf
fi

export DEBIAN_FRONTEND=noninteractive
echo "installing: ${missing[*]}"
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
