"""Tool use of one record: definitions, calls and results, and how they answer each other."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from filters.batch import (
    ASSISTANT,
    CONTENT,
    OTHER,
    SYSTEM,
    TOOL,
    TOOL_CALL,
    TOOL_DEFINITION,
    TOOL_RESULT,
    USER,
    Batch,
)
from filters.structure import calls as single
from filters.structure import dialect, hidden
from filters.structure.bytescan import CALL
from filters.structure.calls import Call
from filters.structure.definitions import Reader
from filters.structure.findings import Findings
from filters.structure.markup import Prompt
from filters.structure.tools import NO_TOOLS, ToolSet


class Result(msgspec.Struct, frozen=True, gc=False):
    """segment -1: a tool turn without text."""

    turn: int
    segment: int
    id: str | None


class Exchange(msgspec.Struct):
    """calls and results by turn."""

    calls: dict[int, list[Call]] = {}
    results: dict[int, list[Result]] = {}
    definitions: list[int] = []


class Pending:
    """The calls of one turn that wait for their results. Every step takes constant time: a turn may make thousands."""

    __slots__ = ("_by_id", "_calls", "_nameless", "_waiting", "answered")

    def __init__(self, calls: Sequence[Call]) -> None:
        self.answered = 0
        self._calls = calls
        self._waiting: dict[int, Call] | None = None

    def answer(self, id: str | None) -> bool:
        """Takes the call that a result answers off the list; False when there is none.

        A result without an id answers the first call; an id is only wrong where all calls have ids.
        """
        if not self._calls:
            return False
        waiting = self._index() if self._waiting is None else self._waiting
        named = self._by_id.get(id, []) if id else []
        while named:
            at = named.pop()
            if at in waiting:
                return self._take(waiting, at)
        if id:
            return self._take(waiting, next(iter(self._nameless))) if self._nameless else False
        return self._take(waiting, next(iter(waiting))) if waiting else False

    def _index(self) -> dict[int, Call]:
        """Most turns are never answered at all, so this is left until one is."""
        self._waiting = dict(enumerate(self._calls))
        self._nameless = {i: None for i, c in enumerate(self._calls) if not c.id}
        self._by_id: dict[str, list[int]] = {}
        for i, call in enumerate(self._calls):
            if call.id:
                self._by_id.setdefault(call.id, []).append(i)
        return self._waiting

    def _take(self, waiting: dict[int, Call], at: int) -> bool:
        del waiting[at]
        self._nameless.pop(at, None)
        self.answered += 1
        return True

    def left(self) -> Sequence[Call]:
        return self._calls if self._waiting is None else list(self._waiting.values())


class Checker:
    """Goes through the records that have tools, calls, results or call markup; others cost nothing."""

    def __init__(self, batch: Batch, flags: np.ndarray, reader: Reader, prompt: Prompt, *, strict: bool) -> None:
        self.batch, self.flags, self.reader, self.prompt, self.strict = batch, flags, reader, prompt, strict
        segments = batch.segments
        self.channel = segments.channel.tolist()
        self.role = segments.role.tolist()
        self.turn = segments.turn.tolist()
        self.names: list[str | None] = segments.names.to_pylist()
        self.call_ids: list[str | None] = segments.call_ids.to_pylist()
        self.start, self.end = segments.start.tolist(), segments.end.tolist()
        self.buffer = segments.buffer.tolist()
        self.views = [b.data for b in segments.buffers]
        self.turn_role = batch.turns.role.tolist()
        self.low, self.turn_low = batch.record_start.tolist(), batch.turn_start.tolist()

    def bytes(self, segment: int) -> bytes:
        return bytes(self.views[self.buffer[segment]][self.start[segment] : self.end[segment]])

    def check(self, record: int, findings: Findings) -> tuple[int, int]:
        """Judges one record's tool use; returns how many tools it defines and calls it makes."""
        exchange = self.gather(record)
        tools = self.definitions(record, exchange, findings)
        made = [c for turn in exchange.calls.values() for c in turn] if exchange.calls else []
        if made:
            self.check_calls(record, made, tools, findings)
        if made or exchange.results:
            self.check_order(record, exchange, findings)
        return tools.count, len(made)

    def gather(self, record: int) -> Exchange:
        out = Exchange()
        in_text = self.prompt.sets_call_dialect(record)
        low, high = self.low[record], self.low[record + 1]
        for s, channel in enumerate(self.channel[low:high], low):
            if channel == TOOL_CALL:
                turn = self.turn[s]
                call = Call(turn, s, 0, self.end[s] - self.start[s], self.names[s], self.call_ids[s], self.bytes(s))
                out.calls.setdefault(turn, []).append(call)
            elif channel == TOOL_DEFINITION:
                out.definitions.append(s)
            elif channel == TOOL_RESULT:
                out.results.setdefault(self.turn[s], []).append(Result(self.turn[s], s, self.call_ids[s]))
            elif in_text and channel == CONTENT and self.role[s] in (ASSISTANT, USER, OTHER):
                self.gather_text(out, s, self.turn[s])
        low, high = self.turn_low[record], self.turn_low[record + 1]
        for turn, role in enumerate(self.turn_role[low:high]):
            if role == TOOL and turn not in out.results:
                out.results[turn] = [Result(turn, -1, None)]
        return out

    def gather_text(self, out: Exchange, segment: int, turn: int) -> None:
        if self.role[segment] == ASSISTANT:
            if self.flags[segment] & CALL:
                found = dialect.calls(self.bytes(segment), turn, segment)
                if found:
                    out.calls.setdefault(turn, []).extend(found)
        elif dialect.RESPONSE.search(self.bytes(segment)):
            out.results.setdefault(turn, []).append(Result(turn, segment, None))

    def definitions(self, record: int, exchange: Exchange, findings: Findings) -> ToolSet:
        tools = NO_TOOLS
        for segment in exchange.definitions:
            found = self.reader.read(self.bytes(segment))
            if found is NO_TOOLS:
                continue
            tools = found if tools is NO_TOOLS else found.merged(tools)
            for code in found.problems:
                findings.span(code, self.batch, segment)
        if tools.count > self.reader.max_tools:
            findings.span("tools_too_large", self.batch, exchange.definitions[0])
        return tools

    def check_calls(self, record: int, made: list[Call], tools: ToolSet, findings: Findings) -> None:
        named = [tools.find(c.name) if c.name else None for c in made]
        if not tools.tools or any(c.name and c.parsed and t is None for c, t in zip(made, named, strict=True)):
            found = hidden.find(self.batch, record, self.reader)
            tools = tools.merged(found) if tools.count else found
            named = [tools.find(c.name) if c.name and tools.count else None for c in made]
        for call, tool in zip(made, named, strict=True):
            if self.role[call.segment] != ASSISTANT:
                findings.span("misplaced_call", self.batch, call.segment, call.start, call.end)
            if not tools.count:
                findings.span("missing_tools", self.batch, call.segment, call.start, call.end)
            for code in single.problems(call, tool, declared=bool(tools.tools), strict=self.strict):
                findings.span(code, self.batch, call.segment, call.start, call.end)

    def check_order(self, record: int, exchange: Exchange, findings: Findings) -> None:
        """Every call is answered before the conversation goes on, and every result answers one."""
        pending = Pending(())
        seen: set[str] = set()
        first = self.turn_low[record]
        for turn in range(self.turn_low[record + 1] - first):
            made, results = exchange.calls.get(turn, ()), exchange.results.get(turn, ())
            for result in results:
                if not pending.answer(result.id):
                    self.orphan(record, result, findings)
            if results or (not made and self.turn_role[first + turn] == SYSTEM):
                continue
            if pending.left():
                self.close(pending, findings)
            pending = Pending(made)
            if made:
                self.check_ids(made, seen, findings)
        left = pending.left()
        if left and pending.answered and (self.strict or all(c.id for c in left)):
            self.close(pending, findings)
        elif left and not pending.answered:
            findings.turn("unanswered_call", record, left[0].turn, TOOL_CALL)

    def orphan(self, record: int, result: Result, findings: Findings) -> None:
        if result.segment >= 0:
            findings.span("orphan_result", self.batch, result.segment)
        else:
            findings.turn("orphan_result", record, result.turn, TOOL_RESULT)

    def close(self, pending: Pending, findings: Findings) -> None:
        """The conversation goes on: what is still pending has no result."""
        left = pending.left()
        if pending.answered and not self.strict and not any(c.id for c in left):
            # Without ids, one turn may carry the results of several calls.
            return
        for call in left:
            findings.span("call_without_result", self.batch, call.segment, call.start, call.end)

    def check_ids(self, made: Sequence[Call], seen: set[str], findings: Findings) -> None:
        """Ids are told apart within a turn; strictly, within the record (some frameworks count anew each turn)."""
        here: set[str] = set()
        for call in made:
            if not call.id:
                continue
            if call.id in here or (self.strict and call.id in seen):
                findings.span("duplicate_call_id", self.batch, call.segment, call.start, call.end)
            here.add(call.id)
        seen |= here
