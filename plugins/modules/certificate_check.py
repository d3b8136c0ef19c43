#!/usr/bin/python
# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_check
short_description: Check certificates where they are served and where they lie
version_added: 0.1.0
description:
  - Judges what a TLS server presents, directly or after STARTTLS, what lies in files (PEM, DER, PKCS#12), in Kubernetes
    TLS secrets and in kubeconfigs.
  - Judged are the expiry in days, by the share of the lifetime and of the whole chain; trust; host names; completeness
    and order of the chain; whether the key belongs to it; the strength of keys and signatures; whether the same
    certificate is found in several places; revocation lists and stapled OCSP responses.
  - Without O(targets) the certificate files of the services of this host are looked for. Having none is C(skipped).
  - All targets are measured side by side.
  - Whether a server can be reached is not what this module promises. A name that does not resolve, a connection that is
    refused or times out, an answer that is no TLS, a handshake that is refused are C(unknown), with the reason.
    M(sre.runbooks.http_check) promises that something answers.
  - A server that asks for a client certificate is measured all the same, it has shown its own by then.
  - What a chain is verified by is the C(openssl) of the host, and its CAs unless others are given. Nothing is fetched
    from the network besides the handshake, so no missing intermediate, revocation list or OCSP response.
  - The signature of a stapled OCSP response is not verified, its age and the certificate that it is about are.
requirements:
  - openssl, the command, 1.1.1 or newer
  - cryptography >= 38
  - PyYAML, for kubeconfigs that are not JSON
author: [sre.runbooks contributors (@sre-runbooks)]
extends_documentation_fragment:
  - sre.runbooks._check
options:
  targets:
    description:
      - The certificates to measure. Every option of the task can be given again for one target.
      - Each names one of O(targets[].host), O(targets[].path), O(targets[].secrets), O(targets[].kubeconfig),
        O(targets[].kubeconfig_data) and O(targets[].discover).
    type: list
    elements: dict
    suboptions:
      host: &host
        description: The server, by name or address. An international name may be written as it is.
        type: str
      port: &port
        description: The port. By default 443, or the usual one of O(targets[].starttls).
        type: int
      starttls: &starttls
        description: The protocol in which TLS is asked for first.
        type: str
        choices: [ftp, imap, ldap, lmtp, mysql, nntp, pop3, postgres, sieve, smtp, xmpp, xmpp-server]
      server_name: &server_name
        description:
          - The name to ask for by SNI, which the certificate has to be valid for.
          - By default O(targets[].host). Where that is an address, nothing is asked for by SNI, and the certificate has
            to be valid for the address.
        type: str
      path: &path
        description:
          - A file on the host with one certificate, a chain, a chain with its key, or a bundle of CAs, or a pattern
            that stands for several files. A pattern that matches nothing is C(unknown).
          - Of several certificates the one that belongs to the key is meant, or else the first that is no CA. In a
            bundle of CAs it is the first to expire.
        type: path
      passphrase: &passphrase
        description: What a PKCS#12 file or an encrypted private key is opened with.
        type: str
      secrets: &secrets
        description:
          - Kubernetes secrets of type C(kubernetes.io/tls), as M(kubernetes.core.k8s_info) returns them. Each becomes a
            target of its own.
          - An empty list is C(unknown), because whatever was to fill it found nothing.
        type: list
        elements: dict
        suboptions:
          apiVersion: {description: Not looked at., type: str}
          kind: {description: Not looked at., type: str}
          type: {description: Not looked at., type: str}
          immutable: {description: Not looked at., type: bool}
          metadata: {description: Where C(namespace) and C(name) stand., type: dict}
          data: {description: 'C(tls.crt) and C(tls.key), in base64.', type: dict}
      kubeconfig:
        description:
          - A kubeconfig on the host. Each certificate of a client or a CA in it becomes a target of its own.
        type: path
      kubeconfig_data:
        description: The text of a kubeconfig.
        type: str
      discover:
        description:
          - Measure the certificate files of the services of this host. Looked for are what certbot keeps in
            C(/etc/letsencrypt/live), what the configurations of nginx, Apache, HAProxy, Postfix, Dovecot, PostgreSQL and
            MariaDB name, and loose files in C(/etc/ssl). Files of CAs are left out.
          - What of it may not be read is C(unknown), so that nothing is passed over.
        type: bool
      names:
        description:
          - Names and addresses that the certificate has to be valid for, besides the one of the server.
          - Without them nothing is said about the names of a certificate in a file.
        type: list
        elements: str
      key_path:
        description: The file with the private key, where it does not lie with the certificate.
        type: path
      same_as:
        description:
          - Other places where the same certificate is expected, such as the file that the server should have loaded,
            or the other servers behind a balancer. A difference is a warning.
        type: list
        elements: dict
        suboptions:
          host: *host
          port: *port
          starttls: *starttls
          server_name:
            description: The name to ask for by SNI. By default the one that the target is asked for.
            type: str
          path: *path
          passphrase: *passphrase
          secrets: *secrets
      name:
        description: What to call the target in reports and history. By default where it is.
        type: str
      expiry:
        description: &expiry
          - How long the certificate has to last from now on, in days.
          - V(auto) fits the limit to the lifetime of the certificate. The warning is 21 days, but at most a sixth of
            the lifetime; critical is 7 days, but at most a twelfth. So a certificate of 398 days warns at 21 days left,
            one of 90 at 15, one of 47 at 7.8, one of 6 at 1; see O(renewal) for those that a machine renews.
          - A number holds for every certificate, however short it lives.
          - A certificate that has expired is critical, whatever is written.
        type: dict
        suboptions: &levels
          warning: {description: &warning The last value that is fine., type: str}
          critical: {description: &critical The last value that is not critical., type: str}
      renewal:
        description: &renewal
          - How much of its lifetime a certificate has to have left, in percent. Below that its renewal is overdue.
          - V(auto) is 25 percent for certificates that live at most 100 days, which are renewed by a machine, usually
            with a third of their lifetime left, or half of it where they live ten days or less. What lives longer is
            not judged.
        type: dict
        suboptions: *levels
      chain_expiry:
        description: &chain_expiry
          - How long the certificates above it have to last, in days, whichever of them expires first.
          - V(auto) is a warning at 21 days, and critical at 7 days unless the chain is verified as well. Then
            O(verified_expiry) knows better, because a certificate may be sent along that nobody needs any more.
        type: dict
        suboptions: *levels
      verified_expiry:
        description: &verified_expiry
          - How long the chain has to verify, in days, by whichever path lasts longest. Only judged where the chain ends
            before the certificate does.
        type: dict
        suboptions: *levels
      strength:
        description: &strength
          - How strong the weakest key and signature of the chain have to be, in bit of security. RSA 2048 has 112, RSA
            3072 and EC P-256 have 128, RSA 1024 has 80, a signature by SHA-1 has 61.
        type: dict
        suboptions: *levels
      crl:
        description: &crl How far ahead the next update of the revocation list has to be, in days.
        type: dict
        suboptions: *levels
      staple:
        description: &staple How long a stapled OCSP response has to last, in hours. Having none is fine.
        type: dict
        suboptions: *levels
      trust:
        description: &trust
          - Whether the certificate has to lead to a CA that is trusted. By default what is served has to, and what lies
            in a file only where a CA is given.
        type: bool
      ca_path:
        description: &ca_path
          - A file of CAs on the host, or a directory as C(c_rehash) makes it, to trust instead of the system's.
          - Of these an intermediate is as good as a root. A self-signed certificate is trusted by naming itself.
        type: path
      ca_data:
        description: &ca_data The same as text in PEM.
        type: str
      crl_path:
        description: &crl_path A file on the host with one or several revocation lists.
        type: path
      timeout:
        description: &timeout How long one target may take, in seconds.
        type: float
  expiry:
    description: *expiry
    type: dict
    suboptions: &auto
      warning: {description: *warning, type: str, default: auto}
      critical: {description: *critical, type: str, default: auto}
  renewal:
    description: *renewal
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: auto}
      critical: {description: *critical, type: str}
  chain_expiry:
    description: *chain_expiry
    type: dict
    suboptions: *auto
  verified_expiry:
    description: *verified_expiry
    type: dict
    suboptions:
      warning: {description: *warning, type: str, default: "21"}
      critical: {description: *critical, type: str, default: "7"}
  strength:
    description: *strength
    type: dict
    suboptions:
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "112"}
  crl:
    description: *crl
    type: dict
    suboptions: &over
      warning: {description: *warning, type: str}
      critical: {description: *critical, type: str, default: "0"}
  staple:
    description: *staple
    type: dict
    suboptions: *over
  trust:
    description: *trust
    type: bool
  ca_path:
    description: *ca_path
    type: path
  ca_data:
    description: *ca_data
    type: str
  crl_path:
    description: *crl_path
    type: path
  timeout:
    description: *timeout
    type: float
    default: 30.0
"""

EXAMPLES = r"""
- name: Check the certificate files of this host's services
  sre.runbooks.certificate_check:

- name: Check what a web server presents
  sre.runbooks.certificate_check:
    targets:
      - host: www.example.org

- name: Check mail and directory servers, a name behind an address, and a certificate for an address
  sre.runbooks.certificate_check:
    targets:
      - {host: mx.example.org, starttls: smtp}
      - {host: imap.example.org, starttls: imap}
      - {host: ldap.example.org, starttls: ldap, ca_path: /etc/ssl/certs/company.pem}
      - {host: 192.0.2.7, server_name: shop.example.org}
      - {host: "2001:db8::7", port: 8443}

- name: Check that the server has loaded what certbot renewed, on every node behind the balancer
  sre.runbooks.certificate_check:
    targets:
      - path: /etc/letsencrypt/live/example.org/fullchain.pem
        key_path: /etc/letsencrypt/live/example.org/privkey.pem
        names: [example.org, www.example.org]
        trust: true
        same_as:
          - {host: www.example.org}
          - {host: 192.0.2.11, server_name: www.example.org}
          - {host: 192.0.2.12, server_name: www.example.org}

- name: Warn thirty days ahead, whatever the lifetime
  sre.runbooks.certificate_check:
    targets:
      - {host: www.example.org}
      - {path: /etc/ssl/example.org/*.pem}
    expiry: {warning: 30, critical: 7}

- name: Check a client's certificate and the revocation list of a company's own CA
  sre.runbooks.certificate_check:
    ca_path: /etc/openvpn/ca.crt
    targets:
      - path: /etc/openvpn/server.crt
        key_path: /etc/openvpn/server.key
        crl_path: /etc/openvpn/crl.pem
        crl: {warning: 3}
      - path: /etc/backup/client.p12
        passphrase: "{{ vault_backup_passphrase }}"

- name: Find the TLS secrets of a cluster
  kubernetes.core.k8s_info:
    kind: Secret
    field_selectors: [type=kubernetes.io/tls]
  register: found
  delegate_to: localhost

- name: Check them, and the certificates that administrators log in with
  sre.runbooks.certificate_check:
    targets:
      - secrets: "{{ found.resources }}"
      - kubeconfig: /etc/kubernetes/admin.conf
  delegate_to: localhost
"""

RETURN = r"""
status:
  description: The worst status of all checks.
  returned: always
  type: str
  sample: warning
checks:
  description: One record for each judged value, see the description of the contract in C(docs/contract.md).
  returned: always
  type: list
  elements: dict
  sample:
    - id: certificate.expiry
      target: www.example.org:443
      status: warning
      summary: expires in 12.4 days, of a lifetime of 90 days
      value: 12.402
      unit: d
      warning: "15"
      critical: "7"
      detail:
        certificate:
          subject: CN=www.example.org
          issuer: CN=Example CA
          serial: 3F2A
          from: "2026-09-05T00:00:00+00:00"
          until: "2026-12-04T00:00:00+00:00"
          sha256: 0f5c…
        protocol: TLSv1.3
        cipher: TLS_AES_256_GCM_SHA384
      seconds: 0.031
"""

from ansible_collections.sre.runbooks.plugins.module_utils._checks import certificate
from ansible_collections.sre.runbooks.plugins.module_utils._door import run


def main() -> None:
    run(certificate)


if __name__ == "__main__":
    main()
