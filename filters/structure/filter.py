"""The structure filter: rules over turns, calls, markup and characters, put together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import pyarrow as pa

from filters.batch import METADATA, TOOL, TOOL_CALL, TOOL_DEFINITION, TOOL_RESULT, Batch
from filters.contract import KEPT, ConfigError, Filter, Judgement
from filters.contract import Options as BaseOptions
from filters.structure import rules

if TYPE_CHECKING:
    from filters.structure.findings import Findings
    from filters.structure.markup import Prompt


class StructureOptions(BaseOptions, frozen=True):
    profile: Annotated[
        Literal["sft", "rl_prompt", "agentic"],
        msgspec.Meta(
            description="what the records are for: training answers, prompts for reinforcement learning, or agents"
        ),
    ] = "sft"
    strict: Annotated[
        bool, msgspec.Meta(description="also reject what is merely unusual; see each rule for what that adds")
    ] = False
    off: Annotated[tuple[str, ...], msgspec.Meta(description="rules (reason codes) that do not count")] = ()
    max_tools: Annotated[int, msgspec.Meta(ge=1, description="tools that one record may define")] = 512
    max_tool_bytes: Annotated[
        int, msgspec.Meta(ge=1024, description="bytes that one text of tool definitions may have")
    ] = 4 << 20


def _check_names(off: Iterable[str]) -> None:
    """Raises ConfigError for a rule that does not exist."""
    for code in off:
        if code not in rules.REASONS:
            close = difflib.get_close_matches(code, rules.REASONS, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(f"structure: off: no rule {code!r}{hint}")


def _counting(options: StructureOptions) -> frozenset[str]:
    return rules.counting(options.profile, strict=options.strict, off=options.off)


class StructureFilter(Filter):
    """Every violation is found, each is in the evidence, and the most severe is the reason."""

    name = "structure"
    summary = "malformed conversations, tool calls, reasoning markup and text"
    reasons = rules.REASONS
    scores: ClassVar = {
        "violations": pa.int32(), "tools": pa.int32(), "calls": pa.int32(), "rules": pa.list_(pa.string()),
    }  # fmt: skip
    Options = StructureOptions
    measured_with = ("strict", "max_tools", "max_tool_bytes")
    thresholds = {"tools": "max_tools"}
    options: StructureOptions

    def __init__(self, options: StructureOptions | None = None) -> None:
        super().__init__(options)
        _check_names(self.options.off)
        self.recorded = rules.recorded(strict=self.options.strict)
        self.counting = _counting(self.options)
        # numba and the schema validator are loaded here, not when the command line lists the filters.
        from filters.structure.definitions import Reader

        self.reader = Reader(
            strict=self.options.strict, max_tools=self.options.max_tools, max_bytes=self.options.max_tool_bytes
        )

    def judge(self, batch: Batch) -> Judgement:
        from filters.structure import answers, bytescan, characters, markup, turns
        from filters.structure.findings import Findings

        strict = self.options.strict
        findings = Findings(self.recorded, self.counting)
        segments = batch.segments
        flags = bytescan.scan(segments, np.flatnonzero(segments.channel != METADATA))
        prompt = markup.Prompt(batch, flags)
        table = turns.TurnTable(batch, flags)
        characters.check(batch, flags, findings, strict=strict)
        turns.check(table, findings, strict=strict)
        markup.check(batch, flags, prompt, findings, strict=strict)
        answers.check(table, flags, prompt, findings)
        tools, calls = self._tool_use(batch, flags, prompt, findings)
        if findings.wants("no_tool_use"):
            idle = np.flatnonzero((tools == 0) & (calls == 0))
            findings.turns("no_tool_use", idle, np.full(len(idle), -1))
        found = findings.judge(batch, [record for record, _ in batch.unreadable])
        broken = pa.array([found.rules.get(r, []) for r in range(len(batch))], pa.list_(pa.string()))
        scores = {"violations": found.violations, "tools": tools, "calls": calls, "rules": broken}
        return Judgement(found.reason, scores, found.evidence)

    @classmethod
    def decide(cls, scores: Mapping[str, Any], options: Any) -> np.ndarray:
        """``rules`` names what was broken, whether it counted or not; so what counts can be chosen afterwards."""
        _check_names(options.off)
        counting = _counting(options)
        severity = {code: i for i, code in enumerate(rules.REASONS) if code in counting}
        broken = (() if codes is None else codes for codes in scores["rules"])
        first = (min((severity[c] for c in codes if c in severity), default=KEPT) for codes in broken)
        return np.fromiter(first, np.int16, len(scores["rules"]))

    def _tool_use(
        self, batch: Batch, flags: np.ndarray, prompt: Prompt, findings: Findings
    ) -> tuple[np.ndarray, np.ndarray]:
        from filters.structure import markup
        from filters.structure.bytescan import CALL
        from filters.structure.exchange import Checker

        segments = batch.segments
        tools, calls = np.zeros(len(batch), np.int32), np.zeros(len(batch), np.int32)
        involved = np.isin(segments.channel, (TOOL_CALL, TOOL_RESULT))
        # Most sets have a column of tools that says "[]" in every other row.
        involved |= (segments.channel == TOOL_DEFINITION) & (segments.length > 4)
        involved |= flags & CALL > 0
        records = np.union1d(segments.record[involved], batch.turns.record[batch.turns.role == TOOL])
        if not len(records):
            return tools, calls
        checker = Checker(batch, flags, self.reader, prompt, strict=self.options.strict)
        for record in records.tolist():
            tools[record], calls[record] = checker.check(record, findings)
        markup.check_bare_calls(batch, records[tools[records] > 0], findings)
        return tools, calls
