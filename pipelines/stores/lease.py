"""One run a dataset on a store: a lock object with a holder, renewed while the run lives, that others may take once it is stale.

**Nobody takes the lock but by a conditional put**: ``If-None-Match: *`` where there is none, ``If-Match`` on the one that was seen to be
free or stale. Ages are differences of the store's own clock, so that no machine's clock counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from pipelines.errors import LockedError, OutputError, ShardError
from pipelines.stores import s3

LEASE = 300.0
"""Seconds after which a lock that was not renewed is stale: longer than a renewal can take, all its tries counted."""

BEAT = 30.0
"""Seconds between renewals."""

PATIENCE = 3.0
"""Seconds that the end of a run waits for a renewal that is under way: a run that is told to end has ten."""


class Lease:
    """A lock that is held. ``assure`` says whether it still is."""

    def __init__(self, url: str, state: Path) -> None:
        self.url, self.etag = f"{url}.corpusmill/lock", ""
        told = f"{socket.gethostname()}\0{state}"
        self.told = {
            "holder": f"process {os.getpid()} on {socket.gethostname()}",
            "state": hashlib.sha256(told.encode()).hexdigest()[:16],
        }
        self._turn = threading.Lock()

    def take(self) -> None:
        """Raises LockedError while another run holds it, OutputError where the store knows no conditional puts."""
        found = _seen(self.url)
        if found is None:
            self._put(IfNoneMatch="*")
            self._check_store()
            return
        told, etag, age = found
        # The caller holds the state's own lock: whoever of that state has the store's is dead.
        if told.get("holder") and told.get("state") != self.told["state"] and age < LEASE:
            raise LockedError(
                f"{self.url} is held by {told['holder']}, {age:.0f} s ago; wait for it, or stop it (it is free "
                f"{LEASE:.0f} s after its last sign of life)"
            )
        self._put(IfMatch=etag)

    def assure(self) -> None:
        """Renew it. Raises LockedError where another run has it, StoreError where the store does not say."""
        with self._turn:
            self._put(IfMatch=self.etag)

    def release(self) -> None:
        """It stays, with no holder; a store that does not answer now leaves it to be stale."""
        if not self._turn.acquire(timeout=PATIENCE):
            return
        self.told = {"holder": "", "state": self.told["state"]}
        with suppress(ShardError, LockedError):
            self._put(IfMatch=self.etag)

    def _put(self, **condition: str) -> None:
        bucket, key = s3.split(self.url)
        # Two locks are never the same bytes, or their ETags would be the same.
        body = json.dumps({**self.told, "nonce": uuid.uuid4().hex}).encode()
        try:
            with s3.speaking(self.url):
                self.etag = s3.client().put_object(Bucket=bucket, Key=key, Body=body, **condition)["ETag"]
        except (s3.Changed, s3.Missing):
            # A put that was retried may have been done the first time.
            found = _seen(self.url)
            if found and found[0].get("nonce") == json.loads(body)["nonce"]:
                self.etag = found[1]
                return
            holder = (found[0].get("holder") if found else "") or "another run"
            raise LockedError(f"{self.url} was taken by {holder}; wait for it, or stop it") from None

    def _check_store(self) -> None:
        bucket, key = s3.split(self.url)
        try:
            with s3.speaking(self.url):
                s3.client().put_object(Bucket=bucket, Key=key, Body=b"{}", IfNoneMatch="*")
        except s3.Changed:
            return
        raise OutputError(
            f"{self.url}: this store takes no heed of If-None-Match, so two runs could write at once: write to a folder"
        )


def _seen(url: str) -> tuple[dict[str, Any], str, float] | None:
    """What the lock says, its ETag, and its age in seconds by the store's clock."""
    try:
        data, answer = s3.get(url)
        told = json.loads(data)
    except s3.Missing:
        return None
    except s3.Changed:
        return _seen(url)
    except ValueError:
        told = {}
    now: datetime = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    age = (now - answer["LastModified"]).total_seconds()
    return told if isinstance(told, dict) else {}, answer["ETag"], age


@contextmanager
def held(url: str, state: Path) -> Iterator[Lease]:
    """The lock of a dataset (a URL that ends in ``/``), renewed until the block ends."""
    lease, over = Lease(url, state), threading.Event()
    lease.take()

    def beat() -> None:
        while not over.wait(BEAT):
            try:
                lease.assure()
            except LockedError:
                return
            except ShardError:
                continue

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        over.set()
        thread.join(timeout=PATIENCE)
        lease.release()
