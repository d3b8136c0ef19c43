#!/usr/bin/env bash
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Bring a virtual environment up to a lock file: tools/setup.sh VENV LOCK [PYTHON], PYTHON as for tools/python.sh
set -euo pipefail
venv=$1 lock=$2 wanted=${3:-}
tools=$(dirname "$0")
stamp=$venv/.locked

# The larger lock contains the smaller one: leave a venv alone that has either.
for have in "$lock" requirements-dev.txt; do
  if cmp --silent "$have" "$stamp"; then exit 0; fi
done

install() {
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: $* is missing; as root on a Debian system: apt-get install $*" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

python=$("$tools/python.sh" "$wanted") || {
  install "python${wanted:-3}"
  python=$("$tools/python.sh" "$wanted")
}
# Debian keeps ensurepip, without which a venv has no pip, in a package of its own.
"$python" -c 'import ensurepip' 2>/dev/null ||
  install "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"

echo "setup: $venv from $lock, $("$python" --version)"
[ -x "$venv/bin/pip" ] || "$python" -m venv --clear "$venv"
# --no-compile: most of the Ansible bundle is never imported, and compiling all of it takes longer than installing it.
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --no-deps --no-compile --require-hashes -r "$lock"
cp "$lock" "$stamp"
