# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test on a copy of the working tree, lying where ansible-test wants it.

Usage: python tools/collection_test.py sanity [OPTION...]
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build/ansible-test"
STAGE = WORK / "ansible_collections/sre/runbooks"
# ansible-test keeps its virtual environments and its get-pip.py under the home directory: give it one of its own.
HOME = WORK / "home"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
GET_PIP = '''\
"""Stand-in for get-pip.py, which would be downloaded: the interpreter's own pip, then what ansible-test asked for."""
import subprocess
import sys

# In a process of its own: ensurepip turns pip's configuration off in the one it runs in.
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])
wanted = [arg for arg in sys.argv[1:] if not arg.startswith("--no-")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "-q", *wanted]))
'''


def stage() -> None:
    """Copy what git tracks, or would track, and give the copy a git of its own.

    Without that ansible-test asks the git around it, which ignores build/, and passes on no files at all.
    """
    shutil.rmtree(STAGE, ignore_errors=True)
    listing = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ":!collections", ":!molecule"],
        cwd=ROOT,
        text=True,
    )
    for name in filter(None, listing.split("\0")):
        source = ROOT / name
        if source.is_file():
            target = STAGE / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    subprocess.check_call(["git", "init", "-q", "."], cwd=STAGE)


def allow_requirements() -> None:
    """Let what runs on the controller import what requirements.txt installs there.

    ansible-test imports every plugin with nothing but Ansible in reach. For what runs on the hosts that is the point.
    """
    on_hosts = {"doc_fragments", "module_utils", "modules"}
    files = (path.relative_to(STAGE) for path in STAGE.glob("plugins/*/**/*.py"))
    lines = [f"{path} import-{PYTHON}!skip\n" for path in files if path.parts[1] not in on_hosts]
    lines.append("tests/integration/broken_backups.py pep8!skip\n")  # a row of its table is a line
    core = ".".join(metadata.version("ansible-core").split(".")[:2])
    ignore = STAGE / f"tests/sanity/ignore-{core}.txt"
    ignore.parent.mkdir(exist_ok=True)
    ignore.write_text("".join(sorted(lines)), encoding="utf-8")


def provide_pip() -> None:
    """Lay the stand-in where ansible-test caches get-pip.py, under the versions that it asks for."""
    spec = find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("ansible-test is not installed: make setup")
    source = Path(spec.submodule_search_locations[0]) / "_internal/python_requirements.py"
    versions = re.findall(r"^\s+pip='([0-9.]+)'", source.read_text(encoding="utf-8"), re.MULTILINE)
    cache = HOME / ".ansible/test/cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in versions:
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP, encoding="utf-8")


def main() -> int:
    """Run ansible-test with the arguments given, on the interpreter that runs this."""
    stage()
    allow_requirements()
    provide_pip()
    config = os.environ.get("XDG_CONFIG_HOME", str(Path.home() / ".config"))
    environment = {**os.environ, "HOME": str(HOME), "XDG_CONFIG_HOME": config}  # pip's settings still hold
    command = ["ansible-test", *sys.argv[1:], "--python", PYTHON]
    return subprocess.call(command, cwd=STAGE, env=environment)


if __name__ == "__main__":
    sys.exit(main())
