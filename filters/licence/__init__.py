"""Licences: what each record says, and what stands in its texts, as SPDX expressions, judged by a policy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
import pyarrow as pa

from filters import paths
from filters.batch import METADATA, RECORD_TURN, Batch
from filters.contract import EVIDENCE_LIMIT, KEPT, ConfigError, Evidence, Filter, Judgement, Options
from filters.licence import library

if TYPE_CHECKING:
    from filters.licence.notices import Found
    from filters.licence.policy import Policy

KeepOrDrop = Literal["keep", "drop"]


class LicenceOptions(Options, frozen=True, kw_only=True):
    policy: Annotated[
        str,
        msgspec.Meta(
            description="What is allowed: public-domain, permissive, attribution, share-alike, research or all-known; each allows "
            "more than the one before."
        ),
    ] = "attribution"
    categories: Annotated[
        tuple[str, ...], msgspec.Meta(description="Categories to allow, instead of the policy's.")
    ] = ()
    allow: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Licences to allow whatever the policy says: ids, names, expressions, or globs such as `GPL-*`."
        ),
    ] = ()
    deny: Annotated[
        tuple[str, ...], msgspec.Meta(description="Licences to refuse whatever else allows them, written likewise.")
    ] = ()
    missing: Annotated[
        KeepOrDrop, msgspec.Meta(description="What to do with a record that says nothing, where nothing is declared.")
    ] = "drop"
    unknown: Annotated[
        KeepOrDrop, msgspec.Meta(description="What to do with one whose licence cannot be placed (`other`).")
    ] = "drop"
    pending: Annotated[
        KeepOrDrop, msgspec.Meta(description="What to do with one whose licence is still to be decided.")
    ] = "drop"
    headers: Annotated[
        Literal["judge", "ignore"],
        msgspec.Meta(
            description="Whether licences in texts (SPDX headers, notices) must be allowed too; found they are anyhow."
        ),
    ] = "judge"
    declared: Annotated[
        str,
        msgspec.Meta(description="The licence of records that say nothing themselves: an SPDX expression or a name."),
    ] = ""
    list_means: Annotated[
        Literal["and", "or"],
        msgspec.Meta(
            description="What a list, a comma or a slash between licences means; `and` is the cautious reading."
        ),
    ] = "and"
    column: Annotated[
        str,
        msgspec.Meta(
            description="Column that holds the licence, or a path into a struct or JSON column (`metadata.license`); empty: recognised."
        ),
    ] = ""
    aliases: Annotated[
        str, msgspec.Meta(description="Path of a mapping file of your own, which extends and overrides ours.")
    ] = ""


class LicenceFilter(Filter):
    """The record's own word counts; where it has none, the recipe's ``declared``. Licences in its texts are judged beside it."""

    name = "licence"
    summary = (
        "Normalises licences to SPDX expressions and keeps those that a policy allows; finds licences inside texts."
    )
    reasons = {
        "licence_denied": "The licence is on the recipe's deny list.",
        "licence_proprietary": "There is no licence for the public, or it is tied to a product.",
        "licence_no_derivatives": "Changed versions must not be handed on.",
        "licence_non_commercial": "Commercial use is not allowed.",
        "licence_use_restricted": "Some uses are forbidden, or tied to a vendor's policy.",
        "licence_share_alike": "Works made from it must go under the same licence.",
        "licence_not_allowed": "The policy does not allow so much as this: attribution, or any licence at all.",
        "licence_unknown": "A licence is named that cannot be placed.",
        "licence_pending": "The licence is still to be decided.",
        "licence_missing": "The record says nothing of a licence, and the recipe declares none.",
        "licence_code_header": "A text in the record stands under a licence that the policy does not allow.",
    }
    scores = {"licence": pa.string(), "category": pa.string(), "headers": pa.string(), "source": pa.string()}
    tables = {"spdx": "licence", "spdx_in_texts": "headers", "licence_sources": "source"}
    Options = LicenceOptions
    measured_with = ("declared", "list_means", "column", "aliases")
    options: LicenceOptions

    def __init__(self, options: LicenceOptions | None = None) -> None:
        super().__init__(options)
        # Imported here: compiling patterns is for workers.
        from filters.licence.notices import Notices

        self._policy = _policy(self.options)
        self._notices = Notices(self._header)

    @classmethod
    def assets(cls, options: Any) -> Mapping[str, str]:
        _policy(options)
        return {"aliases": library.digest(options.aliases)} if options.aliases else {}

    @classmethod
    def not_scanned(cls, options: Any) -> Sequence[str]:
        return ("licences in texts (headers is ignore)",) if options.headers == "ignore" else ()

    @classmethod
    def summarise(cls, tables: Mapping[str, Mapping[str, int]], options: Any) -> dict[str, Any]:
        from filters.licence.summary import summarise

        return summarise(tables, _policy(options), options.policy if not options.categories else "categories")

    def judge(self, batch: Batch) -> Judgement:
        """scores: the record's expression (null: it says nothing) and category, the expression of what stands in its texts, and
        where the first is from."""
        from filters.licence.notices import by_record

        licence, source = self._licences(batch)
        found = by_record(batch, list(self._notices.found(batch)))
        headers = np.full(len(batch), None, object)
        for record, each in found.items():
            headers[record] = self._policy.normaliser.canonical(sorted({f.expression for f in each}))
        distinct = {e: self._policy.lightest(e) for e in set(licence) if e is not None}
        scores = {
            "licence": licence,
            "category": np.array([distinct.get(e) for e in licence], object),
            "headers": headers,
            "source": source,
        }
        reason = self.decide(scores, self.options)
        return Judgement(reason, scores, self._evidence(batch, licence, reason, found))

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: Any) -> np.ndarray:
        policy = _policy(options)
        codes = {code: i for i, code in enumerate(cls.reasons)}
        own = _coded(scores["licence"], lambda e: _reason(policy, e, codes))
        if options.missing == "drop":
            own[_silent(scores["licence"])] = codes["licence_missing"]
        if options.headers == "ignore":
            return own
        texts = _coded(scores["headers"], lambda e: _reason(policy, e, codes))
        return np.where((own == KEPT) & (texts != KEPT), codes["licence_code_header"], own).astype(np.int16)

    def _licences(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Expression of each record, and where it is from."""
        from filters.licence.values import expressions

        column, declared = self._column(batch), self._policy.declared
        own = expressions(column, self._policy.normaliser) if column is not None else pa.nulls(len(batch), pa.string())
        licence = own.to_numpy(zero_copy_only=False).astype(object)
        silent = _silent(licence)
        source = np.full(len(batch), "record", object)
        source[silent] = None
        if declared is not None:
            source[~silent & (licence != declared)] = "record, against declared"
            licence[silent], source[silent] = declared, "declared"
        return licence, source

    def _column(self, batch: Batch) -> pa.Array | None:
        if not self.options.column:
            return batch.facts.get("license")
        column = paths.at(batch.source, self.options.column)
        if column is None:
            names = batch.source.schema.names
            close = difflib.get_close_matches(self.options.column.partition(".")[0], names, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(
                f"licence: no column {self.options.column!r:.60}{hint}; there are {', '.join(names)[:200]}"
            )
        return column

    def _header(self, given: str) -> str | None:
        """A header's expression; a word that is no licence is none, a LicenseRef that nobody defined is unknown."""
        made = self._policy.normaliser.expression(given)
        if made is None or (library.UNKNOWN in made and "LicenseRef-" not in given):
            return None
        return made

    def _evidence(
        self, batch: Batch, licence: np.ndarray, reason: np.ndarray, found: Mapping[int, list[Found]]
    ) -> Evidence:
        """Every licence in a text, and the record's own where it is at fault."""
        evidence = Evidence()
        header = self.reason_index("licence_code_header")
        for record in np.flatnonzero((reason != KEPT) & (reason != header)).tolist():
            evidence.add_turn(record, RECORD_TURN, METADATA, f"licence:{licence[record] or 'none'}")
        for each in found.values():
            for f in each[:EVIDENCE_LIMIT]:
                evidence.add_span(batch, f.segment, f.start, f.end, f"text:{f.expression}")
        return evidence


def _policy(options: Any) -> Policy:
    from filters.licence import policy

    return policy.of(options, library.digest(options.aliases) if options.aliases else "")


def _silent(values: Any) -> np.ndarray:
    return np.fromiter((v is None for v in values), bool, len(values))


def _coded(values: Any, code: Any) -> np.ndarray:
    """int16[n]: a code for each distinct value, KEPT for None."""
    known = {v: code(v) for v in set(values) if v is not None}
    return np.fromiter((known.get(v, KEPT) for v in values), np.int16, len(values))


def _reason(policy: Policy, expression: str, codes: Mapping[str, int]) -> int:
    from filters.licence.policy import REASON_OF

    fault = policy.choice(expression).fault
    return KEPT if fault is None else codes[REASON_OF[fault]]
