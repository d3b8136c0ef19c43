# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the pictures of the documentation anew, from sample reports.

``python tools/pictures.py [DIRECTORY]``: with a directory, the sample reports themselves are left there to look at.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

ROOT = Path(__file__).resolve().parents[1]
os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
init_plugin_loader()

from ansible_collections.sre.runbooks.plugins.plugin_utils._render import html
from ansible_collections.sre.runbooks.tests import samples
from ansible_collections.sre.runbooks.tests.browser import photograph


def main(directory: Path) -> None:
    """Write the sample reports into a directory, and photograph one."""
    for make in (samples.all_ok, samples.mixed, samples.fleet):
        (directory / f"{make.__name__}.html").write_text(html.render(make()), encoding="utf-8")
    photograph(directory / "mixed.html", ROOT / "docs" / "images" / "report.png", 1040, 1500, scale=0.7)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
