# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.sre.runbooks.plugins.plugin_utils import _trend
from ansible_collections.sre.runbooks.plugins.plugin_utils._past import LookBack


class ActionModule(LookBack):
    """Judge how values of the host have developed. Documented in the module of the same name."""

    kind = _trend
