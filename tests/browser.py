# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Show pages to a headless Chromium: from a server on the loopback interface, with a profile of its own, no network."""

from __future__ import annotations

import contextlib
import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import tempfile
import threading
import typing as t
from pathlib import Path

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002
        """Keep the path instead of printing it."""
        t.cast("t.Any", self.server).asked.append(self.path)


@contextlib.contextmanager
def serve(directory: Path) -> t.Iterator[tuple[str, list[str]]]:
    """The address of a server of this directory, and the paths that it is asked for."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=directory)) as server:
        asked: list[str] = []
        t.cast("t.Any", server).asked = asked
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def chromium(*arguments: str) -> str:
    """What one call of the browser prints."""
    if not shutil.which("chromium"):
        raise RuntimeError("chromium is not installed; tools/system-packages.txt has it")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def measure(page: Path, width: int, height: int, script: str) -> t.Any:
    """What a script finds in a page of this size: the value of ``script``, where ``page`` is the document."""
    frame = f"""<body><iframe src="{page.name}" width="{width}" height="{height}" style="border:0"></iframe><script>
    document.querySelector("iframe").onload = event => {{
      const page = event.target.contentDocument
      const found = (() => {{ {script} }})()
      document.body.textContent = "found:" + JSON.stringify(found) + ":end"
    }}</script>"""
    (page.parent / "frame.html").write_text(frame, encoding="utf-8")
    with serve(page.parent) as (address, asked):
        shown = chromium(f"--window-size={max(width, 800)},{height}", "--dump-dom", f"{address}/frame.html")
    found = re.search(r"found:(.*):end", shown, re.DOTALL)
    if not found:
        raise RuntimeError(f"the page was not loaded: {shown[:500]}")
    return {"found": json.loads(html.unescape(found[1])), "asked": asked}


def photograph(page: Path, picture: Path, width: int, height: int, *, scale: float = 1, dark: bool = False) -> None:
    """A picture of the top of a page, so many pixels of the page wide and high."""
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    scheme.append(f"--force-device-scale-factor={scale}")
    with serve(page.parent) as (address, _asked):
        size = f"--window-size={width},{height}"
        chromium(size, *scheme, f"--screenshot={picture}", f"{address}/{page.name}")
