"""Where published datasets live: each whole, under its digest, in ``OUT/.corpusmill/versions/DIGEST``, and never changed there.

**A version appears in one rename when it is whole, and goes in one rename.** Its Parquet files are second names (hard links) of the
finished units' files, so a version takes the space of what only it has; where the file system has no hard links, they are copies.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipelines import listing, manifest, provenance, report
from pipelines.index import of_hex
from pipelines.ledger import KEY, Ledger, sync_folder, write_synced
from pipelines.write import KINDS

FOLDER, ORDER = "versions", "versions.json"
PAGES = (*provenance.PAGES, "report.html", "run.json")
"""What stands beside the folders, the manifest apart, which comes last."""


def path(ledger: Ledger, digest: str) -> Path:
    return ledger.root / FOLDER / digest


def order(ledger: Ledger) -> list[str]:
    """Digests of the versions that are there, the one that is published first, then the next to go back to."""
    return [digest for digest in ledger.load(ORDER).get("order", []) if is_there(ledger, digest)]


def is_there(ledger: Ledger, digest: str) -> bool:
    return digest.isalnum() and path(ledger, digest).is_dir()


def bring(ledger: Ledger, told: Mapping[str, Any], run: Mapping[str, Any], previous: Mapping[str, Any]) -> Path:
    """The version that a manifest tells of, made unless it is there. previous: the summary that its report compares with."""
    place = path(ledger, told["digest"])
    if whole(place, told):
        listing.stands(told, place)
        return place
    staged = ledger.root / "staging" / f"version.{uuid.uuid4().hex}"
    build(ledger, told, run, previous, staged)
    place.parent.mkdir(exist_ok=True)
    drop(ledger, told["digest"])
    staged.rename(place)
    sync_folder(place.parent)
    listing.stands(told, place)
    return place


def build(
    ledger: Ledger, told: Mapping[str, Any], run: Mapping[str, Any], previous: Mapping[str, Any], place: Path
) -> None:
    """A whole dataset at a new place, on the disk when this returns."""
    for kind in KINDS:
        (place / kind).mkdir(parents=True)
    folders: set[str] = set()
    for entry in listing.outputs(told):
        if (folder := entry["path"].rpartition("/")[0]) not in folders:
            (place / folder).mkdir(parents=True, exist_ok=True)
            folders.add(folder)
        link(_source(ledger, entry), f"{place}/{entry['path']}")
    pages = provenance.pages(told)
    digests = {name: sha256(data) for name, data in pages.items()}
    made = {
        **pages,
        "report.html": report.render(told, previous, report.collect(place, told)).encode(),
        "run.json": manifest.dump({**run, "pages": digests, "manifest_digest": told["digest"]}),
    }
    for name, data in made.items():
        write_synced(place / name, data)
    if (listed := listing.side(told)) is not None:
        link(listed.place, place / listed["path"])
    write_synced(place / "manifest.json", manifest.pieces(told))
    sync_tree(place)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def whole(place: Path, told: Mapping[str, Any]) -> bool:
    """Whether a version is what the manifest says, by the sizes of its files (``verify`` reads them)."""
    standing = manifest.standing(place)
    if standing is None or standing["digest"] != told["digest"] or not all((place / n).is_file() for n in PAGES):
        return False
    return has(place, told)


def has(place: Path, told: Mapping[str, Any]) -> bool:
    """Whether the three folders hold the files of a manifest and no others, by their sizes."""
    return listing.sized(sizes(place)) == listing.sized(listing.sizes(told))


def check_listed(version: Path) -> None:
    """Raises FileNotFoundError where a version's folders do not list a file of its manifest: a network file system may show what it
    remembers of a folder, and what is copied by such a list would have a hole."""
    told = manifest.load(version)
    if listing.sized(names(version)) == listing.sized(listing.names(told)):
        return
    there = set(names(version))
    if missing := next((name for name in listing.names(told) if name not in there), None):
        raise FileNotFoundError(errno.ENOENT, f"{missing} is not listed in {version}")


def copy(version: Path, kind: str, to: Path) -> None:
    """A folder of a version once more, as second names of the same files."""
    for name in (kind, *sorted(folder.relative_to(version).as_posix() for folder in _folders(version / kind))):
        (to / name).mkdir(parents=True, exist_ok=True)
    target = f"{to / kind}/"
    for name, entry in _files(version / kind):
        link(entry.path, target + name)
    sync_tree(to / kind)


def same(one: Path, other: Path) -> bool:
    """Whether two folders hold second names of the same files."""
    if not other.is_dir() or other.is_symlink() or one.stat().st_dev != other.stat().st_dev:
        return False
    return _inodes(one) == _inodes(other)


def sizes(out: Path) -> Iterator[tuple[str, int]]:
    """Every file below the three folders, relative to ``out``, and its bytes."""
    return ((name, entry.stat().st_size) for name, entry in _below(out))


def names(out: Path) -> Iterator[str]:
    """Every file below the three folders, relative to ``out``."""
    return (name for name, _ in _below(out))


def _below(out: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    there = [kind for kind in KINDS if (out / kind).is_dir()]
    return ((f"{kind}/{name}", entry) for kind in there for name, entry in _files(out / kind))


def sweep(ledger: Ledger) -> None:
    """Drop versions that are not to be kept."""
    wanted = set(order(ledger))
    for folder in sorted((ledger.root / FOLDER).glob("*")):
        if folder.name not in wanted:
            drop(ledger, folder.name)


def drop(ledger: Ledger, digest: str) -> None:
    if (standing := path(ledger, digest)).is_dir():
        trash = ledger.root / "staging" / f"dropped.{uuid.uuid4().hex}"
        trash.parent.mkdir(exist_ok=True)
        standing.rename(trash)
        shutil.rmtree(trash, ignore_errors=True)


def units(ledger: Ledger) -> np.ndarray | None:
    """uint8[n, KEY]: keys of the units that the versions kept are made of; None where one does not say."""
    found = [np.zeros((0, KEY), np.uint8)]
    for digest in order(ledger):
        told = manifest.standing(path(ledger, digest))
        if told is None:
            return None
        found.append(of_hex((entry["unit"] for entry in listing.outputs(told, "data")), KEY))
    return np.concatenate(found)


def link(source: Path | str, target: Path | str) -> None:
    """A second name for the same bytes where the file system has that, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        with contextlib.suppress(OSError):
            if Path(target).samefile(source):
                return  # NFS sent the call twice, and the second one met what the first had done
        shutil.copyfile(source, target)
        with Path(target).open("rb+") as file:
            os.fsync(file.fileno())


def sync_tree(place: Path) -> None:
    for folder in _folders(place):
        sync_folder(folder)
    sync_folder(place)


def _source(ledger: Ledger, entry: Mapping[str, Any]) -> Path:
    """A file of a finished unit; the published one where the unit is not there any more."""
    kind = entry["path"].partition("/")[0]
    unit = ledger.unit(entry["unit"]) / f"{kind}.parquet"
    return unit if unit.is_file() else ledger.out / entry["path"]


def _folders(place: Path) -> Iterator[Path]:
    """Every folder below a place, the inner ones first."""
    for folder, names, _ in os.walk(place, topdown=False):
        yield from (Path(folder) / name for name in names)


def _files(folder: Path | str, below: str = "") -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every file below a folder, and its name from there. Without a Path for each: there may be millions."""
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, f"{below}{entry.name}/")
            else:
                yield below + entry.name, entry


def _inodes(folder: Path) -> dict[str, int]:
    return {name: entry.inode() for name, entry in _files(folder)}
