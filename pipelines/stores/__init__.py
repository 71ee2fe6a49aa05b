"""Files behind a URL: where shards are listed, read and told apart when they are not on a disk of this machine.

A path is a URL when it names a scheme. Only the path says which it is, so that formats, hashing and filters need not know.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from pipelines.errors import UsageError

if TYPE_CHECKING:
    from pipelines.ledger import Ledger
    from pipelines.recipe import Output
    from pipelines.stores.push import Target

SCHEMES = ("s3", "hf")
WAITING = 32
"""Requests under way while the input is looked at."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)

Stat = tuple[int | str, ...]
"""Tells a changed file from an unchanged one without reading it."""


def is_url(path: str) -> bool:
    return _URL.match(path) is not None


def check(path: str, what: str) -> None:
    """Raises UsageError for a URL that nobody can read, or that holds credentials, which would get into logs. It is never repeated:
    what stands in it may be a secret."""
    match = _URL.match(path)
    if match is None:
        return
    if match[1].lower() == "file":
        raise UsageError(f"{what}: give a plain path instead of a file:// URL")
    if match[1] not in SCHEMES:
        raise UsageError(f"{what}: {match[1]}:// is not read; there are {', '.join(f'{s}://' for s in SCHEMES)}")
    host = match[2].partition("/")[0]
    if match[1] == "s3" and ("@" in host or ":" in host):
        raise UsageError(
            f"{what}: credentials do not belong into a URL; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if match[1] == "s3" and not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,62}", host):
        raise UsageError(f"{what}: a URL is s3://BUCKET/KEY, and this one names no bucket as S3 allows them")
    if match[1] == "hf" and ":" in host:
        raise UsageError(f"{what}: a URL is hf://datasets/OWNER/NAME; a token belongs into HF_TOKEN")


def of(url: str) -> ModuleType:
    """The module that speaks to the store. Raises UsageError."""
    check(url, "the URL")
    return importlib.import_module("pipelines.stores.hub" if url.startswith("hf://") else "pipelines.stores.s3")


def find(url: str) -> Iterator[tuple[str, str, Stat]]:
    """(URL, name below the folder, stat) of every file in a folder, of a glob, or of one file. Raises StoreError and UsageError."""
    return of(url).find(url)


def stat(url: str) -> Stat:
    """What ``find`` said of it, now. Raises ShardError."""
    return of(url).stat(url)


def sha256(path: str) -> str | None:
    """Of its content, where a store knows it; None where only reading tells."""
    return of(path).sha256(path) if is_url(path) else None


def read(path: str) -> bytes:
    """A small file. Raises OSError, or ShardError for what a store says."""
    with opened(path) as file:
        return file.read()


def manifest(url: str) -> dict[str, Any] | None:
    """The manifest of a dataset of ours; None where there is none. Raises ShardError for what the store says."""
    check(url, "the URL")
    if not url.startswith("s3://"):
        return None
    from pipelines.stores import published

    found = published.manifest_of(f"{url.rstrip('/')}/")
    return found[0] if found else None


def state(output: Output) -> Path:
    """The folder that a run whose output is a URL works in. Raises UsageError."""
    if not output.path.startswith("s3://"):
        raise UsageError("the output: only s3:// is written; give a folder, or a URL of a bucket")
    if output.state:
        return Path(output.state).absolute()
    # Imported here: the command imports this module before it has looked whether another package is called filters.
    from filters.compiled import cache_folder

    if (base := cache_folder()) is None:
        raise UsageError("output.path is a URL, and there is no cache to work in: give output.state")
    told = hashlib.sha256(output.path.rstrip("/").encode()).hexdigest()[:16]
    return base.absolute() / "outputs" / told


@contextmanager
def target(url: str, ledger: Ledger) -> Iterator[Target | None]:
    """Where a run's result goes when its output is a URL; held until the block ends. None for an output that is a folder."""
    if not is_url(url):
        yield None
        return
    from pipelines.stores.push import target

    with target(url, ledger) as held:
        yield held


def refuse_within(source: str, output: str) -> None:
    """Raises UsageError where the output would be read as input."""
    if is_url(source) and f"{output.rstrip('/')}/".startswith(f"{source.rstrip('/')}/"):
        raise UsageError(f"the output {output} lies inside the input {source}: give a place outside it")


def beside(url: str, name: str) -> bytes:
    """A file that stands beside the data of a published dataset. Raises ShardError."""
    from pipelines.stores import published

    return read(f"{published.version(url.rstrip('/') + '/') or url}{name}")


def home(url: str) -> str:
    """The dataset that a version's folder belongs to."""
    from pipelines.stores import published

    return published.home(url)


def threads(path: str) -> int:
    """How many files are looked at side by side: a store makes one wait, a disk does not."""
    return WAITING if is_url(path) else os.cpu_count() or 1


def opened(path: str) -> BinaryIO:
    """A file for reading, wherever it is. Raises OSError, or ShardError for what a store says."""
    return of(path).opened(path) if is_url(path) else open(path, "rb")  # noqa: PTH123


def source(path: str) -> str | BinaryIO:
    """What Arrow opens: a path where it is one, so that it can read by itself."""
    return of(path).opened(path) if is_url(path) else path
