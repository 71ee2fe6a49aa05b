"""Short excerpts of a few records for each reason, out of the published files alone: they are scrubbed, the input is not.

**No text is shown unless the recipe replaces personal data in rejected records too; and what looks like an address or a number is
masked even then.** A filter that withholds its records shows none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.batch import CHANNELS, ROLES
from pipelines import listing, recipe
from pipelines.recipe import Recipe
from pipelines.report.lookups import known
from pipelines.report.masking import PLACEHOLDER, moved, piece
from pipelines.schemas.read import Read, read
from pipelines.schemas.recognise import recognise

AROUND = 140
"""Characters shown before and after a place."""

WIDEST = 240
"""Characters of the place itself that are shown: its beginning and its end."""

MOST = 120
"""Excerpts on a page, over all filters."""


@dataclass(frozen=True)
class Excerpt:
    """before, place, after: text of the published record, masked; place is empty where the filter points at no text.

    role, channel, turn: whose text it is. note: why there is no text.
    """

    where: str
    before: str = ""
    place: str = ""
    after: str = ""
    role: str = ""
    channel: str = ""
    turn: int = -1
    note: str = ""


@dataclass(frozen=True)
class Excerpts:
    """by_reason: (filter, reason) -> excerpts. why_none: one sentence when there are none at all."""

    by_reason: Mapping[tuple[str, str], Sequence[Excerpt]] = field(default_factory=dict)
    why_none: str = ""


@dataclass(frozen=True)
class _Wanted:
    """A record to show something of. label: the reason, or the entity that was replaced; rule: the evidence asked for, if one is."""

    row: int
    filter: str
    label: str
    rule: str = ""


def collect(out: Path, told: Mapping[str, Any]) -> Excerpts:
    """Excerpts for the places that the manifest names for each reason, and of what was replaced. What cannot be read is left
    out: the report must not stop a publish."""
    standing = recipe.overridden(told["recipe"]["effective"], (), "manifest.json")
    if why := _withheld(standing):
        return Excerpts(why_none=why)
    wanted: dict[str, list[_Wanted]] = defaultdict(list)
    for shard, one in _asked_for(told, standing.output.report_examples):
        wanted[shard].append(one)
    found: dict[tuple[str, str], list[Excerpt]] = defaultdict(list)
    files = listing.of_shards(told, "annotations", wanted)
    for shard, ones in sorted(wanted.items()):
        try:
            for one, excerpt in _of_shard(out, files.get(shard, ()), standing, shard, ones):
                found[one.filter, one.label].append(excerpt)
        except Exception:
            # Whatever is odd about a shard, its dataset is published; the message is dropped, since it may quote a record.
            continue
    return Excerpts(dict(found))


def _withheld(standing: Recipe) -> str:
    """Why no text may be shown."""
    scrubs = any(s.name == "pii" for s in standing.stages)
    if not standing.output.report_examples:
        return "No excerpts are shown: output.report_examples is 0."
    if not scrubs:
        return "No excerpts are shown: the recipe has no pii filter, so nothing was scrubbed."
    if _action(standing) == "annotate":
        return "No excerpts are shown: pii.action is annotate, so personal data still stands in the records."
    if not standing.output.scrub_rejected:
        return "No excerpts are shown: output.scrub_rejected is false, so rejected records were not scrubbed."
    return ""


def _action(standing: Recipe) -> str:
    """What the pii filter does with a finding."""
    return str(next(getattr(s.options, "action", "") for s in standing.stages if s.name == "pii"))


def _asked_for(told: Mapping[str, Any], most: int) -> Iterator[tuple[str, _Wanted]]:
    """(shard, what of it), MOST in all."""
    left = MOST
    for f in told["filters"]:
        filter_ = known(f["name"])
        if filter_ is None or filter_.withholds:
            continue
        named = [(place, reason, "") for reason, n in f["reasons"].items() for place in n.get("examples", [])[:most]]
        if f["name"] == "pii":
            named += list(_replaced(f["rules"], most))
        for place, label, rule in named[:left]:
            shard, _, row = place.rpartition(":")
            yield shard, _Wanted(int(row), f["name"], label, rule)
        left -= len(named[:left])


def _replaced(rules: Mapping[str, Any], most: int) -> Iterator[tuple[str, str, str]]:
    """(place, entity, rule) of findings, a few an entity whatever their certainty."""
    taken: Counter[str] = Counter()
    for rule, n in sorted(rules.items(), key=lambda e: (-e[1]["records"], e[0])):
        entity = rule.partition(":")[0]
        for place in n["examples"][: most - taken[entity]]:
            taken[entity] += 1
            yield place, entity, rule


def _of_shard(
    out: Path, files: Sequence[str], standing: Recipe, shard: str, ones: Sequence[_Wanted]
) -> Iterator[tuple[_Wanted, Excerpt]]:
    """The excerpts of one shard. files: those of its annotations."""
    for path in files:
        notes = pq.read_table(out / path, columns=["row", "kept"])
        rows, kept = notes["row"].to_numpy(), notes["kept"].to_numpy()
        at = {int(rows[i]): int(i) for i in np.flatnonzero(np.isin(rows, [one.row for one in ones]))}
        if not at:
            continue
        name = path.partition("/")[2]
        schema = pq.read_schema(out / "data" / name)
        evidence = _evidence(out / path, at, {one.filter for one in ones} | {"pii"})
        texts: dict[int, pa.RecordBatch] = {}
        for kind, side in (("data", kept), ("rejected", ~kept)):
            texts |= _taken(out / kind / name, None, {r: int(side[:i].sum()) for r, i in at.items() if side[i]})
        for one in (one for one in ones if one.row in texts):
            laid = _laid_out(texts[one.row], schema, standing)
            found = evidence[one.row]
            excerpt = _excerpt(f"{shard}:{one.row}", laid, _pointed_at(found[one.filter], one), found["pii"], standing)
            if not one.rule or PLACEHOLDER.fullmatch(excerpt.place):
                yield one, excerpt


def _pointed_at(places: list[dict], one: _Wanted) -> dict | None:
    """The widest of the places, of the rule that is asked for."""
    mine = [p for p in places if one.rule in ("", p["rule"])]
    return max(mine, key=lambda p: (p["end"] - p["start"], -p["turn"]), default=None)


def _evidence(path: Path, at: Mapping[int, int], filters: set[str]) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """By row and filter, the places it points at."""
    names = sorted(filters)
    table = _taken(path, [f"{n}.evidence" for n in names], at)
    return {row: {n: one.column(n)[0].as_py()["evidence"] or [] for n in names} for row, one in table.items()}


def _taken(path: Path, columns: list[str] | None, at: Mapping[int, int]) -> dict[int, pa.RecordBatch]:
    """Single rows of a file by their position, one row group in memory at a time."""
    found: dict[int, pa.RecordBatch] = {}
    with pq.ParquetFile(path) as file:
        first = 0
        for group in range(file.metadata.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            here = {row: place - first for row, place in at.items() if first <= place < first + count}
            if here:
                rows = file.read_row_group(group, columns=columns, use_threads=False)
                for row, place in here.items():
                    found[row] = rows.slice(place, 1).combine_chunks().to_batches()[0]
            first += count
    return found


def _laid_out(row: pa.RecordBatch, schema: pa.Schema, standing: Recipe) -> Read:
    row = row.select(schema.names)
    columns = recognise(schema, standing.input.columns or None)
    # Copied, so that the record's offsets start at 0 and nothing of its row group is held on to.
    row = pa.RecordBatch.from_arrays([pc.take(c, pa.array([0])) for c in row.columns], schema=row.schema)
    return read(row, columns, max_record_bytes=standing.input.max_record_bytes)


def _excerpt(where: str, one: Read, place: dict | None, edits: list[dict], standing: Recipe) -> Excerpt:
    """Around a place, or the start of the turn (or record) it points at."""
    segments = one.batch.segments
    mine = _segments(one, place)
    if not len(mine):
        at = f" at turn {place['turn']}, {place['channel']}" if place is not None and place["turn"] >= 0 else ""
        return Excerpt(where, note=f"There is no text to show{at}.")
    first = mine[0]
    text = "".join(segments.text(int(i)) for i in mine)
    start = end = 0
    if place is not None and place["end"] > place["start"]:
        here = [e for e in edits if (e["turn"], e["channel"]) == (place["turn"], place["channel"])]
        start, end = moved(text, place, here, _action(standing), len(edits))
    before = ("…" if start > AROUND else "") + piece(text, max(0, start - AROUND), start)
    after = piece(text, end, end + AROUND) + ("…" if len(text) > end + AROUND else "")
    if end - start > WIDEST:
        found = f"{piece(text, start, start + WIDEST * 2 // 3)} … {piece(text, end - WIDEST // 3, end)}"
    else:
        found = piece(text, start, end)
    return Excerpt(
        where, before, found, after,
        role=ROLES[segments.role[first]], channel=CHANNELS[segments.channel[first]], turn=int(segments.turn[first]),
    )  # fmt: skip


def _segments(one: Read, place: dict | None) -> np.ndarray:
    """The segments a place counts through; where it names no turn, the first text of the record."""
    segments = one.batch.segments
    some = np.flatnonzero(segments.length > 0)
    if place is None or place["turn"] < 0:
        return some[:1]
    channel = CHANNELS.index(place["channel"]) if place["channel"] in CHANNELS else -1
    turn = some[segments.turn[some] == place["turn"]]
    both = turn[segments.channel[turn] == channel]
    return both if len(both) else turn[:1]
