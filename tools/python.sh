#!/usr/bin/env bash
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Print the path of a Python: tools/python.sh [VERSION or PATH]; without an argument, of the newest that we support.
set -euo pipefail
wanted=${1:-}

case $wanted in
  */*) exec "$wanted" -c 'import sys; print(sys.executable)' ;;
esac
for version in ${wanted:-3.14 3.13 3.12 3.11}; do
  # pyenv puts a shim on PATH for every version, selected or not: select it, and take the interpreter behind it.
  PYENV_VERSION=$version "python$version" -c 'import sys; print(sys.executable)' 2>/dev/null && exit
done
echo "no Python ${wanted:-3.11 or newer} on this machine" >&2
exit 1
