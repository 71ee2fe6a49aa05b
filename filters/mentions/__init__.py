"""Who is mentioned in a record, as surface mention: lexicons over one scan, for audits, and for sets that must not mention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pyarrow as pa

from filters.batch import CHANNELS, ROLES, Batch
from filters.contract import EVIDENCE_LIMIT, KEPT, ConfigError, Evidence, Filter, Judgement, Options
from filters.mentions.lexicon import AXES, LANGUAGES, Language, Lexicon, built_in, digest, read

Some = partial(msgspec.Meta, min_length=1)


class MentionsOptions(Options, frozen=True, kw_only=True):
    drop: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="What must not be mentioned: axes, or groups as `axis.group`. Nothing is dropped without it."
        ),
    ] = ()
    languages: Annotated[tuple[Language, ...], Some(description="Languages whose lexicons are used.")] = LANGUAGES
    lexicons: Annotated[
        tuple[str, ...], msgspec.Meta(description="Paths of further lexicons (.yaml), beside the built-in ones.")
    ] = ()
    channels: Annotated[
        tuple[Literal["content", "reasoning", "tool_call", "tool_result", "tool_definition", "metadata"], ...],
        Some(description="Channels that are looked at."),
    ] = ("content", "reasoning")
    roles: Annotated[
        tuple[Literal["system", "user", "assistant", "tool", "other"], ...],
        Some(description="Roles whose text is looked at."),
    ] = ("user", "assistant")


class MentionsFilter(Filter):
    """Keeps everything unless told what must not be mentioned; its scores are what an audit counts."""

    name = "mentions"
    summary = "Notes who is mentioned (age, gender, ethnicity and six more axes), as surface mention; drops on request."
    reasons = {"mention_not_allowed": "The record mentions a group that the recipe does not allow."}
    scores = {axis: pa.list_(pa.string()) for axis in AXES}
    Options = MentionsOptions
    measured_with = ("languages", "lexicons", "channels", "roles")
    options: MentionsOptions

    def __init__(self, options: MentionsOptions | None = None) -> None:
        super().__init__(options)
        # Imported here: compiled passes are for workers; `plan` needs only names and hashes.
        from filters.mentions.finder import Finder

        lexicons = [read(path) for path in lexicon_paths(self.options)]
        check_drop(self.options.drop, lexicons)
        self._finder = Finder(lexicons)

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        return {f"lexicon {path.stem}": digest(path) for path in lexicon_paths(options)}

    def judge(self, batch: Batch) -> Judgement:
        """scores: for each axis, the groups mentioned, sorted; an empty list where none is."""
        which = batch.segments.where(
            channels=tuple(CHANNELS.index(c) for c in self.options.channels),
            roles=tuple(ROLES.index(r) for r in self.options.roles),
        )
        found = self._finder.find(batch.segments, which)
        groups: dict[str, list[set[str]]] = {axis: [set() for _ in range(len(batch))] for axis in AXES}
        evidence = Evidence()
        shown = np.zeros(len(batch), np.int64)
        for row in found.to_pylist():
            if row["axis"] not in groups:
                continue
            groups[row["axis"]][row["record"]].add(row["group"])
            if shown[row["record"]] < EVIDENCE_LIMIT:
                shown[row["record"]] += 1
                rule = f"{row['axis']}.{row['group']}:{row['identifier']}"
                evidence.add_span(batch, row["segment"], row["start"], row["end"], rule)
        scores = {axis: pa.array([sorted(g) for g in found], self.scores[axis]) for axis, found in groups.items()}
        return Judgement(self.decide(scores, self.options), scores, evidence)

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: Any) -> np.ndarray:
        n = len(scores[AXES[0]])
        reason = np.full(n, KEPT, np.int16)
        for refused in options.drop:
            axis, _, group = refused.partition(".")
            lists = scores[axis].to_pylist() if isinstance(scores[axis], pa.Array) else scores[axis]
            hit = [bool(len(g)) if not group else group in g for g in lists]
            reason[np.array(hit, bool)] = 0
        return reason


def lexicon_paths(options: MentionsOptions) -> list[Path]:
    """Files of the built-in lexicons, then of the recipe's own. Raises ConfigError for one that is not there."""
    own = [Path(p) for p in options.lexicons]
    for path in own:
        if not path.is_file():
            raise ConfigError(f"mentions: no lexicon {path}; give the path of a .yaml file")
    return [*built_in(options.languages), *own]


def check_drop(drop: Sequence[str], lexicons: Sequence[Lexicon]) -> None:
    """Raises ConfigError for an axis or group that no lexicon has."""
    known = {axis: set[str]() for axis in AXES}
    for lexicon in lexicons:
        for axis, groups in lexicon.axes.items():
            known.setdefault(axis, set()).update(groups)
    for refused in drop:
        axis, _, group = refused.partition(".")
        if axis not in AXES:
            raise ConfigError(f"mentions: drop: no axis {axis!r}; there are {', '.join(AXES)}")
        if group and group not in known[axis]:
            raise ConfigError(
                f"mentions: drop: no group {group!r} in {axis}; there are {', '.join(sorted(known[axis]))}"
            )
