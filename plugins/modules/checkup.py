#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: checkup
short_description: Run many kinds of check in one call
version_added: 0.1.0
description:
  - Each option is a kind of check and takes what the module of that kind takes, without its O(budget) and O(fail_on).
  - All targets of all kinds are measured in one remote call, side by side.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  backup:
    description: See M(sre.runbooks.backup_check).
    type: dict
  certificate:
    description: See M(sre.runbooks.certificate_check).
    type: dict
  file:
    description: See M(sre.runbooks.file_check).
    type: dict
  goss:
    description: See M(sre.runbooks.goss_check).
    type: dict
  http:
    description: See M(sre.runbooks.http_check).
    type: dict
  integrity:
    description: See M(sre.runbooks.integrity_check).
    type: dict
  log:
    description: See M(sre.runbooks.log_check).
    type: dict
  login:
    description: See M(sre.runbooks.login_check).
    type: dict
  metric:
    description: See M(sre.runbooks.metric_check).
    type: dict
  mount:
    description: See M(sre.runbooks.mount_check).
    type: dict
  mysql:
    description: See M(sre.runbooks.mysql_check).
    type: dict
  package:
    description: See M(sre.runbooks.package_check).
    type: dict
  permission:
    description: See M(sre.runbooks.permission_check).
    type: dict
  phpfpm:
    description: See M(sre.runbooks.phpfpm_check).
    type: dict
  plugin:
    description: See M(sre.runbooks.plugin_check).
    type: dict
  process:
    description: See M(sre.runbooks.process_check).
    type: dict
  restore:
    description: See M(sre.runbooks.restore_proof).
    type: dict
  secret:
    description: See M(sre.runbooks.secret_check).
    type: dict
  service:
    description: See M(sre.runbooks.service_check).
    type: dict
  system:
    description: See M(sre.runbooks.system_check).
    type: dict
  wordpress:
    description: See M(sre.runbooks.wordpress_check).
    type: dict
  wordpress_value:
    description: See M(sre.runbooks.wordpress_value_check).
    type: dict
"""

EXAMPLES = r"""
- name: Check every file system
  sre.runbooks.checkup:
    mount: {}

- name: Check the host
  sre.runbooks.checkup:
    mount:
      targets: [{path: /}, {path: /var}]
      space: {warning: 80, critical: 90}
    file:
      targets: [{pattern: /var/backups/*.sql.gz}]
      age: {warning: 26, critical: 50}
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: ok
checks:
  description: One record for each judged value, in the order in which they were asked for.
  returned: always
  type: list
  elements: dict
"""

import importlib
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._door import run_many

if t.TYPE_CHECKING:  # Ansible ships to the host what it finds imported; a call loads only the kinds it asks for
    from ansible_collections.sre.runbooks.plugins.module_utils._checks import (  # noqa: F401
        backup,
        certificate,
        file,
        goss,
        http,
        integrity,
        log,
        login,
        metric,
        mount,
        mysql,
        package,
        permission,
        phpfpm,
        plugin,
        process,
        restore,
        secret,
        service,
        system,
        wordpress,
        wordpress_value,
    )

CHECKS = "ansible_collections.sre.runbooks.plugins.module_utils._checks"
KINDS = (
    "backup",
    "certificate",
    "file",
    "goss",
    "http",
    "integrity",
    "log",
    "login",
    "metric",
    "mount",
    "mysql",
    "package",
    "permission",
    "phpfpm",
    "plugin",
    "process",
    "restore",
    "secret",
    "service",
    "system",
    "wordpress",
    "wordpress_value",
)


def main() -> None:
    run_many(KINDS, lambda kind: importlib.import_module(f"{CHECKS}.{kind}"))


if __name__ == "__main__":
    main()
