"""The input's shards: which files there are, what they are called, and what they hold, by content."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines import stores
from pipelines.errors import ShardError, UsageError
from pipelines.terminal import printable

NAME_BYTES, PATH_BYTES = 200, 1000
"""File systems take 255 and 4,096; parts and files that are not whole yet have longer names than their shard."""

SUFFIXES = {
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson.gz": "jsonl",
    ".jsonl.zst": "jsonl",
    ".ndjson.zst": "jsonl",
    ".json": "jsonl",
    ".json.gz": "jsonl",
    ".json.zst": "jsonl",
}


@dataclass(frozen=True, slots=True)
class Shard:
    """One input file. path: or its URL. name: its path below the input's folder, with ``/``. stat: tells a changed file from an
    unchanged one without reading it (size, mtime, ctime, inode; on S3 size, mtime, ETag). augment: what is made of its records when
    they are read, if anything."""

    path: str
    name: str
    kind: str
    size: int
    stat: stores.Stat
    augment: str = ""

    @property
    def output_name(self) -> str:
        """The name of the files made from it: the same, ending in ``.parquet``."""
        return self.name[: -len(_suffix(self.name))] + ".parquet"

    def twin(self, augment: str) -> Shard:
        """The same file, read as a shard of its own with its records augmented."""
        suffix = self.name[-len(_suffix(self.name)) :]
        return replace(self, name=f"{self.name.removesuffix(suffix)}.{augment}{suffix}", augment=augment)


def unfit(name: str) -> str | None:
    """Why no file can be named so (anybody may have named the input's), if none can: text it is not, or longer than file systems take."""
    if name != printable(name) or "\n" in name or "\t" in name:
        return "its name holds control characters, or is not UTF-8: rename it"
    if max(len(part.encode()) for part in name.split("/")) > NAME_BYTES or len(name.encode()) > PATH_BYTES:
        return f"its name is too long (over {NAME_BYTES} bytes, or {PATH_BYTES:,} with its folders): rename it"
    return None


def _suffix(name: str) -> str:
    return next(s for s in sorted(SUFFIXES, key=len, reverse=True) if name.lower().endswith(s))


def stat_of(path: str) -> stores.Stat:
    if stores.is_url(path):
        return stores.stat(path)
    s = Path(path).stat()
    return (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)


def find(where: str, augment: str = "") -> list[Shard]:
    """Shards of a folder (recursively), a glob or one file, by name, on a disk or behind a URL. The folder of a curated dataset
    means its ``data/``.
    augment: each has a twin of that kind.

    Raises UsageError when there are none, or when two would be written to the same name.
    """
    if not where:
        raise UsageError("no input: give --input, or input.path in the recipe")
    shards, others = _shards(where)
    if not shards:
        looked = f"looked for {', '.join(SUFFIXES)}"
        raise UsageError(f"no shards at {where}: {passed_over(others) if others else looked}")
    if augment:
        shards += [shard.twin(augment) for shard in shards]
    taken: dict[str, str] = {}
    for shard in sorted(shards, key=lambda s: s.name):
        if other := taken.get(shard.output_name):
            raise UsageError(
                f"{other} and {shard.name} would both become {shard.output_name}: rename one, or run them apart"
            )
        taken[shard.output_name] = shard.name
    return sorted(shards, key=lambda s: s.name)


def passed_over(others: list[str]) -> str:
    """One line on files that are JSON and no records."""
    more = f" and {len(others) - 1:,} more hold" if len(others) > 1 else " holds"
    return f"{others[0]}{more} no records: a .json file has to be an array of objects, or one object a line"


def others(where: str) -> list[str]:
    """Names of the JSON files there that hold no records, and so are no shards."""
    return _shards(where)[1]


def _shards(where: str) -> tuple[list[Shard], list[str]]:
    from pipelines.formats import jsonl

    shards, others = [], []
    for path, name, told in stores.find(where) if stores.is_url(where) else _local(where):
        kind = next((k for s, k in SUFFIXES.items() if name.lower().endswith(s)), None)
        if kind is None or any(part.startswith((".", "_")) for part in name.split("/")):
            continue
        if jsonl.is_json(name) and not jsonl.holds_records(path):
            others.append(name)
            continue
        stat = told or stat_of(path)
        shards.append(Shard(path, name, kind, int(stat[0]), stat))
    return shards, others


def _local(where: str) -> Iterator[tuple[str, str, stores.Stat | None]]:
    base, paths = _paths(where)
    return ((str(path), path.relative_to(base).as_posix(), None) for path in paths)


def _paths(where: str) -> tuple[Path, list[Path]]:
    root = Path(where)
    if root.is_dir():
        if (root / "manifest.json").is_file() and (root / "data").is_dir():
            root = root / "data"
        return root, list(_walk(root))
    if root.is_file():
        return root.parent, [root]
    if glob.has_magic(where):
        fixed = Path(where)
        while glob.has_magic(str(fixed)):
            fixed = fixed.parent
        found = [Path(p) for p in glob.glob(where, recursive=True)]  # noqa: PTH207 (a pattern may be absolute)
        return fixed, [p for p in found if p.is_file()]
    raise UsageError(f"no input at {where}: not a file, a folder or a glob")


def _walk(root: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise UsageError(f"cannot list {error.filename} ({error.strerror})")

    for folder, folders, names in os.walk(root, onerror=refuse):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        yield from (Path(folder) / n for n in names if (Path(folder) / n).is_file())


def sha256_of(path: str | Path, tell: Callable[[int], object] | None = None) -> str:
    """Of a file's bytes, 8 MiB at a time; ``tell`` gets the number of bytes of each piece. Raises OSError, or ShardError for what a
    store says."""
    digest = hashlib.sha256()
    with stores.opened(str(path)) as file:
        while piece := file.read(8 << 20):
            digest.update(piece)
            if tell:
                tell(len(piece))
    return digest.hexdigest()


def fingerprints(
    shards: list[Shard], known: dict[str, list], tell: Callable[[int], object] | None = None
) -> dict[str, str | Exception]:
    """Shard name -> sha256, or the OSError or ShardError that reading it gave. ``known`` (path -> [*stat, sha256]) spares files whose
    stat is as it was; ctime is part of it, which no ordinary program can set back, or an ETag. It is brought up to date.
    """

    def one(shard: Shard) -> str | Exception:
        try:
            return stores.sha256(shard.path) or sha256_of(shard.path, tell)
        except (OSError, ShardError) as error:
            return error

    by_path = {s.path: s for s in shards}
    sums: dict[str, str | Exception] = {
        path: cached[-1]
        for path, shard in by_path.items()
        if (cached := known.get(path)) and tuple(cached[:-1]) == shard.stat
    }
    fresh = [s for path, s in by_path.items() if path not in sums]
    with ThreadPoolExecutor(stores.threads(shards[0].path)) as pool:
        sums.update(zip((s.path for s in fresh), pool.map(one, fresh), strict=True))
    found = {s.name: sums[s.path] for s in shards}
    known.clear()
    known.update({s.path: [*s.stat, sha] for s in shards if isinstance(sha := found[s.name], str)})
    return found
