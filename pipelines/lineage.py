"""Where a dataset comes from: its parents by digest, and whether they still are what they were.

A dataset made from another corpusmill dataset names it in its manifest by the digest of what it kept, and in ``run.json`` by where
it was. Whatever changes the parent's data afterwards (another run, records forgotten) makes everything derived from it stale.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import manifest
from pipelines.errors import UsageError
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
    found: dict[Path, Parent] = {}
    for folder in sorted({Path(s.path).absolute().parent for s in shards}):
        for home in (folder, *folder.parents):
            if home.name != "data" or not (home.parent / "manifest.json").is_file():
                continue
            out = home.parent
            if out not in found and (told := _manifest(out)):
                found[out] = Parent(str(out), told["name"], told["data_digest"])
            break
    return [found[k] for k in sorted(found)]


def walk(out: Path) -> Node:
    """The family tree of a dataset, to its sources. Raises UsageError where there is no dataset."""
    if not (out / "manifest.json").is_file():
        raise UsageError(f"no dataset at {out}: it has no manifest.json")
    return _node(out.absolute(), None, ())


def problems(node: Node) -> Iterator[str]:
    """One line for everything in the tree that is not as it was."""
    if node.why:
        yield f"{node.path}: {node.why}"
    for parent in node.parents:
        yield from problems(parent)


def _node(out: Path, wanted: str | None, seen: tuple[Path, ...]) -> Node:
    if not (out / "manifest.json").is_file():
        return Node(str(out), out.name, wanted or "", MISSING, "not there any more", 0, ())
    told = _manifest(out)
    if told is None or out in seen:
        why = "is derived from itself" if out in seen else "its manifest was edited after it was written"
        return Node(str(out), out.name, wanted or "", BROKEN, why, 0, ())
    homes = _homes(out)
    above = tuple(
        _node(Path(homes.get(p["data_digest"], "?")), p["data_digest"], (*seen, out)) for p in told.get("parents", [])
    )
    state, why = CURRENT, ""
    if wanted is not None and told["data_digest"] != wanted:
        state, why = STALE, f"changed since it was read{_forgotten(told)}; run what is derived from it again"
    about = told.get("about", {})
    named = tuple(s["name"] for s in about.get("sources") or ())
    return Node(
        str(out), told["name"], told["data_digest"], state, why, len(told["inputs"]), above, about.get("origin"), named
    )


def _manifest(out: Path) -> dict[str, Any] | None:
    """The manifest of a dataset of ours; None where it is not, or was edited."""
    told = manifest.standing(out)
    return told if told and told.get("manifest") == manifest.VERSION and "data_digest" in told else None


def _homes(out: Path) -> dict[str, str]:
    """Where each parent was, by digest."""
    try:
        told = json.loads((out / "run.json").read_text("utf-8"))
        return {p["data_digest"]: p["path"] for p in told.get("parents", [])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _forgotten(told: dict[str, Any]) -> str:
    if not (trail := told.get("forgotten")):
        return ""
    return f" (last, {trail[-1]['records']:,} records were forgotten on {trail[-1]['date']})"
