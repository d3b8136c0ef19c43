# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The login form of a page: the form with a password field, and what else it wants to be sent."""

from __future__ import annotations

import dataclasses
import html.parser
import typing as t


@dataclasses.dataclass
class LoginForm:
    """``username`` and ``password`` are names of fields, empty where there are none; ``fields`` is sent along as it is."""

    action: str = ""
    username: str = ""
    password: str = ""
    fields: dict[str, str] = dataclasses.field(default_factory=dict)


class _Forms(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms = [LoginForm()]  # fields outside of any form belong to a first form without action

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        if tag == "form":
            self.forms.append(LoginForm(action=attributes.get("action", "")))
        elif tag == "input":
            self._input(attributes.get("type", "text").lower(), attributes.get("name", ""), attributes.get("value", ""))

    def _input(self, kind: str, name: str, value: str) -> None:
        form = self.forms[-1]
        if kind == "password":
            form.password = form.password or name or "password"
        elif kind in ("text", "email", "tel"):
            form.username = form.username or name
        elif kind in ("hidden", "submit") and name:
            form.fields[name] = value


def find(page: str) -> LoginForm:
    """The first form with a password field; an empty one where no form has any."""
    parser: t.Any = _Forms()
    if "<input" in page.lower():
        parser.feed(page)
    return next((form for form in parser.forms if form.password), LoginForm())
