"""Objects on S3 and what speaks like it: listed page by page, read by ranges of one state of the object.

Credentials and the endpoint come from where the AWS tools take them (environment, profile, the machine's role); none of them is ever
held by anything of ours. **Every request is bounded**: retried a few times with growing pauses, then one line says what the store said.
"""

from __future__ import annotations

import base64
import glob
import io
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

from fsspec.utils import glob_translate

from pipelines.errors import ShardError, StoreError, UsageError
from pipelines.stores.ranged import Ranged

if TYPE_CHECKING:
    from pipelines.stores import Stat

ATTEMPTS = 6
"""Of every request, with pauses that grow to 20 s (botocore's standard mode): a store that is not there for a minute is waited for."""

CONNECT, READ = 10.0, 30.0
"""Seconds to wait for a connection, and for the next bytes of an answer."""

POOL = 64
PAGE = 1000
"""Keys an answer to a listing holds; memory is that of what is made of them."""

MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
DENIED = frozenset({"401", "403", "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
                    "InvalidToken", "TokenRefreshRequired", "AllAccessDisabled"})  # fmt: skip


class Missing(ShardError):
    """There is no such object."""


class Changed(ShardError):
    """The object is not the one that was asked for any more (HTTP 412)."""


@cache
def client() -> Any:
    """Once a process; safe to use from threads. Raises UsageError where boto3 is not installed or its settings are wrong."""
    try:
        import boto3
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise UsageError("s3:// needs boto3: pip install 'corpusmill[s3]'") from None
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS}, connect_timeout=CONNECT, read_timeout=READ,
        max_pool_connections=POOL,
    )  # fmt: skip
    try:
        session = botocore.session.get_session()
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
        return boto3.session.Session(botocore_session=session).client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise StoreError(f"the AWS settings are wrong ({type(error).__name__}): mend them", usage=True) from None


def _time(text: Any) -> datetime:
    """A time as S3 writes it. botocore's own reading of it takes half of the time that a listing takes."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        from botocore.utils import parse_timestamp

        return parse_timestamp(text)


def split(url: str) -> tuple[str, str]:
    """(bucket, key)"""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key


@contextmanager
def speaking(url: str) -> Iterator[None]:
    """Whatever the store or the way to it says becomes a ShardError of one line, without the answer's own words."""
    client()
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _refused(error.response, url) from None
    except (BotoCoreError, Boto3Error) as error:
        raise _unanswered(error, url) from None


def _refused(response: dict[str, Any], url: str) -> ShardError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    if code == "NoSuchBucket":
        return StoreError(f"there is no bucket {split(url)[0]}: mend the URL, or make it", usage=True)
    if code in MISSING:
        return Missing(f"{url} is not there any more")
    if code in ("412", "PreconditionFailed", "ConditionalRequestConflict") or status == "412":
        return Changed("it changed while it was read: run again")
    if code in DENIED or status in ("401", "403"):
        return StoreError(
            f"{url}: access denied ({_word(code)}): check the credentials and what they may do", usage=True
        )
    if status.startswith("5") or code in ("SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable"):
        return StoreError(f"{url}: the store does not answer ({_word(code)}, {ATTEMPTS} tries): run again later")
    return StoreError(f"{url}: the store refused ({_word(code)})")


def _unanswered(error: Exception, url: str) -> StoreError:
    name = type(error).__name__
    if name in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound",
                "TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError"):  # fmt: skip
        told = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        return StoreError(f"{url}: no credentials ({name}): {told}", usage=True)
    return StoreError(f"{url}: the store does not answer ({name}, {ATTEMPTS} tries): run again later")


def _word(code: str) -> str:
    """An error code of the store's, as far as it can be one."""
    return code if re.fullmatch(r"\w{1,40}", code) else "?"


def listed(bucket: str, prefix: str, most: int | None = None) -> Iterator[dict[str, Any]]:
    """Objects whose key begins so (Key, Size, ETag, LastModified), in order of keys, a page at a time."""
    config = {"PageSize": PAGE} if most is None else {"MaxItems": most, "PageSize": most}
    with speaking(f"s3://{bucket}"):
        pages = client().get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix, PaginationConfig=config):
            yield from page.get("Contents", ())


def folders(bucket: str, prefix: str, *, files: bool = False) -> Iterator[str]:
    """Names directly below a prefix: of folders, which end in ``/``, and of objects if asked for."""
    with speaking(f"s3://{bucket}"):
        pages = client().get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
            yield from (told["Prefix"][len(prefix) :] for told in page.get("CommonPrefixes", ()))
            yield from (told["Key"][len(prefix) :] for told in page.get("Contents", ()) if files)


def delete(bucket: str, keys: list[str]) -> None:
    """Raises StoreError where one of them stays."""
    for start in range(0, len(keys), 1000):
        named = [{"Key": key} for key in keys[start : start + 1000]]
        with speaking(f"s3://{bucket}"):
            told = client().delete_objects(Bucket=bucket, Delete={"Objects": named, "Quiet": True})
        if errors := told.get("Errors"):
            raise StoreError(
                f"s3://{bucket}: {len(errors)} objects cannot be deleted ({_word(errors[0].get('Code', ''))})"
            )


def abort_uploads(bucket: str, prefix: str) -> None:
    """Uploads in parts that a dead run left; they cost money and are seen by nobody. The caller holds what is below the prefix."""
    with speaking(f"s3://{bucket}"):
        pages = client().get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            for told in page.get("Uploads", ()):
                client().abort_multipart_upload(Bucket=bucket, Key=told["Key"], UploadId=told["UploadId"])


def find(url: str) -> Iterator[tuple[str, str, Stat]]:
    """As ``stores.find``. The folder of a published dataset means the data/ of its current version."""
    from pipelines.stores import published

    bucket, key = split(url)
    if glob.has_magic(key):
        fixed = key[: re.search(r"[*?[]", key).start()].rpartition("/")[0]  # type: ignore[union-attr]
        wanted = re.compile(glob_translate(key))
        yield from _named(bucket, f"{fixed}/" if fixed else "", lambda k: wanted.match(k) is not None)
        return
    if key and not key.endswith("/"):
        # The first key in order that begins so is the key itself, if there is one.
        for entry in listed(bucket, key, 1):
            if entry["Key"] == key:
                yield url, key.rpartition("/")[2], _stat(entry["Size"], entry["LastModified"], entry["ETag"])
                return
    prefix = f"{key.rstrip('/')}/" if key.strip("/") else ""
    version = published.version(f"s3://{bucket}/{prefix}")
    yield from _named(bucket, split(version)[1] + "data/" if version else prefix, lambda _: True)


def _named(bucket: str, prefix: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str, Stat]]:
    for entry in listed(bucket, prefix):
        key = entry["Key"]
        name = key[len(prefix) :]
        if name and not name.endswith("/") and wanted(key):
            refuse_name(name, f"s3://{bucket}/{prefix}")
            yield f"s3://{bucket}/{key}", name, _stat(entry["Size"], entry["LastModified"], entry["ETag"])


def refuse_name(name: str, where: str) -> None:
    """A key may be anything; files are written by its name. Raises UsageError for what cannot be a path below a folder."""
    if any(part in ("", ".", "..") for part in name.split("/")) or re.search(r"[\x00-\x1f\x7f\\]", name):
        raise UsageError(
            f"{where}: an object's key is no path of a file ({name!r:.80}): rename it, or give a glob without it"
        )


def _stat(size: int, modified: Any, etag: str) -> Stat:
    return (size, int(modified.timestamp()), etag.strip('"'))


def stat(url: str) -> Stat:
    return _stat_of(head(url))


def _stat_of(told: dict[str, Any]) -> Stat:
    return _stat(told["ContentLength"], told["LastModified"], told["ETag"])


def head(url: str, **more: Any) -> dict[str, Any]:
    bucket, key = split(url)
    with speaking(url):
        return client().head_object(Bucket=bucket, Key=key, **more)


def sha256(url: str) -> str | None:
    """Of the content, where the store checked one when the object was uploaded whole; None where only reading tells."""
    told = head(url, ChecksumMode="ENABLED")
    sum_ = told.get("ChecksumSHA256", "")
    # In parts, it is a checksum of checksums.
    if not sum_ or "-" in sum_ or told.get("ChecksumType", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    return base64.b64decode(sum_).hex()


def opened(url: str) -> BinaryIO:
    """The object as it is now; a range of a later state of it is refused by the store (If-Match)."""
    told = head(url)
    raw = Ranged(told["ContentLength"], lambda start, stop: fetched(url, told["ETag"], start, stop))
    return io.BufferedReader(raw, 1 << 20)


def get(url: str) -> tuple[bytes, dict[str, Any]]:
    """A small object whole, and what the store says of it. Raises Missing."""
    bucket, key = split(url)
    with speaking(url):
        told = client().get_object(Bucket=bucket, Key=key)
    told.pop("Body").close()
    size = told["ContentLength"]
    return fetched(url, told["ETag"], 0, size) if size else b"", told


def fetched(url: str, etag: str, start: int, stop: int) -> bytes:
    """A range. An answer that is cut short or stalls is asked for again; botocore does so only until its first byte."""
    bucket, key = split(url)
    name = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0.5, 1) * min(20.0, 0.1 * 4**attempt))
        with speaking(url):
            answer = client().get_object(Bucket=bucket, Key=key, Range=f"bytes={start}-{stop - 1}", IfMatch=etag)
        try:
            data = answer["Body"].read()
            if len(data) == stop - start:
                return data
            name = "ShortAnswer"
        except Exception as error:  # of urllib3 or botocore: there are many, and all mean that the rest did not come
            name = type(error).__name__
    raise StoreError(f"{url}: its bytes do not come ({name}, {ATTEMPTS} tries): run again later")
