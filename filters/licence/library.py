"""What is known of licences: ids, spellings, categories, obligations and conflicts, from the files here and the user's.

Ids are those of the SPDX list and of ScanCode, as the package license-expression carries them, and the LicenseRefs of our
files. Nothing else can get into an expression, so no text of a record can either.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from filters import yamlfile
from filters.contract import ConfigError
from filters.licence.names import Namer
from filters.structure.safety import is_explosive

FOLDER = Path(__file__).parent
UNKNOWN, PENDING = "LicenseRef-unknown", "LicenseRef-pending"
UNVERSIONED = "LicenseRef-unversioned-"
_REF = re.compile(r"LicenseRef-[A-Za-z0-9.-]{1,80}")


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a licence is and asks for: names out of licences.yaml."""

    categories: tuple[str, ...]
    obligations: tuple[str, ...] = ()


class Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Terms of all ids that one of the globs matches."""

    match: tuple[str, ...]
    categories: tuple[str, ...]
    obligations: tuple[str, ...] = ()


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"with_": "with"}):
    """Two sorts of licences that conflict (or, without a why, do not). Globs on ids, or @category."""

    of: tuple[str, ...]
    with_: tuple[str, ...]
    why: str = ""
    source: str = ""


class LicencesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    categories: dict[str, str]
    obligations: dict[str, str]
    families: tuple[Family, ...]
    scancode: dict[str, Terms]
    conflicts: tuple[Pair, ...]
    compatible: tuple[Pair, ...]


class AliasFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping file, ours or a user's. licences: terms of LicenseRefs, or other terms for known ids."""

    aliases: dict[str, str] = {}
    missing: tuple[str, ...] = ()
    urls: dict[str, str] = {}
    licences: dict[str, Terms] = {}
    words: dict[str, str] = {}
    noise: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Library:
    """ids: key -> id of a licence, exceptions: key -> id of an exception; aliases: key -> expression as written in a file.

    terms: those of ids the index or a user's file knows; missing and pending: keys of what says nothing, and words.
    """

    namer: Namer
    ids: Mapping[str, str]
    exceptions: Mapping[str, str]
    aliases: Mapping[str, str]
    urls: tuple[tuple[re.Pattern[str], str], ...]
    missing: frozenset[str]
    pending: frozenset[str]
    known: frozenset[str]
    categories: tuple[str, ...]
    told: LicencesFile
    _scancode: Mapping[str, str]
    _own: Mapping[str, Terms]

    def terms(self, licence: str) -> Terms:
        """Categories and obligations of one licence; an exception changes nothing, which is the cautious reading."""
        return _terms(self, licence)

    def burden(self, category: str) -> int:
        """Categories in order, the least burden first."""
        return self.categories.index(category)


@lru_cache(maxsize=4096)
def _terms(library: Library, licence: str) -> Terms:
    base = licence.partition(" WITH ")[0]
    if base in library._own:
        return library._own[base]
    name = base.removeprefix(UNVERSIONED)
    for family in library.told.families:
        if matches(name, family.match):
            return Terms(family.categories, family.obligations)
    return library.told.scancode.get(library._scancode.get(base, ""), library.told.scancode["Unstated License"])


def matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def load(path: str = "") -> Library:
    """The library, with a user's mapping file on top. Raises ConfigError in one line for what is wrong with that file."""
    stat = Path(path).stat() if path and Path(path).is_file() else None
    return _load(path, stat.st_size if stat else 0, stat.st_mtime_ns if stat else 0)


@lru_cache(maxsize=8)
def _load(path: str, _size: int, _changed: int) -> Library:
    ours, theirs = _aliases(FOLDER / "aliases.yaml"), _aliases(Path(path)) if path else AliasFile()
    told: LicencesFile = _read(FOLDER / "licences.yaml", LicencesFile)
    for ref, terms in theirs.licences.items():
        _check(path, ref, terms, told)
    namer = Namer({**ours.words, **theirs.words}, (*ours.noise, *theirs.noise))
    ids, exceptions, scancode = _index(namer)
    own = {value for value in ours.aliases.values() if _REF.fullmatch(value)} | set(theirs.licences)
    ids |= {namer.key(ref): ref for ref in own}
    urls = {**ours.urls, **theirs.urls}
    return Library(
        namer=namer,
        ids=ids,
        exceptions=exceptions,
        aliases={namer.key(k): v for k, v in {**ours.aliases, **theirs.aliases}.items()},
        urls=tuple((re.compile(pattern), name) for pattern, name in urls.items()),
        missing=frozenset(namer.key(m) for m in (*ours.missing, *theirs.missing)),
        pending=frozenset((*ours.pending, *theirs.pending)),
        known=frozenset((*ids.values(), *exceptions.values())),
        categories=tuple(told.categories),
        told=told,
        _scancode=scancode,
        _own=theirs.licences,
    )


def _index(namer: Namer) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Keys of licences, keys of exceptions, and ScanCode's category of each id. Current ids of the SPDX list win over others."""
    # Imported here: `plan` has no use for it.
    from license_expression import get_license_index

    index = [e for e in get_license_index() if e["spdx_license_key"]]
    index.sort(key=lambda e: (e["is_deprecated"], e["spdx_license_key"].startswith("LicenseRef-"), e["license_key"]))
    licences: dict[str, str] = {}
    exceptions: dict[str, str] = {}
    for names in (("spdx_license_key",), ("other_spdx_license_keys",), ("license_key",)):
        for entry in index:
            target = exceptions if entry["is_exception"] else licences
            for field in names:
                given = entry[field]
                # ScanCode's own keys are short words ("hp"): they only stand for what SPDX knows too.
                if field == "license_key" and entry["spdx_license_key"].startswith("LicenseRef-"):
                    continue
                for name in given if isinstance(given, list) else [given]:
                    target.setdefault(namer.key(name), entry["spdx_license_key"])
    return licences, exceptions, {e["spdx_license_key"]: e["category"] for e in index}


def digest(path: str) -> str:
    """sha256 of a user's mapping file. Raises ConfigError when it cannot be read."""
    return hashlib.sha256(_bytes(Path(path))).hexdigest()


def aliases_of(path: str) -> Mapping[str, str]:
    """What a user's mapping file adds; nothing without one."""
    return _aliases(Path(path)).aliases if path else {}


def _aliases(path: Path) -> AliasFile:
    told: AliasFile = _read(path, AliasFile)
    for pattern in told.urls:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"licence: {path.name}: url {pattern!r:.80}: {error}") from None
        if is_explosive(pattern):
            raise ConfigError(
                f"licence: {path.name}: url {pattern!r:.80} can take for ever: a repetition inside a repetition"
            )
    return told


def _check(path: str, ref: str, terms: Terms, told: LicencesFile) -> None:
    for kind, given, there in (
        ("category", terms.categories, told.categories),
        ("obligation", terms.obligations, told.obligations),
    ):
        if wrong := [g for g in given if g not in there]:
            raise ConfigError(
                f"licence: {Path(path).name}: {ref:.80}: no {kind} {wrong[0]!r:.40}; there are {', '.join(there)}"
            )
    if not terms.categories:
        raise ConfigError(f"licence: {Path(path).name}: {ref:.80} needs a category: {', '.join(told.categories)}")
    if ref.startswith("LicenseRef-") and not _REF.fullmatch(ref):
        raise ConfigError(f"licence: {Path(path).name}: {ref!r:.80}: a LicenseRef has letters, digits, '.' and '-'")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"licence: {path} cannot be read ({error.strerror})") from None


def _read(path: Path, kind: type) -> Any:
    return yamlfile.read(path, kind, f"licence: {path.name}")
