"""Where a dataset comes from: its parents by digest, and whether they still are what they were.

A dataset made from another corpusmill dataset names it in its manifest by the digest of what it kept, and in ``run.json`` by where
it was. Whatever changes the parent's data afterwards (another run, records forgotten) makes everything derived from it stale.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import listing, manifest, stores
from pipelines.errors import ShardError, UsageError
from pipelines.shards import Shard

CURRENT, STALE, MISSING, BROKEN = "current", "stale", "missing", "broken"


@dataclass(frozen=True)
class Parent:
    """A dataset that shards were read from. data_digest: of what it kept at that time."""

    path: str
    name: str
    data_digest: str


@dataclass(frozen=True)
class Node:
    """A dataset in the family tree. state: against what its child recorded; why: one line where it is not current.
    origin, named: where its recipe declares it to come from, and what it was made from."""

    path: str
    name: str
    data_digest: str
    state: str
    why: str
    sources: int
    parents: tuple[Node, ...]
    origin: str | None = None
    named: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether it and everything above it are current."""
        return self.state == CURRENT and all(p.sound for p in self.parents)


def parents_of(shards: Sequence[Shard]) -> list[Parent]:
    """The corpusmill datasets whose data/ these shards lie in, by path."""
    found: dict[str, Parent] = dict(_published(shards))
    if shards and stores.is_url(shards[0].path):
        return list(found.values())
    folders = {s.path.rpartition("/")[0] or "/" * s.path.startswith("/") for s in shards}
    for folder in sorted(Path(folder).absolute() for folder in folders):
        for home in (folder, *folder.parents):
            if home.name != "data" or not (home.parent / "manifest.json").is_file():
                continue
            out = str(home.parent)
            if out not in found and (told := _manifest(out)):
                found[out] = Parent(out, told["name"], told["data_digest"])
            break
    return [found[k] for k in sorted(found)]


def _published(shards: Sequence[Shard]) -> Iterator[tuple[str, Parent]]:
    """Datasets on a store, by the folder of the version that was read. Shards come from one listing, so there is one at most."""
    some = shards if shards and stores.is_url(shards[0].path) else ()
    for url in {f"{m[1]}/" for s in some if (m := re.match(r"(s3://.*/versions/[0-9a-f]{64})/data/", s.path))}:
        if told := _manifest(url):
            home = stores.home(url)
            yield home, Parent(home, told["name"], told["data_digest"])


def walk(out: Path | str) -> Node:
    """The family tree of a dataset in a folder, or behind a URL, to its sources. Raises UsageError where there is no dataset."""
    if isinstance(out, Path):
        there, out = (out / "manifest.json").is_file(), out.absolute()
    else:
        there = _manifest(out) is not None
    if not there:
        raise UsageError(f"no dataset at {out}: it has no manifest.json")
    return _node(out, None, ())


def problems(node: Node) -> Iterator[str]:
    """One line for everything in the tree that is not as it was."""
    if node.why:
        yield f"{node.path}: {node.why}"
    for parent in node.parents:
        yield from problems(parent)


def _node(out: Path | str, wanted: str | None, seen: tuple[Path | str, ...]) -> Node:
    if not stores.is_url(str(out)) and not (Path(out) / "manifest.json").is_file():
        return Node(str(out), Path(out).name, wanted or "", MISSING, "not there any more", 0, ())
    try:
        told = _manifest(out)
    except ShardError as error:
        return Node(str(out), Path(out).name, wanted or "", MISSING, f"cannot be looked at ({error})", 0, ())
    if told is None or out in seen:
        why = "is derived from itself" if out in seen else "its manifest was edited after it was written"
        return Node(str(out), Path(out).name, wanted or "", BROKEN, why, 0, ())
    homes = _homes(out)
    above = tuple(
        _node(_place(homes.get(p["data_digest"], "?")), p["data_digest"], (*seen, out)) for p in told.get("parents", [])
    )
    state, why = CURRENT, ""
    if wanted is not None and told["data_digest"] != wanted:
        state, why = STALE, f"changed since it was read{_forgotten(told)}; run what is derived from it again"
    about = told.get("about", {})
    named = tuple(s["name"] for s in about.get("sources") or ())
    return Node(
        str(out),
        told["name"],
        told["data_digest"],
        state,
        why,
        listing.number_of_inputs(told),
        above,
        about.get("origin"),
        named,
    )


def _place(told: str) -> Path | str:
    return told if stores.is_url(told) else Path(told)


def _manifest(out: Path | str) -> dict[str, Any] | None:
    """The manifest of a dataset of ours; None where it is not, or was edited. Raises ShardError for what a store says."""
    if stores.is_url(str(out)):
        return stores.manifest(str(out))
    told = manifest.sound(Path(out))
    return told if told and told.get("manifest") == manifest.VERSION and "data_digest" in told else None


def _homes(out: Path | str) -> dict[str, str]:
    """Where each parent was, by digest."""
    try:
        told = json.loads(stores.beside(out, "run.json") if isinstance(out, str) else (out / "run.json").read_bytes())
        return {str(p["data_digest"]): str(p["path"]) for p in told.get("parents", [])}
    except (OSError, ShardError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _forgotten(told: dict[str, Any]) -> str:
    if not (trail := told.get("forgotten")):
        return ""
    return f" (last, {trail[-1]['records']:,} records were forgotten on {trail[-1]['date']})"
