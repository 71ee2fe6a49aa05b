"""Export and import of a review."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from filters.batch import CHANNELS
from filters.contract import ConfigError
from filters.pii import allow as allow_list
from pipelines import listing, lookup, manifest, recipe, shards, statistics
from pipelines.errors import OutputError, UsageError
from pipelines.ledger import Ledger, replace
from pipelines.review import labelstudio
from pipelines.review.labelstudio import CONFIRMED, REFUTED, UNSURE
from pipelines.review.sample import Finding, Sample, count, draw
from pipelines.schemas.read import Read


@dataclass(frozen=True)
class Exported:
    """tasks and page: the files written; sample: what is in them."""

    tasks: Path
    page: Path
    sample: Sample


@dataclass(frozen=True)
class Imported:
    """section: what the manifest now says; allowed: values added to the allow-list, by entity."""

    section: Mapping[str, Any]
    allowed: Mapping[str, int]


def export(
    out: Path, to: Path, *, source: str | None = None, filter_: str = "pii", size: int = 300, seed: int = 0
) -> Exported:
    """Write a sample of findings, with the text around them, as Label Studio tasks, and the labelling page beside them.

    source: where the records are read from, if not where the run read them. Both files are made 0600, and never over others.
    """
    told = _dataset(out)
    standing = recipe.overridden(told["recipe"]["effective"], (), "manifest.json")
    to, page = to.absolute(), to.absolute().with_suffix(".xml")
    if out.absolute() in to.parents:
        raise UsageError(f"{to} lies inside the dataset, which others will read: give a place outside {out}")
    sample = draw(out, told, filter_, size, seed)
    tasks = [
        labelstudio.task(finding, text, told["recipe"]["fingerprint"])
        for finding, text in _texts(standing, told, source or _source(out), sample)
    ]
    _private(to, json.dumps(tasks, ensure_ascii=False, indent=1))
    _private(page, labelstudio.page(sample.population))
    return Exported(to, page, sample)


def import_(out: Path, files: Sequence[Path], *, filter_: str = "pii", allow: Path | None = None) -> Imported:
    """Take verdicts back: precision with its interval into the manifest, refuted values into an allow-list.

    A finding that people disagree on counts as unsure. Values of findings confirmed anywhere are not allowed.
    """
    from pipelines.publish import republish

    told = _dataset(out)
    found = _agreed(files, told["recipe"]["fingerprint"], out)
    section = _section(found, count(out, told, filter_))
    added = _allow(allow, found) if allow else {}
    ledger = Ledger(out)
    ledger.root.mkdir(exist_ok=True)
    with ledger.lock():
        republish(ledger, {**told, "review": {**told.get("review", {}), filter_: section}}, files=False)
    return Imported(section, added)


def _dataset(out: Path) -> dict[str, Any]:
    if (told := manifest.sound(out)) is None:
        raise UsageError(manifest.none_at(out))
    return told


def _source(out: Path) -> str:
    try:
        return json.loads((out / "run.json").read_text("utf-8"))["input"]
    except (OSError, ValueError, KeyError):
        raise UsageError(f"{out} does not say where its records were read: give --input") from None


def _texts(
    standing: recipe.Recipe, told: Mapping[str, Any], source: str, sample: Sample
) -> Iterator[tuple[Finding, str]]:
    """Each finding with the source text of its turn and channel. Raises UsageError where the input is not what was read."""
    by_shard: dict[str, dict[int, list[Finding]]] = defaultdict(lambda: defaultdict(list))
    for finding in sample.findings:
        by_shard[finding.shard][finding.row].append(finding)
    there = {s.name: s for s in shards.find(source, standing.input.augment)}
    sizes = {i["path"]: i.get("bytes") for i in listing.inputs(told) if i["path"] in by_shard}
    for name, rows in sorted(by_shard.items()):
        if name not in there or there[name].size != sizes.get(name):
            what = "missing" if name not in there else "another file than the one that was read"
            raise UsageError(f"{source}: {name} is {what}; give --input with the records as they were")
        for row, one in lookup.records(standing, there[name], rows):
            for finding in rows[row]:
                yield finding, _text(one, finding, source)


def _text(one: Read, finding: Finding, source: str) -> str:
    """A turn's segments of one channel, joined: offsets in annotations count through them as if they were one text."""
    segments = one.batch.segments
    here = (segments.turn == finding.turn) & (segments.channel == CHANNELS.index(finding.channel))
    text = "".join(segments.text(int(i)) for i in np.flatnonzero(here))
    if one.batch.ids[0].as_py() != finding.record_id or finding.end > len(text):
        raise UsageError(f"{source}: {finding.shard}:{finding.row} is not the record that was judged; give --input")
    return text


def _private(path: Path, text: str) -> None:
    """A new file that nobody else can read, from its first byte on."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    except FileExistsError:
        raise UsageError(f"{path} is there already; it may hold verdicts, so it is not overwritten") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _agreed(files: Sequence[Path], fingerprint: str, out: Path) -> dict[str, tuple[str, str, str]]:
    """key -> (rule, value, verdict), over all files and annotators."""
    given: dict[str, set[str]] = defaultdict(set)
    what: dict[str, tuple[str, str]] = {}
    for path in files:
        for data, verdict in labelstudio.verdicts(path):
            if data["recipe"] != fingerprint:
                raise UsageError(
                    f"{path}: its findings are another recipe's than {out}'s; export again, and review that"
                )
            given[data["key"]].add(verdict)
            what[data["key"]] = data["rule"], data["value"]
    if not given:
        raise UsageError("no verdicts in there: nothing was reviewed yet")
    return {key: (*what[key], v.pop() if len(v) == 1 else UNSURE) for key, v in sorted(given.items())}


def _section(found: Mapping[str, tuple[str, str, str]], population: Mapping[str, int]) -> dict[str, Any]:
    """What the manifest says of a review: by entity (or rule), and by stratum below it. Never a value."""
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    for rule, _, verdict in found.values():
        verdicts[rule][verdict] += 1
    entities: dict[str, Any] = {}
    for entity in sorted({rule.partition(":")[0] for rule in verdicts}):
        rules = {r: n for r, n in population.items() if r.partition(":")[0] == entity}
        decided = {r: verdicts[r][CONFIRMED] + verdicts[r][REFUTED] for r in rules}
        estimate = statistics.stratified(
            [statistics.Stratum(verdicts[r][CONFIRMED], decided[r], n) for r, n in rules.items()]
        )
        told = asdict(estimate)
        entities[entity] = {
            "findings": sum(rules.values()),
            "reviewed": sum(sum(verdicts[r].values()) for r in rules),
            **{v: sum(verdicts[r][v] for r in rules) for v in labelstudio.VERDICTS},
            "precision": None
            if not estimate.n
            else {"estimate": told["share"], "low": told["low"], "high": told["high"]},
            "strata": {
                r: {"findings": n, **{v: verdicts[r][v] for v in labelstudio.VERDICTS}} for r, n in rules.items()
            },
        }
    return {"interval": "Wilson, 95 %, stratified, finite population", "entities": entities}


def _allow(path: Path, found: Mapping[str, tuple[str, str, str]]) -> dict[str, int]:
    """Add refuted values to an allow-list, as hashes; what somebody confirmed or was unsure of stays out."""
    refuted, kept = defaultdict(set), set()
    for rule, value, verdict in found.values():
        entity = rule.partition(":")[0]
        hashed = allow_list.value_hash(entity, value)
        if verdict == REFUTED:
            refuted[entity].add(hashed)
        else:
            kept.add((entity, hashed))
    standing = _standing(path)
    added = {}
    for entity, hashes in sorted(refuted.items()):
        new = {h for h in hashes if (entity, h) not in kept} - set(standing.get(entity, ()))
        standing[entity] = sorted({*standing.get(entity, ()), *new})
        added[entity] = len(new)
    try:
        replace(
            path,
            json.dumps({"version": allow_list.VERSION, "values": dict(sorted(standing.items()))}, indent=1).encode(),
        )
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
    return added


def _standing(path: Path) -> dict[str, list[str]]:
    """What is allowed already."""
    if not path.exists():
        return {}
    try:
        return {entity: sorted(hashes) for entity, hashes in allow_list.load(str(path)).items()}
    except ConfigError as error:
        raise UsageError(str(error)) from None
