#!/usr/bin/env bash
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Bring a virtual environment up to a lock file: tools/setup.sh VENV LOCK [PYTHON]
# PYTHON is a version ("3.11") or a path; without it, the newest that this machine has.
set -euo pipefail
venv=$1 lock=$2 wanted=${3:-}
stamp=$venv/.locked

# The larger lock contains the smaller one: leave a venv alone that has either.
for have in "$lock" requirements-dev.txt; do
  cmp -s "$have" "$stamp" && exit 0
done

find_python() {
  local version
  case $wanted in
    */*) "$wanted" -c 'import sys; print(sys.executable)'; return ;;
  esac
  for version in ${wanted:-3.14 3.13 3.12 3.11}; do
    # pyenv puts a shim on PATH for every version, selected or not: select it, and take the interpreter behind it.
    PYENV_VERSION=$version "python$version" -c 'import sys; print(sys.executable)' 2>/dev/null && return
  done
  return 1
}

install() {
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "setup: please install $* (as root: apt-get install $*), then run this again" >&2
    exit 1
  fi
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

python=$(find_python) || { install "python${wanted:-3}" "python${wanted:-3}-venv"; python=$(find_python); } || {
  echo "setup: no Python ${wanted:-3.11 or newer} on this machine" >&2
  exit 1
}
# Debian keeps ensurepip, without which a venv has no pip, in a package of its own.
"$python" -c 'import ensurepip' 2>/dev/null ||
  install "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"

echo "setup: $venv from $lock, $("$python" --version)"
[ -x "$venv/bin/pip" ] || "$python" -m venv --clear "$venv"
# --no-compile: most of the Ansible bundle is never imported, compiling all of it takes longer than installing it.
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --no-deps --no-compile --require-hashes -r "$lock"
cp "$lock" "$stamp"
