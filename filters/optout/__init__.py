"""Opt-outs: records that somebody asked to leave out, by id, user, address or content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow as pa

from filters.batch import METADATA, RECORD_TURN, Batch
from filters.contract import EVIDENCE_LIMIT, KEPT, ConfigError, Evidence, Filter, Judgement, Options
from filters.optout.lists import OptoutList


class OptoutOptions(Options, frozen=True, kw_only=True):
    lists: Annotated[
        tuple[OptoutList, ...],
        msgspec.Meta(
            description="Blocklists: `{path, kind, column, source, date}`; kind is id, url, domain, content or user."
        ),
    ] = ()
    in_text: Annotated[
        bool,
        msgspec.Meta(
            description="Look for listed URLs and domains in every text too, not only in the record's own address."
        ),
    ] = False


class OptoutFilter(Filter):
    """Looks every record up in every list; evidence names the list and the entry, never what stands there."""

    name = "optout"
    summary = "Drops records whose id, user, address or content stands on a list of those who opted out."
    reasons = {
        "opted_out_user": "The record's user is on a list.",
        "opted_out_id": "The record's id is on a list.",
        "opted_out_content": "The text of a turn, or of the whole conversation, is on a list.",
        "opted_out_url": "The record's address is on a list, or lies below a page that is.",
        "opted_out_domain": "The record's address is in a domain on a list.",
    }
    scores = {"matches": pa.int32()}
    withholds = True
    Options = OptoutOptions
    options: OptoutOptions

    def __init__(self, options: OptoutOptions | None = None) -> None:
        super().__init__(options)
        if not self.options.lists:
            raise ConfigError("optout: it needs lists, for example  optout: {lists: [{path: gone.txt, kind: id}]}")
        # Imported here: reading lists takes numba, which `plan` has no use for.
        from filters.optout.matcher import Matcher

        self._matcher = Matcher(self.options.lists, in_text=self.options.in_text)

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        return {given.name: _digest(given) for given in options.lists}

    @classmethod
    def not_scanned(cls, options: Any) -> tuple[str, ...]:
        by_address = any(given.kind in ("url", "domain") for given in options.lists)
        return ("listed addresses inside texts (in_text is off)",) if by_address and not options.in_text else ()

    def judge(self, batch: Batch) -> Judgement:
        """Evidence: rule ``LIST:ENTRY``, at the text that matched or at the record's metadata. scores: places that matched."""
        reason = np.full(len(batch), KEPT, np.int16)
        evidence = Evidence()
        shown = np.zeros(len(batch), np.int32)
        for hit in self._matcher.hits(batch):
            given = self.options.lists[hit.list]
            code = self.reason_index(f"opted_out_{given.kind}")
            reason[hit.record] = code if reason[hit.record] == KEPT else min(code, reason[hit.record])
            shown[hit.record] += 1
            if shown[hit.record] > EVIDENCE_LIMIT:
                continue
            rule = f"{given.name}:{hit.entry}"
            if hit.segment >= 0:
                evidence.add_span(batch, hit.segment, hit.start, hit.end, rule)
            else:
                evidence.add_turn(hit.record, RECORD_TURN, METADATA, rule)
        return Judgement(reason, {"matches": shown}, evidence)


def _digest(given: OptoutList) -> str:
    """sha256 of a list. Raises ConfigError when it cannot be read."""
    try:
        with Path(given.path).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"optout: {given.path} cannot be read ({error.strerror})") from None
