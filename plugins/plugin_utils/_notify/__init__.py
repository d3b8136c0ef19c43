# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Tell people: ``settings`` says whom and about what, ``message`` in which words, ``delivery`` sees to it that it arrives."""

from __future__ import annotations

from ansible_collections.sre.runbooks.plugins.plugin_utils._notify.delivery import deliver
from ansible_collections.sre.runbooks.plugins.plugin_utils._notify.message import Message, chosen, text
from ansible_collections.sre.runbooks.plugins.plugin_utils._notify.settings import Notifier, read

__all__ = ["Message", "Notifier", "chosen", "deliver", "read", "text"]
