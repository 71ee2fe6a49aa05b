"""A published version that was kept, published again: the bytes that it had, in the same steps as any publish."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipelines import forget, manifest, publish, versions
from pipelines.errors import OutputError, UsageError
from pipelines.ledger import Ledger


@dataclass(frozen=True)
class Version:
    """A whole dataset that is kept. path: where it stays; ended: when the run that made it did (UTC, as run.json says);
    current: whether it is what is published."""

    digest: str
    path: Path
    ended: str
    kept: int
    read: int
    current: bool


def kept(out: Path) -> list[Version]:
    """What is published, then the versions to go back to, the next one first. Raises UsageError where there is no dataset."""
    ledger = Ledger(out)
    standing = manifest.standing(out)
    order = versions.order(ledger)
    if standing is None and not order:
        raise UsageError(manifest.none_at(out))
    found = (_version(ledger, digest, standing["digest"] if standing else "") for digest in order)
    return [version for version in found if version is not None]


def rollback(out: Path, to: str = "") -> Version:
    """Publish a kept version again: the next one to go back to, or the one whose digest begins with ``to``; what stood there is kept in
    its place. Raises UsageError where there is no such version, OutputError where it is not whole any more."""
    ledger = Ledger(out)
    kept(out)
    with ledger.lock():
        forget.finish(ledger)
        wanted = _wanted(kept(out), to, out)
        told = manifest.standing(wanted.path)
        if told is None or not versions.whole(wanted.path, told):
            raise OutputError(
                f"{wanted.path} is not whole any more; `corpusmill verify {wanted.path}` says what differs"
            )
        order = versions.order(ledger)
        at = order.index(wanted.digest)
        try:
            # What was published after it goes to the end: those are the first to be dropped later, and not the next to go back to.
            publish.show(ledger, wanted.digest, [*order[at:], *order[:at]], prune=False)
        except OSError as error:
            raise OutputError(f"{out} cannot be published: {error.strerror}; mend it and do the same again") from None
    return wanted


def _wanted(there: list[Version], to: str, out: Path) -> Version:
    if not to:
        if earlier := [version for version in there if not version.current]:
            return earlier[0]
        raise UsageError(
            f"{out} has no earlier version: `output: {{keep_versions: 1}}` in the recipe keeps one from the next run on"
        )
    found = [version for version in there if version.digest.startswith(to)]
    if len(found) == 1:
        return found[0]
    what = "no version" if not found else f"{len(found)} versions"
    raise UsageError(f"{out} has {what} whose digest begins with {to}: `corpusmill rollback {out} --list` shows them")


def _version(ledger: Ledger, digest: str, published: str) -> Version | None:
    place = versions.path(ledger, digest)
    told = manifest.standing(place)
    if told is None:
        return None
    try:
        ended = str(json.loads((place / "run.json").read_text("utf-8")).get("ended", ""))
    except (OSError, ValueError, AttributeError):
        ended = ""
    records = told["records"]
    return Version(digest, place, ended, records["kept"], records["read"], digest == published)
