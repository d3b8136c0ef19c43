#!/usr/bin/env bash
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Run molecule on one scenario: tools/molecule.sh SCENARIO COMMAND [OPTION...], COMMAND being test, converge, verify, login, destroy.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
scenario=$1 command=$2
shift 2

export MOLECULE_GLOB='molecule/*/molecule.yml'
# Molecule's own choice depends on the name of the checkout alone, so that two checkouts would share it.
export MOLECULE_EPHEMERAL_DIRECTORY=$root/build/molecule/$scenario

# Runs that converge starts are nobody's history.
export SRE_RUNBOOKS_DIRECTORY=$root/build/molecule/$scenario/state

cd "$root"
exec tools/with_podman.sh molecule "$command" --scenario-name "$scenario" "$@"
