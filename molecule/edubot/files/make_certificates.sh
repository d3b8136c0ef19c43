#!/bin/sh
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A CA that the host trusts, and certificates signed by it: make_certificates.sh DIRECTORY DAYS NAME...
set -eu
directory=$1 days=$2
shift 2
umask 077
mkdir -p "$directory"
cd "$directory"
if [ ! -e ca.crt ]; then
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=CA of the edubot scenario" -keyout ca.key -out ca.crt
  install -m 0644 ca.crt /usr/local/share/ca-certificates/edubot-scenario.crt
  update-ca-certificates
fi
for name; do
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$name.key" -out "$name.csr"
  printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$name" >"$name.ext"
  openssl x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days "$days" -extfile "$name.ext" -out "$name.crt"
  cat ca.crt >>"$name.crt"
  chmod 0644 "$name.crt"
done
