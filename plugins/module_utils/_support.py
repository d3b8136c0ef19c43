# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Until when the releases of distributions get security updates at no extra charge.

Data, looked up when the release does not tell it itself (``SUPPORT_END`` of ``os-release``: Fedora, Amazon Linux 2023).
"""

from __future__ import annotations

AS_OF = "2026-11-21"
"""When the table was last compared with its sources."""

SOURCES = {
    "debian": "Debian's distro-info-data, end of LTS",
    "ubuntu": "Ubuntu's distro-info-data, end of standard support",
    "rhel": "Red Hat Enterprise Linux life cycle, end of maintenance support",
    "centos": "CentOS project, end of life",
    "rocky": "Rocky Linux wiki, end of life",
    "almalinux": "AlmaLinux wiki, end of security support",
    "ol": "Oracle Linux lifetime support policy, end of premier support",
    "amzn": "Amazon Linux FAQ, end of support",
}

UNTIL: dict[tuple[str, str], str] = {
    ("debian", "9"): "2022-06-30",
    ("debian", "10"): "2024-06-30",
    ("debian", "11"): "2026-08-31",
    ("debian", "12"): "2028-06-30",
    ("debian", "13"): "2030-06-30",
    ("ubuntu", "16.04"): "2021-04-30",
    ("ubuntu", "18.04"): "2023-05-31",
    ("ubuntu", "20.04"): "2025-05-29",
    ("ubuntu", "22.04"): "2027-06-01",
    ("ubuntu", "24.04"): "2029-05-31",
    ("ubuntu", "24.10"): "2025-07-10",
    ("ubuntu", "25.04"): "2026-01-15",
    ("ubuntu", "25.10"): "2026-07-09",
    ("ubuntu", "26.04"): "2031-05-29",
    ("rhel", "7"): "2024-06-30",
    ("rhel", "8"): "2029-05-31",
    ("rhel", "9"): "2032-05-31",
    ("rhel", "10"): "2035-05-31",
    ("centos", "7"): "2024-06-30",
    ("centos", "8"): "2021-12-31",
    ("rocky", "8"): "2029-05-31",
    ("rocky", "9"): "2032-05-31",
    ("rocky", "10"): "2035-05-31",
    ("almalinux", "8"): "2029-05-31",
    ("almalinux", "9"): "2032-05-31",
    ("almalinux", "10"): "2035-05-31",
    ("ol", "8"): "2029-07-31",
    ("ol", "9"): "2032-06-30",
    ("amzn", "2"): "2026-06-30",
}
"""(``ID``, ``VERSION_ID`` of os-release, or its part before the dot) → the last day."""
