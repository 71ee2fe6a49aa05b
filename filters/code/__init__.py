"""Code in answers and calls: whether it parses as the language it is in."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import pyarrow as pa

from filters.batch import CHANNELS, Batch
from filters.code.blocks import Block, blocks
from filters.code.grammars import PACKAGES
from filters.code.verdict import LEGACY, REFUTED, UNVERIFIABLE, VERIFIED, Verdict
from filters.contract import EVIDENCE_LIMIT, KEPT, Evidence, Filter, Judgement, Options

KeepOrDrop = Literal["keep", "drop"]
Tools = Literal["gcc", "g++", "nvcc", "javac", "node", "tsc", "gofmt", "rustc", "php", "ruby", "bash", "luac"]


class CodeOptions(Options, frozen=True, kw_only=True):
    refuted: Annotated[
        KeepOrDrop,
        msgspec.Meta(description="What to do with a record that has more refuted blocks than `most_refuted`."),
    ] = "drop"
    most_refuted: Annotated[int, msgspec.Meta(description="Refuted blocks a record may have.", ge=0)] = 0
    legacy: Annotated[
        KeepOrDrop, msgspec.Meta(description="What to do with a record that has code only Python 2 takes.")
    ] = "keep"
    unverifiable: Annotated[
        KeepOrDrop, msgspec.Meta(description="What to do with a record that has a block nobody can tell of.")
    ] = "keep"
    without: Annotated[KeepOrDrop, msgspec.Meta(description="What to do with a record without a block of code.")] = (
        "keep"
    )
    least_verified: Annotated[
        float,
        msgspec.Meta(
            description="Share of a record's blocks that must be verified (legacy counts); 0: none.", ge=0, le=1
        ),
    ] = 0.0
    channels: Annotated[
        tuple[Literal["content", "tool_call"], ...],
        msgspec.Meta(description="Where to look: fenced blocks of answers, arguments of calls that hold code."),
    ] = ("content", "tool_call")
    most_bytes: Annotated[
        int,
        msgspec.Meta(description="Bytes of a block that is parsed; a longer one is unverifiable.", ge=1, le=1 << 26),
    ] = 1 << 17
    tools: Annotated[
        tuple[Tools, ...],
        msgspec.Meta(
            description="Installed compilers that are asked too, in a sandbox (Linux, bubblewrap); none: parsers alone."
        ),
    ] = ()
    execute: Annotated[
        tuple[Literal["python"], ...],
        msgspec.Meta(description="Languages of which blocks that test something are run, in the sandbox."),
    ] = ()
    paths: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Folders that the sandbox shows beside `/usr`, read-only: headers, say."),
    ] = ()
    seconds: Annotated[
        float,
        msgspec.Meta(description="Seconds that a tool or a program in the sandbox may take for a block.", ge=1, le=600),
    ] = 10.0


class CodeFilter(Filter):
    """Each block is verified, legacy, refuted or unverifiable; the recipe says what that means for its record."""

    name = "code"
    summary = "Parses code in answers and calls as its language: verified, legacy, refuted or unverifiable; each as the recipe says."
    reasons = {
        "code_refuted": "Code does not parse as its language, and is no fragment that could.",
        "code_legacy": "Code is Python 2.",
        "code_unverifiable": "There is code of which nobody can tell whether it is right.",
        "code_too_little_verified": "A smaller share of the code than asked for is verified.",
        "code_missing": "There is no block of code.",
    }
    scores: ClassVar = {
        "blocks": pa.int32(), VERIFIED: pa.int32(), LEGACY: pa.int32(), REFUTED: pa.int32(), UNVERIFIABLE: pa.int32(),
        "language": pa.string(),
    }  # fmt: skip
    summed: ClassVar = ("blocks", VERIFIED, LEGACY, REFUTED, UNVERIFIABLE)
    tables: ClassVar = {"code_languages": "language"}
    thresholds: ClassVar = {REFUTED: "most_refuted"}
    measured_with: ClassVar = ("channels", "most_bytes", "tools", "execute", "paths", "seconds")
    checks: ClassVar = "code"
    packages: ClassVar = ("fissix", "sqlglot", *PACKAGES)
    Options = CodeOptions
    options: CodeOptions

    def __init__(self, options: CodeOptions | None = None) -> None:
        super().__init__(options)
        from filters.code import parsers

        parsers.required()
        self._parsers = parsers.shared()
        self._channels = tuple(CHANNELS.index(c) for c in self.options.channels)
        self._compilers: Any = None
        self._runner: Any = None
        if self.options.tools:
            from filters.code.compile import Compilers

            self._compilers = Compilers(self.options.tools, self.options.paths, self.options.seconds)
        if self.options.execute:
            from filters.code.execute import Runner

            self._runner = Runner(self.options.paths, self.options.seconds)

    @classmethod
    def programs(cls, options: Any) -> Mapping[str, str]:
        if not options.tools and not options.execute:
            return {}
        from filters.code import compile

        compile.tried(options.paths)
        told = {name: compile.version(name) for name in options.tools}
        return {**told, "python": platform.python_version()} if options.execute else told

    @classmethod
    def not_scanned(cls, options: Any) -> Sequence[str]:
        return (
            ("what code does when it runs, but for Python that tests itself",)
            if options.execute
            else ("what code does when it runs",)
        )

    def judge(self, batch: Batch) -> Judgement:
        """scores: blocks of each verdict, and the language that most bytes of code are in. Evidence: the line of the first error of each
        block that is not verified, or was run; the rule is verdict, language and cause."""
        counts = {s: np.zeros(len(batch), np.int32) for s in (VERIFIED, LEGACY, REFUTED, UNVERIFIABLE)}
        sizes: dict[int, dict[str, int]] = {}
        evidence, shown = Evidence(), np.zeros(len(batch), np.int32)
        for block, language, verdict in self._found(batch):
            record = int(batch.segments.record[block.segment])
            counts[verdict.status][record] += 1
            size = sizes.setdefault(record, {})
            size[language] = size.get(language, 0) + len(block.code)
            if verdict.cause and shown[record] < EVIDENCE_LIMIT:
                shown[record] += 1
                start, end = block.line(verdict.at)
                evidence.add_span(batch, block.segment, start, end, f"{verdict.status}:{language}:{verdict.cause}")
        main = np.full(len(batch), None, object)
        for record, size in sizes.items():
            main[record] = max(sorted(size), key=size.__getitem__)
        scores = {"blocks": sum(counts.values()), **counts, "language": main}
        return Judgement(self.decide(scores, self.options), scores, evidence)

    def _found(self, batch: Batch) -> Sequence[tuple[Block, str, Verdict]]:
        """Every block of code with its language and verdict: by the parsers, and by what else the recipe asks."""
        found = list(self._parsers.checked(blocks(batch, self._channels), self.options.most_bytes))
        if self._compilers is not None:
            from filters.code import second

            found = second.review(self._compilers, found, self._parsers.holds)
        if self._runner is not None:
            found = self._runner.review(batch, found)
        return found

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: Any) -> np.ndarray:
        blocks = np.asarray(scores["blocks"])
        codes = {code: i for i, code in enumerate(cls.reasons)}
        reason = np.full(len(blocks), KEPT, np.int16)
        # The least severe first, so that a worse one stands over it.
        if options.without == "drop":
            reason[blocks == 0] = codes["code_missing"]
        held = np.asarray(scores[VERIFIED]) + np.asarray(scores[LEGACY])
        reason[(blocks > 0) & (held < options.least_verified * blocks)] = codes["code_too_little_verified"]
        for status, least in ((UNVERIFIABLE, 0), (LEGACY, 0), (REFUTED, options.most_refuted)):
            if getattr(options, status) == "drop":
                reason[np.asarray(scores[status]) > least] = codes[f"code_{status}"]
        return reason

    @classmethod
    def checked(cls, scores: Mapping[str, Any]) -> np.ndarray:
        """Right: all of its blocks are, those of Python 2 too. Wrong: one is refuted."""
        refuted, held = np.asarray(scores[REFUTED]) > 0, np.asarray(scores[VERIFIED]) + np.asarray(scores[LEGACY])
        right = (held > 0) & (held == np.asarray(scores["blocks"]))
        return right.astype(np.int8) - refuted.astype(np.int8)
