"""From finished units to the dataset that readers see.

**The manifest is replaced last: whenever it is there and no publish is under way, every file it names is there as it says.**
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines import drift, manifest, provenance, report
from pipelines.errors import OutputError
from pipelines.ledger import Ledger, replace, sync_folder
from pipelines.recipe import software
from pipelines.write import KINDS

MARKER = "publishing"
REFUSED = "refused"
"""Where a result that a gate refused can be looked at."""


def is_published(ledger: Ledger, told: Mapping[str, Any]) -> bool:
    """Whether the output already is what the manifest says, by the files' sizes (``verify`` reads them)."""
    if (ledger.root / MARKER).exists():
        return False
    try:
        standing = manifest.load(ledger.out)
    except (OSError, ValueError):
        return False
    if standing.get("digest") != told["digest"] or manifest.digest(standing) != told["digest"]:
        return False
    if not (ledger.out / "report.html").is_file() or edited(ledger.out, told):
        return False
    sizes = {o["path"]: o["bytes"] for o in told["outputs"]}
    found = {p: (ledger.out / p).stat().st_size for p in _files(ledger.out)}
    return sizes == found


def publish(ledger: Ledger, told: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Bring the output to what the manifest says; safe to do again after being cut short anywhere."""
    (ledger.root / MARKER).touch()
    sync_folder(ledger.root)
    previous = drift.remember(ledger, told)
    _bring_files(ledger, told, ledger.out)
    _bring_pages(ledger.out, told, run, previous)
    (ledger.root / MARKER).unlink()
    shutil.rmtree(ledger.root / REFUSED, ignore_errors=True)
    ledger.prune({entry["unit"] for entry in told["outputs"]})


def set_aside(ledger: Ledger, told: Mapping[str, Any], run: Mapping[str, Any]) -> Path:
    """A result that is not published, as a dataset in a place of its own to look at; returns where."""
    place = ledger.root / REFUSED
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    _bring_files(ledger, told, place)
    standing = manifest.standing(ledger.out)
    _bring_pages(place, told, run, drift.summary(standing) if standing else {})
    return place


def republish(ledger: Ledger, told: Mapping[str, Any], *, files: bool) -> dict[str, Any]:
    """Bring a published dataset to another manifest, of the same recipe and input; its digest is made here. The caller holds
    the lock. files: the units changed, so the files are brought in again. Returns the new manifest."""
    out = ledger.out
    body = {k: v for k, v in told.items() if k != "digest"}
    new = {**body, "digest": manifest.digest(body)}
    try:
        circumstances = json.loads((out / "run.json").read_text("utf-8"))
        if files:
            (ledger.root / MARKER).touch()
            sync_folder(ledger.root)
            _bring_files(ledger, new, out)
        _bring_pages(out, new, circumstances, ledger.load(drift.PREVIOUS))
        (ledger.root / MARKER).unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        told_why = getattr(error, "strerror", None) or "run.json is not JSON"
        raise OutputError(f"{out} cannot be published: {told_why}; mend it and do the same again") from None
    return new


def _bring_files(ledger: Ledger, told: Mapping[str, Any], out: Path) -> None:
    for kind in KINDS:
        (out / kind).mkdir(exist_ok=True)
    wanted: set[str] = set()
    for entry in told["outputs"]:
        kind, _, name = entry["path"].partition("/")
        _link(ledger.unit(entry["unit"]) / f"{kind}.parquet", out / kind / name)
        wanted.add(entry["path"])
    for path in _files(out) - wanted:
        (out / path).unlink()
    _drop_empty_folders(out)


def edited(out: Path, told: Mapping[str, Any]) -> list[str]:
    """Generated files that are not what the manifest makes of them (now), nor what was written when it was published."""
    try:
        written = json.loads((out / "run.json").read_text("utf-8")).get("pages", {})
    except (OSError, ValueError, AttributeError):
        written = {}
    ours = told["software"]["code_sha256"] == software()["code_sha256"]
    made = provenance.pages(told) if ours else {}
    return [
        name for name in provenance.PAGES if not _is(out / name, _sha256(made[name]) if made else written.get(name))
    ]


def _is(path: Path, sha256: str | None) -> bool:
    try:
        return _sha256(path.read_bytes()) == sha256
    except OSError:
        return False


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _bring_pages(out: Path, told: Mapping[str, Any], run: Mapping[str, Any], previous: Mapping[str, Any]) -> None:
    pages = provenance.pages(told)
    for name, data in pages.items():
        replace(out / name, data)
    replace(out / "report.html", report.render(told, previous, report.collect(out, told)).encode())
    digests = {name: _sha256(data) for name, data in pages.items()}
    replace(out / "run.json", manifest.dump({**run, "pages": digests, "manifest_digest": told["digest"]}))
    replace(out / "manifest.json", manifest.dump(told))
    sync_folder(out)


def _files(out: Path) -> set[str]:
    """Every file below the three folders, relative to the output."""
    found = (p for kind in KINDS for p in (out / kind).rglob("*") if not p.is_dir())
    return {p.relative_to(out).as_posix() for p in found}


def _link(source: Path, target: Path) -> None:
    """Replace the target by the source in one step; a second name for the same bytes where the file system has that."""
    if target.exists() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
    temporary.replace(target)


def _drop_empty_folders(out: Path) -> None:
    for kind in KINDS:
        for folder in sorted((p for p in (out / kind).rglob("*") if p.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()
