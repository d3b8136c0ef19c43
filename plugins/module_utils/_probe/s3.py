# Copyright: (c) sre.runbooks contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Objects in S3, or in whatever speaks its protocol. Needs boto3 on the host."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import fnmatch
import re
import typing as t

from ansible_collections.sre.runbooks.plugins.module_utils._check import Unmeasurable

MOST = 200_000
"""Objects that are looked at before we say that the pattern is too wide."""
_GONE = ("404", "NoSuchKey", "NotFound")


@dataclasses.dataclass(frozen=True)
class Object:
    """One object. ``modified`` is the time of its upload, in seconds since the epoch."""

    key: str
    size: int
    modified: float


def is_url(place: str) -> bool:
    return place.startswith("s3://")


def split(url: str) -> tuple[str, str]:
    """``s3://bucket/key`` → bucket and key."""
    bucket, _slash, key = url[len("s3://") :].partition("/")
    return bucket, key


@contextlib.contextmanager
def bucket(name: str, settings: t.Mapping[str, t.Any], timeout: float) -> t.Iterator[Bucket]:
    """A bucket to work with. Whatever S3 refuses or cannot do is :class:`Unmeasurable`.

    ``settings`` may hold endpoint, region, access_key, secret_key, profile and ca_bundle; what is missing comes from the
    environment and the files of the AWS tools, as boto3 reads them.
    """
    try:
        import boto3
        import botocore.config
        import botocore.exceptions
    except ImportError:
        raise Unmeasurable("boto3 is not installed on the host: install python3-boto3 to look into S3") from None
    config = botocore.config.Config(
        connect_timeout=min(timeout, 10), read_timeout=timeout, retries={"total_max_attempts": 2}
    )
    try:
        session = boto3.session.Session(
            aws_access_key_id=settings.get("access_key"),
            aws_secret_access_key=settings.get("secret_key"),
            region_name=settings.get("region"),
            profile_name=settings.get("profile"),
        )
        client = session.client(
            "s3", endpoint_url=settings.get("endpoint"), verify=settings.get("ca_bundle"), config=config
        )
        yield Bucket(name, client)
    except botocore.exceptions.ClientError as exc:
        raise Unmeasurable(f"s3://{name}: {_code(exc)}: {exc.response['Error'].get('Message', '')}") from exc
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.HTTPClientError, ValueError, OSError) as exc:
        raise Unmeasurable(f"s3://{name}: {exc}") from exc


def _code(exc: t.Any) -> str:
    return str(exc.response.get("Error", {}).get("Code", ""))


@dataclasses.dataclass
class Bucket:
    """One bucket, and the client that speaks to it."""

    name: str
    client: t.Any

    def list(self, pattern: str) -> t.Iterator[Object]:
        """The objects whose key matches a shell pattern, in which ``*`` does not stop at a slash."""
        prefix = re.split(r"[*?[]", pattern, maxsplit=1)[0]
        looked_at = 0
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
            for item in page.get("Contents", []):
                looked_at += 1
                if looked_at > MOST:
                    raise Unmeasurable(
                        f"s3://{self.name}/{prefix} holds more than {MOST:,} objects: choose a longer prefix"
                    )
                if fnmatch.fnmatchcase(item["Key"], pattern):
                    yield Object(item["Key"], item["Size"], item["LastModified"].timestamp())

    def read(self, key: str, size: int) -> t.Iterator[bytes]:
        """The bytes of an object, in pieces of at most ``size``."""
        body = self.client.get_object(Bucket=self.name, Key=key)["Body"]
        with contextlib.closing(body):
            yield from iter(lambda: body.read(size), b"")

    def small(self, key: str, most: int) -> bytes | None:
        """The first bytes of an object, None where there is none of that key."""
        try:
            with contextlib.closing(self.client.get_object(Bucket=self.name, Key=key)["Body"]) as body:
                return bytes(body.read(most))
        except Exception as exc:
            if getattr(exc, "response", None) and _code(exc) in _GONE:
                return None
            raise

    def digests(self, key: str) -> dict[str, str]:
        """What S3 knows of the checksums of an object: algorithm → hex digits.

        ``sha256`` from the metadata of that name or from S3's own checksum of the whole object; ``md5`` where the ETag is one.
        An object that was uploaded in parts has an ETag and a checksum of the parts, which say nothing of the whole.
        """
        head = self.client.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
        told: dict[str, str] = {}
        stated = head.get("Metadata", {}).get("sha256", "").lower()
        if re.fullmatch("[0-9a-f]{64}", stated):
            told["sha256"] = stated
        checksum = head.get("ChecksumSHA256", "")
        if checksum and "-" not in checksum:
            told["sha256"] = base64.b64decode(checksum).hex()
        etag = head.get("ETag", "").strip('"')
        if re.fullmatch("[0-9a-f]{32}", etag) and head.get("ServerSideEncryption", "AES256") == "AES256":
            told["md5"] = etag
        return told

    def size(self, key: str) -> int:
        return int(self.client.head_object(Bucket=self.name, Key=key)["ContentLength"])

    def upload(self, path: str, key: str, metadata: t.Mapping[str, str]) -> None:
        """Upload a file, in parts where it is big. An object is there when all of it has arrived, or not at all."""
        from boto3.exceptions import S3UploadFailedError

        try:
            self.client.upload_file(path, self.name, key, ExtraArgs={"Metadata": dict(metadata)})
        except S3UploadFailedError as exc:
            raise Unmeasurable(f"s3://{self.name}/{key}: {exc}") from exc

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def abort_uploads(self, prefix: str, keys: t.Container[str]) -> None:
        """Give up uploads in parts, of these keys, that were begun and never ended: they are not seen, and charged for."""
        for page in self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.name, Prefix=prefix):
            for upload in page.get("Uploads", []):
                if upload["Key"] in keys:
                    self.client.abort_multipart_upload(Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"])
