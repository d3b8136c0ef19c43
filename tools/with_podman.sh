#!/usr/bin/env bash
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Run a command that calls podman, with the settings that podman takes on this machine: tools/with_podman.sh COMMAND [ARGUMENT...]
set -euo pipefail

# Beside cgroups v1, or as a root that may not raise its limits (inside a container), podman's defaults start nothing.
if [ "$(stat --file-system --format %T /sys/fs/cgroup)" != cgroup2fs ] ||
  { [ "$(id -u)" -eq 0 ] && ! (ulimit -Hn 1048576) 2>/dev/null; }; then
  CONTAINERS_CONF=$(cd "$(dirname "$0")/.." && pwd)/containers.conf
  export CONTAINERS_CONF
fi
exec "$@"
