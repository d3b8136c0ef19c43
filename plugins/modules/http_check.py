#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: http_check
short_description: Check that web addresses answer as they should
version_added: 0.1.0
description:
  - Asks as a visitor does, and judges status, certificate, where redirects lead, content, size and latency.
  - To be reachable is the promise. A refused connection, a name that does not exist, a time-out, an answer that breaks
    off and an unexpected status are C(critical). C(unknown) is what says that we cannot look, a refused login, the
    resolver or the proxy of the host that looks.
  - A redirect to a login page is C(critical) unless O(targets[].final_url) expects it, even when the login page answers with 200.
  - The look is from the host that runs the module. Give C(delegate_to) to look from elsewhere.
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description: The addresses to ask. Every option of the task can be given again for one target.
    type: list
    elements: dict
    required: true
    suboptions:
      url:
        description: The address, V(https://host/path). Without credentials, which would be shown.
        type: str
        required: true
      connect_to:
        description:
          - Where to connect instead of to the host of O(targets[].url), an address, V(address:port), V([address]:port) or the path of a
            unix socket. Name and certificate are still those of the address.
          - One server behind a load balancer can be asked in this way.
        type: str
      method:
        description: The method of the request. V(HEAD) checks a download without its content.
        type: str
        choices: [GET, HEAD, OPTIONS, POST, PUT]
        default: GET
      body:
        description: What to send, form fields unless O(headers) has a C(Content-Type). It is kept out of logs.
        type: str
      name:
        description: What to call the target in reports and history. By default its O(targets[].url) without secrets.
        type: str
      status: &status
        description: Statuses that are expected. A redirect whose status is expected is not followed.
        type: list
        elements: int
      final_url: &final_url
        description:
          - Where the address has to lead, as a shell pattern such as V(https://www.example.org/*).
          - Without it the answer may come from anywhere but a login page, and a step from https back to http is a C(warning).
        type: str
      content_type: &content_type
        description: The media type of the answer without its parameters, as a shell pattern such as V(text/html) or V(image/*).
        type: str
      contains: &contains
        description: Texts that the answer has to hold, each of them, to the letter.
        type: list
        elements: str
      lacks: &lacks
        description: Texts that the answer must not hold, to the letter. By default errors that PHP shows to visitors.
        type: list
        elements: str
      tls:
        description: &tls
          - How long the certificate still has to be valid, in days. Of several on the way, the first to end counts.
          - That it is trusted is judged in any case. M(sre.runbooks.certificate_check) looks closer.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      size:
        description: &size How large the answer may be, decompressed, in bytes, as V(low..high). An empty one is critical by default.
        type: dict
        suboptions: *levels
      latency:
        description: &latency How long 95 % of the requests may take from the look-up of the name to the last byte, in milliseconds.
        type: dict
        suboptions: *levels
      samples: &samples
        description: How many requests are made, one after the other, 1 to 20.
        type: int
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
  status: {<<: *status, default: [200]}
  final_url: *final_url
  content_type: *content_type
  contains: {<<: *contains, default: []}
  lacks:
    <<: *lacks
    default: ["<b>Fatal error</b>:", "<b>Parse error</b>:", "<b>Warning</b>:", "<b>Deprecated</b>:"]
  tls:
    description: *tls
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "10"}
      critical: {description: *critical, type: str, default: "3"}
  size:
    description: *size
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "1.."}
  latency:
    description: *latency
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "2000"}
      critical: {description: *critical, type: str, default: "5000"}
  samples: {<<: *samples, default: 3}
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
- name: Check that the site answers
  sre.runbooks.http_check:
    targets: [{url: https://www.example.org/}]

- name: Check from the outside that visitors reach the shop, and that http leads to https
  sre.runbooks.http_check:
    targets:
      - url: https://shop.example.org/
        contains: [Add to cart]
        latency: {warning: 800, critical: 2000}
        samples: 5
      - url: http://shop.example.org/
        final_url: https://shop.example.org/
        name: shop, unencrypted
  delegate_to: localhost

- name: Check the dashboard of WordPress, logged in
  sre.runbooks.http_check:
    targets:
      - url: https://www.example.org/wp-admin/
        name: dashboard
        final_url: https://www.example.org/wp-admin/
        content_type: text/html
        contains: ['id="wpadminbar"']
        lacks: [There has been a critical error, "<b>Fatal error</b>:", "<b>Warning</b>:"]
        latency: {warning: 2000, critical: 5000}
        samples: 5
        login:
          url: https://www.example.org/wp-login.php
          username: runbook
          password: "{{ vault_runbook_password }}"

- name: Check the login page itself, and the REST interface with an application password
  sre.runbooks.http_check:
    targets:
      - url: https://www.example.org/wp-login.php
        contains: ['name="pwd"']
      - url: https://www.example.org/wp-json/wp/v2/users/me
        content_type: application/json
        username: runbook
        password: "{{ vault_application_password }}"

- name: Check every server behind the load balancer, and the application behind its socket
  sre.runbooks.http_check:
    targets:
      - {url: "https://www.example.org/health", connect_to: 192.0.2.11, name: web 1}
      - {url: "https://www.example.org/health", connect_to: "[2001:db8::12]:8443", name: web 2}
      - {url: "http://localhost/ping", connect_to: /run/php/app.sock, name: app, contains: [pong]}
    ca_path: /etc/ssl/private-ca.pem
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: ok
checks:
  description: One record for each judged value, see the description of the contract in C(docs/contract.md).
  returned: always
  type: list
  elements: dict
  sample:
    - id: http.latency
      target: https://www.example.org/
      status: ok
      summary: the slowest of 3 requests took 184 ms, the median 120 ms
      value: 184.2
      unit: ms
      warning: "2000"
      critical: "5000"
      detail: {p50_ms: 120.4, p95_ms: 184.2, max_ms: 184.2, requests: 3, asked: 3}
      seconds: 0.431
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import http
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(http)


if __name__ == "__main__":
    main()
