#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: metric_check
short_description: Check values that are measured elsewhere
version_added: 0.1.0
description:
  - Reads named values from JSON, from a Prometheus server or from an exposition page, and judges each by its limits.
  - The source is asked once for all of its values, Prometheus once for each.
  - A source that does not answer, an error, a web page where JSON belongs, an empty result, null, NaN, and text or true or
    false where a number belongs are C(unknown), for each value under its own name.
author: [sre.runbooks contributors (@sre-runbooks)]
requirements:
  - python3-jmespath, on the host that looks, for values of JSON
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The sources to read. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      url:
        description: Address of the document or page. For O(targets[].format=prometheus) that of the server, without C(/api).
        type: str
      file:
        description: A file on the host, such as what the node exporter's textfile collector reads.
        type: path
      data:
        description: The document itself, such as what another task has registered.
        type: raw
      format:
        description:
          - V(json) reads a JSON document.
          - V(prometheus) asks a server in PromQL, V(exposition) reads the page that a Prometheus server would read.
        type: str
        choices: [json, prometheus, exposition]
        default: json
      connect_to:
        description: Where to connect instead of to the host of O(targets[].url), an address, V(address:port) or the path of a unix socket.
        type: str
      values:
        description: The values to judge. A target in reports and history is the name of the source followed by that of the value.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: What to call the value.
            type: str
            required: true
          get:
            description: Where it is, a JMESPath expression, a PromQL query, or a selector C(name{label="value"}) of the page.
            type: str
            required: true
          limits:
            description:
              - The limits of the value. A lone number is the most that is fine, V(95..) the least.
              - Without limits the value is recorded for its trend, and only its absence is a finding.
            type: dict
            suboptions:
              warning: {description: The last value that is fine., type: str}
              critical: {description: The last value that is not critical., type: str}
          unit:
            description: The unit of the value and its limits, as it is to be shown.
            type: str
            default: ""
          states:
            description:
              - For a value that is a word or true or false, what its words mean, V(ok), V(warning) or V(critical).
              - Case does not matter. A word that is not listed is C(unknown).
            type: dict
          series:
            description:
              - What to do with several series. V(one) expects a single one and is C(unknown) for more.
              - V(each) makes a target of each, with its labels in its name. The others judge one number of all.
            type: str
            choices: [one, each, max, min, sum, mean]
            default: one
      name:
        description: What to call the source in reports and history. By default its address or path without secrets.
        type: str
      headers: &headers
        description:
          - Headers to send. They are shown in logs, so secrets belong into O(secret_headers).
          - Like everything that is given here, they go to the host of the address and to no other it redirects to.
        type: dict
      secret_headers: &secret_headers
        description: Headers whose values are secrets, C(Authorization) or an API key. A refusal is C(unknown), it is our sight.
        type: dict
      secret_parameters: &secret_parameters
        description: Parameters for the query of the address whose values are secrets.
        type: dict
      username: &username
        description: User for HTTP basic authentication.
        type: str
      password: &password
        description: Password for HTTP basic authentication.
        type: str
      login: &login
        description:
          - Log in with a form first, and look with the cookies that this gives.
          - The form is read from the page, hidden fields such as CSRF tokens included, so WordPress, Laravel and most
            others need no more than O(login.url), O(login.username) and O(login.password).
          - A login that is not accepted makes the target C(unknown).
        type: dict
        suboptions: &login_options
          url: {description: The page with the login form., type: str}
          username: {description: Who logs in. Best a user of its own with few rights., type: str}
          password: {description: The password of that user., type: str}
          username_field: {description: The field for the name where the page does not tell., type: str}
          password_field: {description: The field for the password where the page does not tell., type: str}
          fields: {description: Further fields to send., type: dict}
      proxy: &proxy
        description:
          - An HTTP proxy, V(http://host:port), or V(direct) for none. By default what the environment says, C(https_proxy),
            C(http_proxy) and C(no_proxy).
          - A proxy that is not there or refuses us is C(unknown).
        type: str
      family: &family
        description: Whether to use IPv4, IPv6 or what the name leads to.
        type: str
        choices: [any, ipv4, ipv6]
      validate_certs: &validate_certs
        description: Whether certificates are verified. For a private authority rather give O(ca_path).
        type: bool
      ca_path: &ca_path
        description: A file or a directory with certificates of authorities to trust besides those of the system.
        type: path
      client_cert: &client_cert
        description: A file with a client certificate, its chain and perhaps its key.
        type: path
      client_key: &client_key
        description: A file with the key of O(client_cert), without a passphrase.
        type: path
      retries: &retries
        description:
          - How often a request is repeated that got no answer or a status of 500 and more that is not expected.
          - Every retry is recorded with its reason.
        type: int
      request_timeout: &request_timeout
        description: How long one request may take as a whole, redirects and body included, in seconds.
        type: float
      timeout: &timeout
        description: How long one target may take with all of its requests, in seconds.
        type: float
  headers: {<<: *headers, default: {}}
  secret_headers: {<<: *secret_headers, default: {}}
  secret_parameters: {<<: *secret_parameters, default: {}}
  username: *username
  password: *password
  login: *login
  proxy: *proxy
  family: {<<: *family, default: any}
  validate_certs: {<<: *validate_certs, default: true}
  ca_path: *ca_path
  client_cert: *client_cert
  client_key: *client_key
  retries: {<<: *retries, default: 1}
  request_timeout: {<<: *request_timeout, default: 10.0}
  timeout: {<<: *timeout, default: 30.0}
"""

EXAMPLES = r"""
- name: Check the health document of the application
  sre.runbooks.metric_check:
    targets:
      - url: http://127.0.0.1:3000/health
        name: app
        values:
          - {name: database, get: checks.database.status, states: {up: ok, degraded: warning, down: critical}}
          - {name: queue, get: checks.queue.waiting, limits: {warning: 1000, critical: 5000}, unit: jobs}

- name: Check the web vitals that visitors see, with a token
  sre.runbooks.metric_check:
    targets:
      - url: https://app.example.org/api/metrics/performance
        name: vitals
        values:
          - {name: LCP, get: performance.lcp.p75, limits: {warning: 2500, critical: 4000}, unit: ms}
          - {name: CLS, get: performance.cls.p75, limits: {warning: 0.1, critical: 0.25}}
          - {name: threat level, get: security.threat_level, states: {low: ok, medium: warning, high: critical}}
    secret_headers:
      Authorization: "Bearer {{ vault_metrics_token }}"

- name: Check rates and percentiles in Prometheus
  sre.runbooks.metric_check:
    targets:
      - url: http://prometheus.example.org:9090
        format: prometheus
        name: api
        values:
          - name: p95
            get: histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))
            limits: {warning: 0.5, critical: 1}
            unit: s
          - name: error rate
            get: 100 * sum(rate(http_requests_total{status=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))
            limits: {warning: 0.1, critical: 1}
            unit: "%"
          - {name: up, get: up, limits: {critical: "1.."}, series: each}

- name: Check what an exporter says, without a Prometheus server
  sre.runbooks.metric_check:
    targets:
      - file: /var/lib/prometheus/node-exporter/backup.prom
        format: exposition
        name: backup
        values:
          - {name: last, get: 'backup_age_hours{set="database"}', limits: {warning: 26, critical: 50}, unit: hours}
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: unknown
checks:
  description: One record for each judged value, see the description of the contract in C(docs/contract.md).
  returned: always
  type: list
  elements: dict
  sample:
    - id: metric.value
      target: app queue
      status: warning
      summary: is 1,240 jobs
      value: 1240
      unit: jobs
      warning: "1000"
      critical: "5000"
      detail: {get: checks.queue.waiting}
      seconds: 0.021
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import metric
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(metric)


if __name__ == "__main__":
    main()
