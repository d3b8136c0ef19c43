# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of the design that a machine can see. A new kind, module, role or playbook is found and checked by itself.

That every check has been seen ok, red and unknown is watched while the tests run, by ``tests/unit/conftest.py``.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.testing import patch_module_args
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring

from ansible_collections.sre.runbooks.plugins.module_utils._check import LimitsSpec
from ansible_collections.sre.runbooks.plugins.module_utils._door import CALL, options, plan
from ansible_collections.sre.runbooks.plugins.plugin_utils._catalogue import promises

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.sre.runbooks"
FQCN = "sre.runbooks."

KINDS = sorted(path.stem for path in (ROOT / "plugins/module_utils/_checks").glob("*.py") if path.stem != "__init__")
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py") if path.stem != "__init__")
ROLES = sorted(path.name for path in (ROOT / "roles").glob("*/"))
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
TARGET_SIDE = sorted([*(ROOT / "plugins/module_utils").rglob("*.py"), *(ROOT / "plugins/modules").glob("*.py")])
PAGES = sorted((ROOT / "docs/runbooks").glob("*.md"))

VERBS = {
    "announce", "apply", "back", "backup", "bisect", "clean", "collect", "deploy", "drain", "fail", "flush", "harden", "install",
    "maintain", "migrate", "move", "notify", "open", "optimize", "patch", "prepare", "promote", "provision", "prune",
    "reboot", "rehearse", "renew", "repair", "restart", "restore", "resume", "roll", "rotate", "scale", "schedule",
    "set", "snapshot", "stop", "switch", "sync", "take", "tune", "update", "upgrade", "verify", "write",
}  # fmt: skip
"""How the name of a procedure begins. A role that begins otherwise is a check role, which only wires."""

PREPARATIONS = ("prerequisites",)
"""Roles that are neither: they make a host ready to be checked."""

NO_IO = {
    "asyncio", "ctypes", "fcntl", "ftplib", "glob", "http", "imaplib", "multiprocessing", "os", "pathlib", "poplib",
    "pty", "requests", "select", "selectors", "shutil", "signal", "smtplib", "socket", "sqlite3", "ssl", "subprocess",
    "tempfile", "threading", "time", "urllib.request",
}  # fmt: skip

PLACEHOLDER = "REPLACE_ME"

SECTIONS = ["What it means", "First look", "Fix", "Escalate"]

UNITS = {"%": "percent", "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds"}
"""The unit of a limit → the word for it in the description of the option. Other units stand there as they are."""


def kind_of(name: str) -> Any:
    return importlib.import_module(f"{COLLECTION}.plugins.module_utils._checks.{name}")


def module_of(kind: str) -> str:
    return str(getattr(kind_of(kind), "MODULE", f"{kind}_check"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def imported(nodes: Iterator[ast.AST] | list[ast.stmt]) -> Iterator[str]:
    """The full names of the modules, and of the things in them, that import statements name."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def acts_on_the_controller(module: str) -> bool:
    """Whether an action plugin of the same name reads the options of a module."""
    return (ROOT / f"plugins/action/{module}.py").is_file()


def within(name: str, packages: set[str]) -> bool:
    """Whether a full name is one of the packages, or lies in one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


every_kind = pytest.mark.parametrize("kind", KINDS)
every_id = pytest.mark.parametrize(
    ("check_id", "promise"), [item for kind in KINDS for item in kind_of(kind).CHECKS.items()], ids=lambda value: value
)
every_module = pytest.mark.parametrize("module", MODULES)
every_module_that_runs_on_hosts = pytest.mark.parametrize(
    "module", [name for name in MODULES if not acts_on_the_controller(name)]
)
every_role = pytest.mark.parametrize("role", ROLES)
every_file_of_the_target_side = pytest.mark.parametrize("path", TARGET_SIDE, ids=name_of)


# Checks and their promises


@every_id
def test_a_check_id_says_its_kind_and_its_property(check_id: str, promise: str) -> None:
    kind, dot, judged = check_id.partition(".")
    assert kind in KINDS, f"{check_id} begins with its kind, the name of the file that declares it"
    assert check_id in kind_of(kind).CHECKS
    assert dot
    assert re.fullmatch(r"[a-z][a-z0-9_]*", judged)


@every_id
def test_a_promise_is_one_sentence(check_id: str, promise: str) -> None:
    assert re.fullmatch(r"[A-Z0-9`][^\n]*[^.]\.", promise), f"{check_id}: a capital, one line, a full stop: {promise!r}"


@every_id
def test_a_check_has_a_page_for_the_night(check_id: str, promise: str) -> None:
    path = ROOT / f"docs/runbooks/{check_id}.md"
    assert path.is_file(), f"write {name_of(path)}: what it means, what to look at first, how to fix it, whom to call"
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines[:2] == [f"# {check_id}", promise], "the page begins with the id and the promise, as CHECKS has it"
    assert re.findall(r"(?m)^## (.+)$", text) == SECTIONS
    empty = [title for title in SECTIONS if not text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0].strip()]
    assert not empty


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_belongs_to_a_check(path: Path) -> None:
    assert path.stem in promises(), "no check has this id"


@every_kind
def test_a_kind_has_what_the_doors_ask_for(kind: str) -> None:
    module = kind_of(kind)
    assert module.CHECKS
    assert module.TARGET or hasattr(module, "name"), "its first option names the target"
    assert isinstance(module.TUNING, dict)
    assert not set(module.TARGET) & set(module.TUNING), "an option identifies a target or tunes it"
    assert inspect.isgeneratorfunction(module.measure), "measure() yields its checks"
    assert list(inspect.signature(module.measure).parameters) == ["target"]
    assert module.__doc__


@every_kind
def test_a_kind_has_tests(kind: str) -> None:
    assert (ROOT / f"tests/unit/plugins/module_utils/_checks/test_{kind}.py").is_file()


@every_kind
def test_a_kind_does_no_io(kind: str) -> None:
    tree = tree_of(ROOT / f"plugins/module_utils/_checks/{kind}.py")
    assert not [name for name in imported(ast.walk(tree)) if within(name, NO_IO)], "this belongs into a probe"
    calls = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert not {"open", "exec", "eval", "__import__"} & set(calls)


@every_kind
def test_a_kind_does_not_compare_with_limits(kind: str) -> None:
    """Only ``Check.judge`` does: a bound that is fine here and not there is a bug nobody finds."""
    limits = {option for option, spec in kind_of(kind).TUNING.items() if isinstance(spec, LimitsSpec)}
    tree = tree_of(ROOT / f"plugins/module_utils/_checks/{kind}.py")
    for comparison in (node for node in ast.walk(tree) if isinstance(node, ast.Compare)):
        operands = [comparison.left, *comparison.comparators]
        for node in (node for operand in operands for node in ast.walk(operand)):
            limit = (
                isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value in limits
            )
            target = limit and isinstance(node, ast.Subscript) and ast.unparse(node.value) == "target"
            assert not target, f"line {comparison.lineno} compares with a limit: {ast.unparse(comparison)}"
    assert "interval" not in {name.rpartition(".")[2] for name in imported(ast.walk(tree))}


def test_nothing_is_left_to_be_filled_in() -> None:
    """``tools/new_check.py`` marks what only the author of a check can write."""
    places = [ROOT / place for place in ("plugins", "docs", "changelogs/fragments", "roles", "playbooks")]
    paths = [path for place in places for path in place.rglob("*") if path.suffix in (".py", ".md", ".yml")]
    assert [name_of(path) for path in paths if PLACEHOLDER in path.read_text(encoding="utf-8")] == []


# Layers


@every_file_of_the_target_side
def test_what_runs_on_hosts_parses_as_python_3_8(path: Path) -> None:
    tree_of(path)


@every_file_of_the_target_side
def test_what_runs_on_hosts_needs_nothing_of_the_controller(path: Path) -> None:
    ours, ansible = {f"{COLLECTION}.plugins.module_utils"}, {"ansible.module_utils"}
    tree = tree_of(path)
    foreign = [
        name
        for name in imported(ast.walk(tree))
        if within(name, {"ansible", "ansible_collections", "sqlalchemy", "jinja2", "apprise"})
        and not within(name, ours | ansible)
    ]
    assert not foreign, "the host has none of this"
    optional = [
        name
        for name in imported(tree.body)
        if name.partition(".")[0] not in sys.stdlib_module_names and not within(name, ours | ansible)
    ]
    assert not optional, "import a client library in the function that needs it: missing, it is Unmeasurable"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "plugins/module_utils/_probe").glob("*.py")), ids=lambda path: path.stem
)
def test_a_probe_knows_no_verdict(path: Path) -> None:
    names = set(imported(ast.walk(tree_of(path))))
    contract = f"{COLLECTION}.plugins.module_utils._check"
    assert {name for name in names if within(name, {contract})} <= {f"{contract}.Unmeasurable"}
    for layer in ("_door", "_checks", "_adapt"):
        assert not [name for name in names if within(name, {f"{COLLECTION}.plugins.module_utils.{layer}"})]
    assert path.stem == "_command" or "subprocess" not in names, "commands are run by _probe/_command.py"


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").rglob("*.py")), ids=name_of)
def test_no_command_goes_through_a_shell(path: Path) -> None:
    for call in (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)):
        assert ast.unparse(call.func) not in {
            "os.system",
            "os.popen",
            "subprocess.getoutput",
            "subprocess.getstatusoutput",
        }
        assert not [
            keyword
            for keyword in call.keywords
            if keyword.arg in {"shell", "use_unsafe_shell"}
            and not (isinstance(keyword.value, ast.Constant) and not keyword.value.value)
        ]


# Modules and their documentation


def documented(module: str) -> dict[str, Any]:
    path = ROOT / f"plugins/modules/{module}.py"
    doc, *_ = get_docstring(str(path), fragment_loader, collection_name="sre.runbooks", plugin_type="module")
    assert doc, "no DOCUMENTATION"
    return dict(doc)


def specified(module: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a module hands to AnsibleModule."""
    given: dict[str, Any] = {}

    class Captured(BaseException):
        pass

    def capture(_self: object, argument_spec: dict[str, Any], **arguments: Any) -> None:
        given.update({**arguments, "argument_spec": argument_spec})
        raise Captured

    monkeypatch.setattr(basic.AnsibleModule, "__init__", capture)
    with patch_module_args({}), pytest.raises(Captured):
        importlib.import_module(f"{COLLECTION}.plugins.modules.{module}").main()
    return given


def disagreements(docs: dict[str, Any], spec: dict[str, Any], path: str = "") -> Iterator[str]:
    """Where the documentation of options and their argument spec differ, as sentences."""
    for option in sorted(docs.keys() - spec.keys()):
        yield f"{path}{option} is documented, and is not an option"
    for option in sorted(spec.keys() - docs.keys()):
        yield f"{path}{option} is not documented"
    for option in sorted(docs.keys() & spec.keys()):
        doc, real = docs[option], spec[option]
        same: list[tuple[str, Any, Any]] = [
            ("type", doc.get("type", "str"), real.get("type", "str")),
            ("elements", doc.get("elements"), real.get("elements")),
            ("default", doc.get("default"), real.get("default")),
            ("required", bool(doc.get("required")), bool(real.get("required"))),
            ("choices", list(doc.get("choices") or []), list(real.get("choices") or [])),
            ("aliases", sorted(doc.get("aliases") or []), sorted(real.get("aliases") or [])),
        ]
        for what, told, meant in same:
            if told != meant or isinstance(told, bool) != isinstance(meant, bool):
                yield f"{path}{option}: {what} is documented as {told!r}, and is {meant!r}"
        if "no_log" in doc:
            yield f"{path}{option}: no_log belongs into the spec, not into the documentation"
        yield from disagreements(doc.get("suboptions") or {}, real.get("options") or {}, f"{path}{option}.")


def secret_words(spec: dict[str, Any], path: str = "") -> Iterator[str]:
    """Options whose name sounds like a secret, and which do not say whether they hold one."""
    for option, real in spec.items():
        if (
            re.search(r"pass(word|phrase|wd)?$|secret|token|credential|private_key$|_key$", option)
            and "no_log" not in real
            and option not in KINDS
        ):
            yield path + option
        yield from secret_words(real.get("options") or {}, f"{path}{option}.")


@every_module_that_runs_on_hosts
def test_documentation_and_argument_spec_agree(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = specified(module, monkeypatch)["argument_spec"]
    assert list(disagreements(documented(module)["options"], spec)) == []


@every_module_that_runs_on_hosts
def test_secrets_are_kept_out_of_logs(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(secret_words(specified(module, monkeypatch)["argument_spec"])) == []


@every_module
def test_a_module_says_whether_it_supports_check_mode(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes = documented(module).get("attributes") or {}
    assert "support" in attributes.get("check_mode", {})
    if not acts_on_the_controller(module):
        supported = bool(specified(module, monkeypatch).get("supports_check_mode"))
        assert supported == (attributes["check_mode"]["support"] != "none")


@every_module
def test_a_module_is_documentation_and_a_few_lines(module: str) -> None:
    tree = tree_of(ROOT / f"plugins/modules/{module}.py")
    counted = [
        node
        for node in tree.body
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.If)
        and not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant))
    ]
    lines = sum((node.end_lineno or 0) - node.lineno + 1 for node in counted)
    assert lines <= 40, f"{lines} lines of code: the logic belongs into module_utils"


@every_module
def test_examples_can_be_used_as_they_stand(module: str) -> None:
    examples = importlib.import_module(f"{COLLECTION}.plugins.modules.{module}").EXAMPLES
    tasks = yaml.safe_load(examples)
    assert len(tasks) >= 2, "from the simple to the real"
    for task in tasks:
        assert re.fullmatch(r"[A-Z].*[^.]", task["name"]), "a task is named like a sentence, without a full stop"
    assert any(FQCN + module in str(task) for task in tasks)


@every_kind
def test_examples_of_a_kind_are_accepted(kind: str) -> None:
    module = importlib.import_module(f"{COLLECTION}.plugins.modules.{module_of(kind)}")
    for task in yaml.safe_load(module.EXAMPLES):
        given = task.get(FQCN + module_of(kind)) or {}
        if "{{" in str(given):
            continue
        own = {option: value for option, value in given.items() if option not in CALL}
        validated = ArgumentSpecValidator(options(kind_of(kind))).validate(own)
        assert not validated.error_messages, task["name"]
        plan(kind_of(kind), validated.validated_parameters)


@every_kind
def test_a_kind_has_its_module(kind: str) -> None:
    assert module_of(kind) in MODULES
    docs = documented(module_of(kind))
    assert docs["module"] == module_of(kind)
    assert docs["short_description"].startswith("Check ")


@every_kind
def test_the_documentation_of_a_limit_tells_its_unit(kind: str) -> None:
    docs = documented(module_of(kind))["options"]
    for option, spec in kind_of(kind).TUNING.items():
        if isinstance(spec, LimitsSpec) and spec.unit:
            description = " ".join(
                [docs[option]["description"]]
                if isinstance(docs[option]["description"], str)
                else docs[option]["description"]
            )
            assert UNITS.get(spec.unit, spec.unit) in description, f"{option}: {description}"


def test_every_kind_is_wired_into_checkup(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"{COLLECTION}.plugins.modules.checkup")
    assert list(module.KINDS) == KINDS
    assert sorted(specified("checkup", monkeypatch)["argument_spec"]) == sorted([*KINDS, *CALL])
    shipped = [
        name.rpartition(".")[2]
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.If)
        for name in imported(node.body)
    ]
    assert shipped == KINDS, "Ansible ships to the host what it finds imported"


def test_every_check_module_is_in_the_action_group() -> None:
    groups = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    assert groups["checks"] == ["checkup", *map(module_of, KINDS)]


# Roles and playbooks: YAML is for wiring


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def tasks_in(listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in listed:
        yield task
        for section in ("block", "rescue", "always"):
            yield from tasks_in(task.get(section) or [])


def is_check_role(role: str) -> bool:
    return role not in PREPARATIONS and not role.startswith("_") and role.partition("_")[0] not in VERBS


WIRING = {
    "name",
    "tags",
    "vars",
    "delegate_to",
    "become",
    "become_user",
    "environment",
    "module_defaults",
    "check_mode",
}
"""What a task of a check role may have besides its module."""


@pytest.mark.parametrize("role", [role for role in ROLES if is_check_role(role)])
def test_check_roles_only_wire(role: str) -> None:
    allowed = re.compile(rf"({re.escape(FQCN)}(checkup|[a-z0-9_]+_check)|ansible\.builtin\.(import|include)_tasks)")
    for path in sorted((ROOT / "roles" / role / "tasks").glob("*.yml")):
        for task in tasks_in(read(path)):
            rest = [key for key in task if key not in WIRING and not allowed.fullmatch(key)]
            assert not rest, f"{name_of(path)}: {task.get('name')}: a check role wires, it does not use {rest}"
        text = path.read_text(encoding="utf-8")
        assert "{%" not in text
        logic = [
            inner for inner in re.findall(r"\{\{(.*?)\}\}", text, re.DOTALL) if not re.fullmatch(r"\s*[\w.]+\s*", inner)
        ]
        assert not logic, f"{name_of(path)}: only {{{{ variable }}}}: {logic}"
    for folder in ("handlers", "templates", "vars", "files"):
        assert not (ROOT / "roles" / role / folder).exists()


@every_role
def test_defaults_of_a_role_equal_its_argument_specs(role: str) -> None:
    defaults = read(ROOT / f"roles/{role}/defaults/main.yml") or {}
    entries = read(ROOT / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    promised: dict[str, Any] = {}
    for entry, spec in entries.items():
        assert (ROOT / f"roles/{role}/tasks/{entry}.yml").is_file(), f"the entry point {entry} has no tasks"
        for option, about in (spec.get("options") or {}).items():
            assert about.get("description"), f"{option} is not described"
            assert option.startswith((f"{role}_", "sre_")), option
            if "default" in about:
                assert promised.setdefault(option, about["default"]) == about["default"], f"{option} has two defaults"
    assert defaults == {option: value for option, value in promised.items() if not option.startswith("sre_")}


@every_role
def test_variables_of_a_role_carry_its_name_and_a_comment(role: str) -> None:
    path = ROOT / f"roles/{role}/defaults/main.yml"
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        variable = re.match(r"([A-Za-z_]\w*):", line)
        if variable:
            assert variable[1].startswith(f"{role}_"), variable[1]
            assert "#" in line or lines[number - 1].startswith("#"), f"{variable[1]}: what is it, in which unit?"


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_playbook_can_be_run_by_its_full_name(path: Path) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", path.stem), "a hyphen would hide it from ansible-playbook sre.runbooks.NAME"
    plays = read(path)
    assert plays
    for play in plays:
        assert play["name"]
        if "hosts" in play:
            assert play.get("gather_facts") is False, f"{play['name']}: facts are not free, say gather_facts: false"
