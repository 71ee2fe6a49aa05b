"""Datasets of ours on S3: which version is the current one, and what its manifest says.

``URL/manifest.json`` is the manifest of the current version, whose files are below ``URL/versions/DIGEST/`` and never change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pipelines import listing, manifest
from pipelines.stores import s3


def read(url: str) -> tuple[bytes, str] | None:
    """An object's content and its ETag; None where there is none."""
    try:
        data, told = s3.get(url)
        return data, told["ETag"]
    except s3.Missing:
        return None


def manifest_of(url: str) -> tuple[dict[str, Any], str] | None:
    """The manifest below a folder (a URL that ends in ``/``) and its ETag; None where there is none that we wrote and nobody edited."""
    if (found := read(f"{url}manifest.json")) is None:
        return None
    try:
        told = json.loads(found[0])
    except ValueError:
        return None
    if (
        not isinstance(told, dict)
        or told.get("manifest") != manifest.VERSION
        or told.get("digest") != manifest.digest(told)
    ):
        return None
    return listing.attach(told, folder(url, told)), found[1]


def version(url: str) -> str | None:
    """The folder of the files that a published dataset consists of now, or of a version by its own URL; None where neither is there."""
    found = manifest_of(url)
    if found is None:
        return None
    return folder(url, found[0])


def folder(url: str, told: Mapping[str, Any]) -> str:
    """Where the files are of the manifest that stands at ``url``."""
    own = f"versions/{told['digest']}/"
    return url if url.endswith(f"/{own}") else url + own


def home(url: str) -> str:
    """The dataset that a version's folder belongs to."""
    return re.sub(r"versions/[0-9a-f]{64}/$", "", url)
