#!/usr/bin/env bash
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Build localhost/sre-NAME from molecule/image/NAME, and below it the base for its release of Debian: build.sh NAME
# DEBIAN_IMAGE names another image to start from than Debian's own, for instance one in a registry of yours.
set -euo pipefail
cd "$(dirname "$0")"
release=$(sed -n 's|^FROM localhost/sre-base:||p' "$1/Containerfile")
debian=${DEBIAN_IMAGE:-debian}:$release

# Scenarios run side by side and share layers: one builds, the others find them built.
exec 9>"${TMPDIR:-/tmp}/sre-molecule-image.lock"
flock 9

if ! podman image exists "localhost/sre-base:$release"; then
  if ! podman pull --quiet "$debian"; then
    echo "build: no image registry in reach, making $debian from the Debian archive" >&2
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    mmdebstrap --quiet --variant=minbase "$release" "$root/debian.tar"
    debian=localhost/sre-debian:$release
    podman import --quiet "$root/debian.tar" "$debian"
  fi
  podman build --quiet --build-arg "DEBIAN=$debian" --tag "localhost/sre-base:$release" base
fi
podman build --quiet --tag "localhost/sre-$1" "$1"
