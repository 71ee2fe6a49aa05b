"""From a dataset in a folder of this machine to the same dataset on S3.

There is no rename on a store, so nothing that readers may hold is ever written over: every version has a folder of its own,
``URL/versions/DIGEST/``, and **the one object that is replaced is ``URL/manifest.json``, by a put that the store refuses if anybody else
has replaced it since this run began**. Whoever goes by that manifest has the old dataset or the new one.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines import listing, manifest, progress, stores, versions
from pipelines.errors import OutputError, ShardError, UsageError
from pipelines.ledger import Ledger, replace
from pipelines.shards import sha256_of
from pipelines.stores import lease, published, s3

NOTE = "store.json"
"""In the state's folder: the URL, and the digest of what was last published there."""

OURS = frozenset({".corpusmill/", "versions/", "manifest.json"})

AT_ONCE = 8
"""Uploads side by side."""

IN_PARTS = 256 << 20
"""A file of more bytes is uploaded in parts. Up to here the store itself holds what it got to the file's sha256."""


class Target:
    """A dataset on a store, held by this process. url: ends in ``/``."""

    def __init__(self, url: str, ledger: Ledger, held: lease.Lease) -> None:
        self.url, self.ledger, self.lease = url, ledger, held
        found = published.manifest_of(url)
        self.current: dict[str, Any] | None = found[0] if found else None
        self.etag = found[1] if found else ""
        if found is None and published.read(f"{url}manifest.json") is not None:
            raise OutputError(f"{url}manifest.json was edited or is not ours: move it away, or write to another place")
        self._adopt()

    def _adopt(self) -> None:
        """What is published must be what this state knows, or be all there is to know."""
        standing = manifest.standing(self.ledger.out)
        if self.current is None:
            return
        if standing is None:
            # What was forgotten, reviewed and audited stands in the manifest alone; work is done again.
            if (listed := listing.side(self.current)) is not None:
                with stores.opened(listed.place) as file:
                    replace(self.ledger.out / listing.SIDE, iter(lambda: file.read(8 << 20), b""))
            replace(self.ledger.out / "manifest.json", manifest.dump(self.current))
            return
        known = {standing["digest"], self.ledger.load(NOTE).get("digest"), *versions.order(self.ledger)}
        if self.current["digest"] not in known:
            raise OutputError(
                f"what is published at {self.url} comes from another state than {self.ledger.out}: give the folder that it comes from as "
                "output.state, or a new folder to begin from what is published"
            )

    def bring(self) -> bool:
        """Publish what the folder publishes; whether anything had to be done. Raises OutputError and StoreError, and readers still see
        what they saw."""
        told = manifest.load(self.ledger.out)
        folder = versions.path(self.ledger, told["digest"])
        uploaded = self._upload(folder, told)
        changed = self.current is None or self.current["digest"] != told["digest"]
        if changed:
            self._show(folder)
            self.ledger.save(NOTE, {"url": self.url, "digest": told["digest"]})
        self._sweep(told)
        if changed or uploaded:
            progress.event("published", url=self.url, digest=told["digest"], files=uploaded)
        return changed or uploaded > 0

    def _upload(self, folder: Path, told: Mapping[str, Any]) -> int:
        """The files of a version that are not there, its manifest last; how many that were."""
        base = f"{self.url}versions/{told['digest']}/"
        prefix = s3.split(base)[1]
        there = {e["Key"][len(prefix) :]: e["Size"] for e in s3.listed(s3.split(base)[0], prefix)}
        files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        sums = {o["path"]: o["sha256"] for o in listing.outputs(told)}
        if (listed := listing.side(told)) is not None:
            sums[listed["path"]] = listed["sha256"]
        # When and where a dataset was made may be told otherwise by another run: what is there of that stays as it is.
        missing = [
            name for name, path in sorted(files.items())
            if name not in there or (name in sums and there[name] != path.stat().st_size)
        ]  # fmt: skip
        before = self._by_sum()

        def one(name: str) -> None:
            sum_ = sums.get(name) or sha256_of(files[name])
            if sum_ not in before or not _copied(before[sum_], base + name):
                _put(files[name], base + name, sum_)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, [name for name in missing if name != "manifest.json"]))
        if "manifest.json" in missing:
            one("manifest.json")
        return len(missing)

    def _by_sum(self) -> dict[str, str]:
        """Where the store has what already: sha256 -> URL, of what is published."""
        if self.current is None:
            return {}
        base = f"{self.url}versions/{self.current['digest']}/"
        try:
            return {o["sha256"]: base + o["path"] for o in listing.outputs(self.current)}
        except OutputError:  # its side file is damaged: everything is sent
            return {}

    def _show(self, folder: Path) -> None:
        """The one step after which readers see the new dataset."""
        bucket, key = s3.split(f"{self.url}manifest.json")
        condition = {"IfMatch": self.etag} if self.etag else {"IfNoneMatch": "*"}
        data = (folder / "manifest.json").read_bytes()
        self.lease.assure()
        try:
            with s3.speaking(self.url):
                s3.client().put_object(Bucket=bucket, Key=key, Body=data, ContentType="application/json", **condition)
        except (s3.Changed, s3.Missing):
            # A put that was tried twice may have been done the first time.
            found = published.read(f"{self.url}manifest.json")
            if found is None or found[0] != data:
                raise OutputError(f"{self.url}: somebody else published there meanwhile; nothing was changed") from None

    def _sweep(self, told: Mapping[str, Any]) -> None:
        """Delete versions that the folder does not keep either."""
        keep = {told["digest"], *versions.order(self.ledger)}
        bucket, prefix = s3.split(f"{self.url}versions/")
        with s3.speaking(self.url):
            for name in list(s3.folders(bucket, prefix)):
                if name.rstrip("/") not in keep:
                    s3.delete(bucket, [e["Key"] for e in s3.listed(bucket, prefix + name)])


@contextmanager
def target(url: str, ledger: Ledger) -> Iterator[Target]:
    """Hold a dataset on a store. The caller holds the state's lock. Raises LockedError, UsageError and StoreError."""
    url = url.rstrip("/") + "/"
    bucket, prefix = s3.split(url)
    others = sorted(name for name in s3.folders(bucket, prefix, files=True) if name not in OURS)
    if others:
        raise UsageError(f"{url} already holds something else ({', '.join(others[:3])}): give a place of its own")
    with lease.held(url, ledger.out) as held:
        s3.abort_uploads(bucket, prefix)
        yield Target(url, ledger, held)


def push(out: Path, url: str = "") -> tuple[str, bool]:
    """Publish a dataset's folder as it is to the store that its runs write to, or to ``url``: (URL, whether anything changed)."""
    ledger = Ledger(out)
    url = url or str(ledger.load(NOTE).get("url", ""))
    told = manifest.standing(out)
    if told is None or not versions.path(ledger, told["digest"]).is_dir():
        raise UsageError(f"no dataset at {out} as a run writes it: run its recipe again")
    if not url.startswith("s3://"):
        raise UsageError(f"no run published {out} to a store: give --to s3://BUCKET/PLACE")
    with ledger.lock(), target(url, ledger) as held:
        return url, held.bring()


def _put(path: Path, url: str, sha256: str) -> None:
    bucket, key = s3.split(url)
    with s3.speaking(url):
        if path.stat().st_size > IN_PARTS:
            s3.client().upload_file(str(path), bucket, key)
            return
        with path.open("rb") as file:
            sum_ = base64.b64encode(bytes.fromhex(sha256)).decode()
            s3.client().put_object(Bucket=bucket, Key=key, Body=file, ChecksumAlgorithm="SHA256", ChecksumSHA256=sum_)


def _copied(source: str, url: str) -> bool:
    """Copied on the store; False where it cannot be."""
    (from_bucket, from_key), (bucket, key) = s3.split(source), s3.split(url)
    try:
        with s3.speaking(url):
            s3.client().copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": from_bucket, "Key": from_key})
        return True
    except ShardError:
        return False
