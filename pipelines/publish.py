"""From finished units to the dataset that readers see.

The new dataset is made whole beside the old one (``versions``); then each folder is exchanged in one step, and the manifest is
replaced last. **A marker names the version from before the first step until after the last one: whoever comes next brings the
output to that version, whatever the input has become since.**

What a reader can rely on is in docs/operations/publishing.md.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import drift, faults, listing, manifest, packs, progress, provenance, swap, versions
from pipelines.errors import OutputError
from pipelines.index import Index
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
    return versions.has(ledger.out, told) and versions.is_there(ledger, told["digest"])


def publish(ledger: Ledger, told: Mapping[str, Any], run: Mapping[str, Any], keep: int = 0) -> None:
    """Bring the output to what the manifest says; safe to do again after being cut short anywhere. keep: earlier versions that stay."""
    faults.at("before-publish")
    versions.bring(ledger, told, run, drift.remember(ledger, told))
    earlier = [digest for digest in versions.order(ledger) if digest != told["digest"]]
    in_one_step = show(ledger, told["digest"], [told["digest"], *earlier][: keep + 1], prune=True)
    progress.event("published", digest=told["digest"], each_folder_in_one_step=in_one_step)
    shutil.rmtree(ledger.root / REFUSED, ignore_errors=True)
    _prune(ledger)


def trim(ledger: Ledger, keep: int) -> None:
    """Drop earlier versions that the recipe keeps no more, where nothing else is to be published."""
    order = versions.order(ledger)
    if len(order) > keep + 1:
        ledger.save(versions.ORDER, {"order": order[: keep + 1], "prune": True})
        _prune(ledger)


def set_aside(ledger: Ledger, told: Mapping[str, Any], run: Mapping[str, Any]) -> Path:
    """A result that is not published, as a dataset in a place of its own to look at; returns where."""
    place = ledger.root / REFUSED
    shutil.rmtree(place, ignore_errors=True)
    standing = manifest.standing(ledger.out)
    versions.build(ledger, told, run, drift.summary(standing) if standing else {}, place)
    return place


def republish(ledger: Ledger, told: Mapping[str, Any], *, files: bool) -> dict[str, Any]:
    """Bring a published dataset to another manifest, of the same recipe and input; its digest is made here. The caller holds the lock.
    Returns the new manifest.

    files: records were taken out of its units, so nothing else that may hold them stays: no earlier version, no unit of another.
    Else something was noted in the manifest, and the new version takes the place of the one it was noted of.
    """
    out = ledger.out
    body = {k: v for k, v in told.items() if k != "digest"}
    new = {**body, "digest": manifest.digest(body)}
    if not files:
        _refuse_other(ledger, told)
    try:
        circumstances = json.loads((out / "run.json").read_text("utf-8"))
        versions.bring(ledger, new, circumstances, ledger.load(drift.PREVIOUS))
        earlier = [] if files else [d for d in versions.order(ledger) if d not in (told["digest"], new["digest"])]
        show(ledger, new["digest"], [new["digest"], *earlier], prune=files)
        if files:
            shutil.rmtree(ledger.root / REFUSED, ignore_errors=True)
            ledger.clear_staging()
        _prune(ledger)
    except (OSError, ValueError) as error:
        told_why = getattr(error, "strerror", None) or "run.json is not JSON"
        raise OutputError(f"{out} cannot be published: {told_why}; mend it and do the same again") from None
    if files and (left := _left(ledger, new["digest"])):
        raise OutputError(f"{left} may hold what was to go, and cannot be deleted: mend it and do the same again")
    return new


def _left(ledger: Ledger, digest: str) -> Path | None:
    """What was to be deleted and is still there: deleting can fail without a word, and then nobody may say that it was done."""
    others = (p for p in (ledger.root / versions.FOLDER).glob("*") if p.name != digest)
    staged = (ledger.root / "staging").glob("*")
    places = [ledger.root / REFUSED, *others, *staged]
    if ledger.load(versions.ORDER).get("prune"):
        places.append(ledger.root / "units")
    return next((p for p in places if p.exists()), None)


def finish(ledger: Ledger) -> bool:
    """Do what is left of a publish that was cut short; whether there was one. The caller holds the lock."""
    shutil.rmtree(_swap(ledger), ignore_errors=True)
    marker = ledger.load(MARKER)
    begun = bool(marker) and versions.is_there(ledger, marker["digest"])
    try:
        if begun:
            show(ledger, marker["digest"], marker["order"], prune=marker["prune"])
        _prune(ledger)
    except OSError as error:
        raise OutputError(
            f"{ledger.out} cannot be published: {error.strerror}; mend it and do the same again"
        ) from None
    return begun


def show(ledger: Ledger, digest: str, order: Sequence[str], *, prune: bool) -> bool:
    """Bring what readers see to a version that is there; whether each folder changed in one step. order: the versions that are kept
    from then on, this one first. prune: units that none of them is made of go as well.

    Everything that takes time comes before the first step.
    """
    version, ready = versions.path(ledger, digest), _swap(ledger)
    shutil.rmtree(ready, ignore_errors=True)
    ready.mkdir(parents=True)
    versions.check_listed(version)
    changed = [kind for kind in KINDS if not versions.same(version / kind, ledger.out / kind)]
    for kind in changed:
        versions.copy(version, kind, ready)
        swap.keep_access(ledger.out / kind, ready / kind)
    pages = [*versions.PAGES, "manifest.json"]
    for name in pages:
        replace(ready / name, (version / name).read_bytes())
    if (version / listing.SIDE).is_file():
        versions.link(version / listing.SIDE, ready / listing.SIDE)
        # Before the manifest that names it: whoever has the old one then sees that this is another.
        pages.insert(0, listing.SIDE)
    ledger.still_held()
    ledger.save(MARKER, {"digest": digest, "order": list(order), "prune": prune})
    sync_folder(ledger.root)
    faults.at("before-swap")
    in_one_step = [_put(ready / kind, ledger.out / kind) for kind in changed]
    for name in pages:
        if name == "manifest.json":
            faults.at("before-manifest")
        swap.put(ready / name, ledger.out / name)
    if listing.SIDE not in pages:
        (ledger.out / listing.SIDE).unlink(missing_ok=True)
    sync_folder(ledger.out)
    faults.at("after-manifest")
    ledger.save(versions.ORDER, {"order": list(order), "prune": prune})
    (ledger.root / MARKER).unlink()
    sync_folder(ledger.root)
    shutil.rmtree(ready, ignore_errors=True)
    return all(in_one_step)


def _put(new: Path, standing: Path) -> bool:
    done = swap.put(new, standing)
    faults.at("between-swaps")
    return done


def _swap(ledger: Ledger) -> Path:
    return ledger.root / "staging" / "swap"


def _prune(ledger: Ledger) -> None:
    """Drop the versions that are not kept, and then, if that is still to do, the units that none of the others is made of."""
    versions.sweep(ledger)
    if not ledger.load(versions.ORDER).get("prune"):
        return
    faults.at("in-prune")
    wanted = versions.units(ledger)
    left = wanted is not None and not ledger.prune(Index(np.concatenate([wanted, packs.origins(ledger, wanted)])))
    ledger.save(versions.ORDER, {"order": versions.order(ledger), "prune": left})


def _refuse_other(ledger: Ledger, told: Mapping[str, Any]) -> None:
    """Raises OutputError where what is published is not what the caller has read."""
    standing = manifest.standing(ledger.out)
    if (ledger.root / MARKER).exists() or standing is None or standing["digest"] != told.get("digest"):
        raise OutputError(f"{ledger.out} changed meanwhile, or a publish was cut short: do the same again")


def edited(out: Path, told: Mapping[str, Any]) -> list[str]:
    """Generated files that are not what the manifest makes of them (now), nor what was written when it was published."""
    try:
        written = json.loads((out / "run.json").read_text("utf-8")).get("pages", {})
    except (OSError, ValueError, AttributeError):
        written = {}
    ours = told["software"]["code_sha256"] == software()["code_sha256"]
    made = provenance.pages(told) if ours else {}
    return [
        name
        for name in provenance.PAGES
        if not _is(out / name, versions.sha256(made[name]) if made else written.get(name))
    ]


def _is(path: Path, sha256: str | None) -> bool:
    try:
        return versions.sha256(path.read_bytes()) == sha256
    except OSError:
        return False
